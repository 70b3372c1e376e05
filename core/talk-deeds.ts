// What can be said between sessions and those outside: prompts, questions and answers, and where a person meets an interactive session.
import { fail } from './errors.ts';
import type { Ledger } from './ledger.ts';
import { namedSession } from './named-session.ts';
import { createPrompting, type PromptingParts, type PromptRequest } from './prompting.ts';
import type { AnswerRequest, Ask, OpenRequest, Requests } from './requests.ts';
import type { Terminal, Terminals } from './run-ports.ts';
import type { Session } from './session.ts';
import type { RequestAnswer, SessionPrompt } from './talk.ts';

export interface TalkParts extends PromptingParts {
  readonly ledger: Ledger;
  readonly requests: Requests;
  readonly terminals: Terminals;
}

export interface TalkDeeds {
  /** Says something to a session; answers with the prompt and its receipt, as far as that came in time. */
  prompt(request: PromptRequest, by: string): Promise<SessionPrompt>;
  /** Asks in the name of a session, and resolves with the answer. */
  ask(sessionId: string, ask: Ask, signal?: AbortSignal | undefined): Promise<RequestAnswer>;
  /** What sessions ask and nobody has answered, oldest first. */
  openRequests(sessionId?: string | undefined): readonly OpenRequest[];
  /** The request with this id, answered or not. Fails with REQUEST_NOT_FOUND. */
  request(requestId: string): OpenRequest;
  answer(request: AnswerRequest, by: string): Promise<OpenRequest>;
  /** Where a person meets the session. Fails with TERMINAL_MISSING. */
  terminal(sessionId: string): Promise<Terminal>;
  /** Detaches everybody from its terminal; answers how many there were. Fails with TERMINAL_MISSING. */
  detach(sessionId: string): Promise<number>;
}

export function createTalkDeeds(parts: TalkParts): TalkDeeds {
  const { ledger, requests, terminals } = parts;
  const interactive = (sessionId: string) => {
    const session = namedSession(ledger, sessionId);
    if (session.type !== 'interactive')
      fail('TERMINAL_MISSING', `Session ${sessionId} is autonomous: it has no terminal; session_logs shows what it does.`);
    return session;
  };
  // an id that is not on disk may be given to another ask by the next hub
  const isOnDisk = ({ sessionId, requestId }: OpenRequest) =>
    ledger.durable.session(sessionId)?.requests?.some((request) => request.requestId === requestId) === true;
  const terminalOf = async ({ id, run, status }: Session) =>
    (await terminals.find(id, run)) ?? fail('TERMINAL_MISSING', `Session ${id} is ${status}; its terminal is not there.`);

  return {
    prompt: createPrompting(parts),
    ask: requests.ask,
    openRequests: (sessionId) =>
      requests.open().filter((request) => (sessionId === undefined || request.sessionId === sessionId) && isOnDisk(request)),
    request: requests.find,
    answer: requests.answer,
    terminal: async (sessionId) => terminalOf(interactive(sessionId)),
    async detach(sessionId) {
      const session = interactive(sessionId);
      await terminalOf(session);
      return terminals.detach(sessionId, session.run);
    },
  };
}
