// What sessions ask, and who answers: a permission for the use of a tool, or a question.
//
//   asked ─► answered at once by a rule, or as it was answered before for the rest of the session
//        └─► open: told to whoever waits; answered by a caller, or denied by the policy when its time is over
//
// The same call that asks, sent again (also to a later hub), is the same request, and no two requests have one id: who answers one must not
// allow another. A session never answers its own.
import { fail } from './errors.ts';
import type { Ledger } from './ledger.ts';
import { namedSession } from './named-session.ts';
import { decisionOf, toolUseText } from './permissions.ts';
import type { Clock, Settings } from './ports.ts';
import type { Verdict } from './run-ports.ts';
import { isActive, type Session } from './session.ts';
import { type Decision, openRequests, type RequestAnswer, type RequestAsked, type SessionRequest } from './talk.ts';
import { until } from './until.ts';

export interface RequestsParts {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly settings: Settings;
  readonly onError: (error: unknown) => void;
}

/** What a session asks. */
export type Ask =
  | { readonly kind: 'permission'; readonly tool: string; readonly input: unknown; readonly callId?: string | undefined }
  | {
      readonly kind: 'question';
      readonly text: string;
      readonly options?: readonly string[] | undefined;
      readonly callId?: string | undefined;
    };

/** An answer as a caller gives it. */
export interface AnswerRequest {
  readonly requestId: string;
  readonly decision: Decision;
  readonly text?: string | undefined;
  readonly remember?: boolean | undefined;
}

export type OpenRequest = SessionRequest & { readonly sessionId: string };

export interface Requests {
  /** Asks in the name of an active session; resolves with the answer. Given up, it stays open for the same call sent again. */
  ask(sessionId: string, ask: Ask, signal?: AbortSignal | undefined): Promise<RequestAnswer>;
  /** Answers; the same answer of the same caller, given again, is the one that was given. Fails with REQUEST_NOT_FOUND, REQUEST_ANSWERED or INVALID_INPUT. */
  answer(request: AnswerRequest, by: string): Promise<OpenRequest>;
  /** The session does not ask that any more: where it is open, it is denied in the name of the session itself, or answered as it was in its terminal. */
  withdraw(sessionId: string, callId: string, decision?: Verdict['behavior'] | undefined): Promise<void>;
  /** The request with this id. Fails with REQUEST_NOT_FOUND. */
  find(requestId: string): OpenRequest;
  /** All that is open, oldest first. */
  open(): readonly OpenRequest[];
  close(): void;
}

const INPUT_LENGTH = 4000;
const TEXT_LENGTH = 4000;
/** Least time until the policy answers again after its answer could not be written. */
const AGAIN_MS = 1000;

export function createRequests({ ledger, clock, settings, onError }: RequestsParts): Requests {
  const timers = new Map<string, () => void>();
  const open = () =>
    [...ledger.sessions()]
      .filter(isActive)
      .flatMap((session) => openRequests(session).map((request) => ({ ...request, sessionId: session.id })))
      .toSorted((a, b) => a.askedAt - b.askedAt);

  const asking = new Map<string, Promise<unknown>>();
  /** Session → the highest number that a request of it got here, whether that could be written or not. */
  const numbers = new Map<string, number>();
  const newId = ({ id, requests = [] }: Session): string => {
    const number = Math.max(numbers.get(id) ?? 0, ...requests.map(({ requestId }) => Number(requestId.slice(id.length + 1)))) + 1;
    numbers.set(id, number);
    return `${id}.${number}`;
  };
  let isClosed = false;
  const arm = ({ requestId, expiresAt }: SessionRequest, leastMs = 0) => {
    if (expiresAt === undefined || timers.has(requestId) || isClosed) return;
    const disarm = clock.after(Math.max(leastMs, expiresAt - clock.now()), () => {
      timers.delete(requestId);
      deny(requestId).catch(onError);
    });
    timers.set(requestId, disarm);
  };
  const disarm = (requestId: string) => {
    timers.get(requestId)?.();
    timers.delete(requestId);
  };
  const deny = async (requestId: string) => {
    if (!open().some((request) => request.requestId === requestId)) return;
    const text = 'Nobody answered in time.';
    await answer({ requestId, decision: 'deny', text }, 'the policy');
  };
  const unsubscribe = ledger.subscribe((event) => {
    if (event.name === 'session.answered') disarm(event.data.requestId);
    if (event.name === 'session.removed') numbers.delete(event.data.sessionId);
  });
  for (const request of open()) arm(request);

  function find(requestId: string): OpenRequest {
    const sessionId = requestId.slice(0, requestId.lastIndexOf('.'));
    const request = ledger.session(sessionId)?.requests?.find((one) => one.requestId === requestId);
    return request ? { ...request, sessionId } : fail('REQUEST_NOT_FOUND', `There is no request "${requestId}".`);
  }

  async function answer({ requestId, decision, text, remember }: AnswerRequest, by: string): Promise<OpenRequest> {
    const request = find(requestId);
    const given = { decision, text, remember: remember || undefined, by };
    if (request.answer && isSameAnswer(request.answer, given)) return request;
    if (request.answer)
      fail(
        'REQUEST_ANSWERED',
        `Request "${requestId}" was answered already: ${request.answer.decision}, by ${request.answer.by}.`,
      );
    if (!open().some((one) => one.requestId === requestId))
      fail('REQUEST_ANSWERED', `The run that asked "${requestId}" is over or being stopped.`);
    checkFits(request, { requestId, decision, text });
    const data = { sessionId: request.sessionId, requestId, ...given };
    await ledger.record({ name: 'session.answered', data }).catch((error: unknown) => {
      arm(request, AGAIN_MS);
      throw error;
    });
    return find(requestId);
  }

  return {
    async ask(sessionId, ask, signal) {
      const session = namedSession(ledger, sessionId);
      const asks = contentOf(ask);
      const before = session.requests?.find((one) => one.run === session.run && isSame(one, asks));
      if (before) {
        await asking.get(before.requestId);
        return answered({ ledger, clock }, sessionId, before.requestId, signal);
      }
      if (!isActive(session) || session.stop)
        fail('CANCELLED', `Session ${sessionId} is ${session.status}; it cannot ask any more.`);
      const known = ask.kind === 'permission' ? decisionOf(ask, settings.current().requests, session) : undefined;
      if (known) return known;
      const { timeoutMs } = settings.current().requests;
      const request = {
        requestId: newId(session),
        ...asks,
        expiresAt: timeoutMs === 0 ? undefined : clock.now() + timeoutMs,
      };
      const recorded = ledger.record({ name: 'session.waiting', data: { sessionId, run: session.run, for: ask.kind, request } });
      asking.set(request.requestId, recorded);
      await recorded.finally(() => asking.delete(request.requestId));
      arm(find(request.requestId));
      return answered({ ledger, clock }, sessionId, request.requestId, signal);
    },
    answer,
    async withdraw(sessionId, callId, decision) {
      const request = open().find((one) => one.sessionId === sessionId && one.callId === callId);
      if (!request) return;
      const { requestId } = request;
      const text = 'It was interrupted and does not ask any more.';
      if (decision) await answer({ requestId, decision }, 'a person at the terminal');
      else await answer({ requestId, decision: 'deny', text }, `session ${sessionId}`);
    },
    find,
    open,
    close() {
      isClosed = true;
      unsubscribe();
      for (const cancel of timers.values()) cancel();
      timers.clear();
    },
  };
}

