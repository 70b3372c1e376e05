// What is said to a session and what it asks: prompts with their receipts, and requests with their answers, as the ledger knows them.
//
//   a prompt    said ──► pending ──► delivered (the agent's own record shows it)
//                                └─► failed    (it did not reach the agent, and why)
//   a request   asked ─► open ─────► answered (by somebody, by a rule, or by the policy when nobody did in time)
//
// A request belongs to one run: with that run it is over, answered or not. A prompt outlives a run that did not take it up; with the session it
// is over: what is pending then has failed.
import { z } from 'zod';
import type { EventOf } from './events.ts';
import type { SessionStatus } from './session.ts';

export const PROMPT_MODES = ['queue', 'interrupt'] as const;
export const PromptMode = z.enum(PROMPT_MODES);
export type PromptMode = z.infer<typeof PromptMode>;

/** A prompt that was said to a session after its first. */
export interface SessionPrompt {
  readonly promptId: string;
  /** Whole: a run that begins the conversation anew is told it again. */
  readonly text: string;
  readonly by: string;
  readonly mode: PromptMode;
  readonly requestKey?: string | undefined;
  readonly state: 'pending' | 'delivered' | 'failed';
  /** The first run that was told it from its beginning. */
  readonly begunWith?: number | undefined;
  /** When it was said, and when it was delivered or failed. Milliseconds since the epoch. */
  readonly at: number;
  readonly doneAt?: number | undefined;
  /** With `failed`: why. */
  readonly reason?: string | undefined;
}

export const REQUEST_KINDS = ['permission', 'question'] as const;
export const DECISIONS = ['allow', 'deny', 'answer'] as const;
export const Decision = z.enum(DECISIONS);
export type Decision = z.infer<typeof Decision>;

/** What a session wants to know from somebody. */
export const RequestAsked = z.object({
  requestId: z.string(),
  kind: z.enum(REQUEST_KINDS),
  text: z.string().describe('The question; with `permission` what the tool would do, in a line.'),
  tool: z.string().optional().describe('With `permission`: the tool.'),
  input: z.string().optional().describe("With `permission`: the tool's arguments as JSON, cut."),
  options: z.array(z.string()).optional().describe('With `question`: answers that are offered.'),
  callId: z.string().optional().describe('Of the call that asks: the same call, sent again, asks once.'),
  expiresAt: z.number().optional().describe('When the policy answers, in milliseconds since the epoch.'),
});
export type RequestAsked = z.infer<typeof RequestAsked>;

/** The answer to a request. */
export const RequestAnswer = z.object({
  decision: Decision,
  text: z.string().optional().describe('The answer to a question, or why it was denied.'),
  remember: z.boolean().optional().describe('For the rest of the session every use of that tool is answered so.'),
  by: z.string(),
});
export type RequestAnswer = z.infer<typeof RequestAnswer>;

/** A request of a session, open or answered. */
export interface SessionRequest extends RequestAsked {
  readonly run: number;
  readonly askedAt: number;
  readonly answer?: (RequestAnswer & { readonly at: number }) | undefined;
}

/** What of a session this file is about. */
export interface Talk {
  readonly run: number;
  readonly status: SessionStatus;
  readonly prompts?: readonly SessionPrompt[] | undefined;
  readonly requests?: readonly SessionRequest[] | undefined;
}

/** Why a prompt failed that was pending when its session ended. */
export const ENDED_FIRST = 'the session ended before its own record showed it';
const ASKING: readonly SessionStatus[] = ['starting', 'running', 'waiting'];

/** The prompts after one more was said. */
export function said(
  prompts: readonly SessionPrompt[] | undefined,
  { at, data }: EventOf<'session.prompted'> | EventOf<'session.reopened'>,
): readonly SessionPrompt[] {
  const { promptId, prompt: text, by, mode, requestKey } = data;
  return [...(prompts ?? []), { promptId, text, by, mode, requestKey, state: 'pending', at }];
}

/** The prompts after it was told what became of one. */
export function told(
  prompts: readonly SessionPrompt[] | undefined,
  event: EventOf<'session.received'> | EventOf<'session.undelivered'>,
): readonly SessionPrompt[] | undefined {
  return prompts?.map((prompt) => {
    if (prompt.promptId !== event.data.promptId || prompt.state !== 'pending') return prompt;
    return event.name === 'session.received'
      ? { ...prompt, state: 'delivered', doneAt: event.at }
      : { ...prompt, state: 'failed', doneAt: event.at, reason: event.data.reason };
  });
}

/** The prompts after a run began, which is told all that is pending. */
export function begun(prompts: readonly SessionPrompt[] | undefined, run: number): readonly SessionPrompt[] | undefined {
  return prompts?.map((prompt) =>
    prompt.state === 'pending' && prompt.begunWith === undefined ? { ...prompt, begunWith: run } : prompt,
  );
}

/** The prompts after the session ended. */
export function unheard(prompts: readonly SessionPrompt[] | undefined, at: number): readonly SessionPrompt[] | undefined {
  return prompts?.map((prompt) =>
    prompt.state === 'pending' ? { ...prompt, state: 'failed', doneAt: at, reason: ENDED_FIRST } : prompt,
  );
}

/** The requests after one more was asked. */
export function asked(
  requests: readonly SessionRequest[] | undefined,
  { at, data: { run, request } }: EventOf<'session.waiting'>,
): readonly SessionRequest[] | undefined {
  return request ? [...(requests ?? []), { ...request, run, askedAt: at }] : requests;
}

/** The requests after one was answered, and never two; a second answer changes nothing. */
export function answered(
  requests: readonly SessionRequest[] | undefined,
  { at, data: { requestId, sessionId: _sessionId, ...answer } }: EventOf<'session.answered'>,
): readonly SessionRequest[] | undefined {
  const first = requests?.find((request) => request.requestId === requestId);
  return requests?.map((request) => (request === first && !request.answer ? { ...request, answer: { ...answer, at } } : request));
}

/** Prompts nobody knows yet whether they arrived, in the order in which they were said. */
export function pendingPrompts({ prompts = [] }: Pick<Talk, 'prompts'>): readonly SessionPrompt[] {
  return prompts.filter(({ state }) => state === 'pending');
}

/** What was asked and is not open any more. */
export function pastRequests(talk: Talk): readonly SessionRequest[] {
  const open = openRequests(talk);
  return (talk.requests ?? []).filter((request) => !open.includes(request));
}

/** What this run asks and nobody has answered; nothing when it is over or being stopped. */
export function openRequests({ requests = [], run, status }: Talk): readonly SessionRequest[] {
  return ASKING.includes(status) ? requests.filter((request) => !request.answer && request.run === run) : [];
}
