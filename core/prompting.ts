// Saying something to a session, whatever its state: queued, it is added to what it will be told; running, it is handed to the agent; settled, it is
// reopened for another run of the same conversation. The same request says it once.
import { agentNamed, canBeTold, canResume } from './agent.ts';
import { fail } from './errors.ts';
import { namedSession } from './named-session.ts';
import { type CallDeed, type CallKey, createOnce, type OnceParts } from './once.ts';
import type { Clock, Ids, JobQueue, Settings } from './ports.ts';
import { jobOf } from './recovery.ts';
import { orderKeyOf } from './scheduler.ts';
import { isSettled, type Session } from './session.ts';
import { checkText } from './start-checks.ts';
import type { Supervisor } from './supervisor.ts';
import { openRequests, type PromptMode, type SessionPrompt } from './talk.ts';
import { until } from './until.ts';

export interface PromptingParts extends OnceParts {
  readonly queue: JobQueue;
  readonly supervisor: Supervisor;
  readonly settings: Settings;
  readonly ids: Ids;
  readonly clock: Clock;
}

export interface PromptRequest {
  readonly sessionId: string;
  readonly prompt: string;
  readonly mode: PromptMode;
  readonly requestKey?: string | undefined;
  /** How long to wait for the receipt. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Makes the deed `prompt`: answers with the prompt as it stands when its receipt came, or when the time was over. */
export function createPrompting(parts: PromptingParts): (request: PromptRequest, by: string) => Promise<SessionPrompt> {
  const { ledger, ids } = parts;
  const once = createOnce(parts);
  const current = (id: string) => namedSession(ledger, id);

  return async (request, by) => {
    const { sessionId, prompt, mode } = request;
    checkText(prompt);
    /** Says it, unless its key said it before; answers the id of the prompt. */
    const say: CallDeed<string> = async (call, used) => {
      const session = current(sessionId);
      const before = used && session.prompts?.find(({ requestKey }) => requestKey === call?.requestKey);
      if (before) return before.promptId;
      ledger.expectRoom();
      const fact = { sessionId, promptId: ids.uuid(), prompt, by, mode, ...call };
      await (isSettled(session) ? reopen(parts, session, fact) : add(parts, session, fact));
      return fact.promptId;
    };
    const promptId = await once(request.requestKey, { sessionId, prompt, mode }, say);
    return receipt(parts, request, promptId);
  };
}

interface Fact extends Partial<CallKey> {
  readonly sessionId: string;
  readonly promptId: string;
  readonly prompt: string;
  readonly by: string;
  readonly mode: PromptMode;
}

async function add({ ledger, supervisor, settings }: PromptingParts, session: Session, data: Fact): Promise<void> {
  const agent = agentNamed(settings.current(), session.agent);
  const isHeard = session.type === 'interactive' || session.status === 'queued' || (agent !== undefined && canBeTold(agent));
  if (!isHeard) fail('PROMPT_REFUSED', `Agent "${session.agent}" of session ${session.id} takes nothing while it runs.`);
  if (session.stop) fail('PROMPT_REFUSED', `Session ${session.id} is being stopped.`);
  // what is broken off asks no more; nothing is waited for in between, so that nothing else can happen there
  const denied = (data.mode === 'interrupt' ? openRequests(session) : []).map(({ requestId }) =>
    ledger.record({
      name: 'session.answered',
      data: { sessionId: session.id, requestId, decision: 'deny', text: 'It was interrupted by a prompt.', by: data.by },
    }),
  );
  await Promise.all([...denied, ledger.record({ name: 'session.prompted', data })]);
  // its receipt says what became of it
  void supervisor.tell(session.id);
}

async function reopen({ ledger, queue, settings, clock }: PromptingParts, session: Session, data: Fact): Promise<void> {
  const agent =
    agentNamed(settings.current(), session.agent) ?? fail('AGENT_UNKNOWN', `Agent "${session.agent}" is not declared any more.`);
  if (!canResume(agent))
    fail(
      'CONVERSATION_GONE',
      `Session ${session.id} is ${session.status}, and agent "${session.agent}" cannot go on with a conversation.`,
    );
  const at = Math.max(clock.now(), ledger.newest);
  const orderKey = orderKeyOf(settings.current(), session.priority, at);
  const recorded = ledger.record({ name: 'session.reopened', data: { ...data, orderKey, resume: hasConversation(session) } });
  const queued = ledger.session(session.id) ?? fail('INTERNAL', `Session ${session.id} was not kept.`);
  queue.add(jobOf(ledger, queued));
  await recorded.catch((error: unknown) => {
    queue.remove(session.id);
    throw error;
  });
}

/** False where no process of its newest conversation ever ran: then there is nothing to go on with. */
function hasConversation({ runStartedAt, startedAt, resumes }: Session): boolean {
  return runStartedAt !== undefined || (resumes === true && startedAt !== undefined);
}

/** Waits until the prompt has its receipt; one that waits in the line is not waited for. Fails with SESSION_NOT_FOUND when it is removed. */
async function receipt(
  parts: PromptingParts,
  { sessionId, timeoutMs, signal }: PromptRequest,
  promptId: string,
): Promise<SessionPrompt> {
  const session = () => parts.ledger.session(sessionId);
  const prompt = () => session()?.prompts?.find((one) => one.promptId === promptId);
  await until(parts, () => prompt()?.state !== 'pending' || session()?.status === 'queued' || undefined, { timeoutMs, signal });
  return prompt() ?? fail('SESSION_NOT_FOUND', `Session "${sessionId}" was removed.`);
}