/** What is asked, as it is kept and shown; what was cut says so. */
function contentOf(ask: Ask): Omit<RequestAsked, 'requestId' | 'expiresAt'> {
  const { kind, callId } = ask;
  if (kind === 'question')
    return { kind, callId, text: cut(ask.text, TEXT_LENGTH), ...(ask.options && { options: [...ask.options] }) };
  const input = cut(JSON.stringify(ask.input ?? {}), INPUT_LENGTH);
  return { kind, callId, text: toolUseText(ask.tool, ask.input), tool: ask.tool, input };
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

/** True for the same call sent again. An id alone is not enough: the answer to one use of a tool is none to another. */
function isSame(before: SessionRequest, asks: Omit<RequestAsked, 'requestId' | 'expiresAt'>): boolean {
  const isCall = asks.callId !== undefined && before.callId === asks.callId;
  return (
    isCall && before.kind === asks.kind && before.text === asks.text && before.tool === asks.tool && before.input === asks.input
  );
}

function isSameAnswer(before: RequestAnswer, { decision, text, remember, by }: RequestAnswer): boolean {
  return before.decision === decision && before.text === text && before.remember === remember && before.by === by;
}

/** Fails with INVALID_INPUT when the answer is of another kind than the request. */
function checkFits({ kind }: SessionRequest, { requestId, decision, text }: AnswerRequest): void {
  if (kind === 'permission' && decision === 'answer')
    fail('INVALID_INPUT', `Request "${requestId}" asks for a permission; its decision is "allow" or "deny".`);
  if (kind === 'question' && decision === 'allow')
    fail(
      'INVALID_INPUT',
      `Request "${requestId}" is a question; its decision is "answer", with the answer in \`text\`, or "deny".`,
    );
  if (decision === 'answer' && (text === undefined || text.trim() === ''))
    fail('INVALID_INPUT', `Request "${requestId}" is a question; give the answer in \`text\`.`);
}

/** Resolves when the request is answered, or fails with CANCELLED when its run is over or the caller gives up. */
async function answered(
  parts: Pick<RequestsParts, 'ledger' | 'clock'>,
  sessionId: string,
  requestId: string,
  signal: AbortSignal | undefined,
): Promise<RequestAnswer> {
  const look = () => {
    const session: Session | undefined = parts.ledger.session(sessionId);
    const request = session?.requests?.find((one) => one.requestId === requestId);
    if (request?.answer) return request.answer;
    if (session && isActive(session) && !session.stop && session.run === request?.run) return undefined;
    return fail('CANCELLED', `Session ${sessionId} is ${session?.status ?? 'gone'}; nobody answers any more.`);
  };
  const answer = await until(parts, look, { signal });
  return typeof answer === 'object' ? answer : fail('CANCELLED', 'The caller gave up asking.');
}
