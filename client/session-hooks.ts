// Tells a program when sessions start, complete and fail, by reading the ledger on whenever it grew.
//
// The reading goes from event to event by number, so none is missed when the hub is killed meanwhile, and each is told once, in order.
// A program that keeps the cursor goes on where it stopped.
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { AgentResult, EndCause } from '../core/ending.ts';
import { ScopecraftError } from '../core/errors.ts';
import { causeText } from '../core/history.ts';
import type { HubConnection } from './hub-connection.ts';
import type { Answer, ToolMethods } from './tool-methods.ts';

/** A session as the hooks get it: as it stands when they are called. */
export type HookedSession = Answer<'sessionGet'>;

/** What a session came to. */
export type SessionResult = Readonly<AgentResult>;

/** Why a session did not complete: it failed, was cancelled or was lost. */
export class SessionError extends Error {
  readonly sessionId: string;
  readonly endCause: EndCause;

  constructor(session: HookedSession, endCause: EndCause) {
    super(`Session ${session.id} ended: ${causeText(endCause)}.`);
    this.name = 'SessionError';
    this.sessionId = session.id;
    this.endCause = endCause;
  }
}

/** What is called when something happens to a session. The next is called when the promise of the one before has resolved. */
export interface SessionHooks {
  /** A run of it began; again for a retry. */
  readonly onSessionStart?: (session: HookedSession) => Promise<void> | void;
  readonly onSessionComplete?: (session: HookedSession, result: SessionResult) => Promise<void> | void;
  readonly onSessionError?: (session: HookedSession, error: SessionError) => Promise<void> | void;
  /** A hook threw, or the ledger could not be read on. Without it such an error ends up as an unhandled rejection. */
  readonly onProblem?: (problem: unknown) => void;
}

/** Which sessions the hooks are about. */
export interface HookOptions {
  /** Only sessions on this task. */
  readonly taskId?: string | undefined;
  /** Cursor of an earlier subscription, to hear what came since; `0` tells everything the ledger still has. Default: from now on. */
  readonly after?: string | undefined;
}

/** Hooks at work. */
export interface HookSubscription {
  /** The last event that was told. */
  readonly cursor: string;
  /** Nothing is told any more; a hook that is under way is not waited for. */
  close(): Promise<void>;
}

type Page = Answer<'eventList'>;
type LedgerEvent = Page['events'][number];

const TYPES = ['session.started', 'session.completed', 'session.failed', 'session.cancelled', 'session.lost'];

/** How long to rest when nothing is told; an update of the resource wakes earlier. */
const REST_MS = 15_000;

const Ended = z.looseObject({ cause: EndCause, result: AgentResult.optional() });

/** Follows the ledger until closed. Fails as event_list does. */
export async function followSessions(
  methods: Pick<ToolMethods, 'eventList' | 'sessionGet'>,
  connection: Pick<HubConnection, 'watch' | 'closed'>,
  hooks: SessionHooks,
  { taskId, after }: HookOptions = {},
): Promise<HookSubscription> {
  const ending = new AbortController();
  let nap = new AbortController();
  let isStale = true;
  const wake = () => {
    isStale = true;
    nap.abort();
  };
  const stop = () => {
    ending.abort();
    nap.abort();
  };
  const { nextCursor } = await methods.eventList({ limit: 1, after });
  // before the first event there is nothing to go on from but the beginning
  let cursor = after ?? nextCursor ?? '0';
  const watching = await connection.watch('events://recent', wake);
  const report = hooks.onProblem ?? ((problem: unknown) => void Promise.reject(problem));

  const readOn = async (): Promise<void> => {
    while (isStale && !ending.signal.aborted) {
      isStale = false;
      const { events } = await methods.eventList({ types: TYPES, taskId, after: cursor, limit: 50 }, { signal: ending.signal });
      for (const event of events) {
        const session = await sessionOf(methods, event.sessionId);
        if (ending.signal.aborted) return;
        if (session) await tell(hooks, session, event).catch(report);
        cursor = String(event.seq);
      }
      if (events.length > 0) isStale = true;
    }
  };
  const follow = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      nap = new AbortController();
      await readOn().catch((problem: unknown) => {
        if (!ending.signal.aborted && !isUnreachable(problem)) report(problem);
      });
      if (!isStale && !ending.signal.aborted) await sleep(REST_MS, undefined, { signal: nap.signal }).catch(() => {});
      isStale = true;
    }
  };
  // whoever closes the client may have left its hooks open
  connection.closed.addEventListener('abort', stop, { once: true });
  if (connection.closed.aborted) stop();
  void follow();
  return {
    get cursor() {
      return cursor;
    },
    async close() {
      stop();
      connection.closed.removeEventListener('abort', stop);
      await watching.close();
    },
  };
}

async function tell(hooks: SessionHooks, session: HookedSession, event: LedgerEvent): Promise<void> {
  if (event.name === 'session.started') return await hooks.onSessionStart?.(session);
  const { cause, result } = Ended.parse(event.data);
  if (event.name !== 'session.completed') return await hooks.onSessionError?.(session, new SessionError(session, cause));
  // the event tells the beginning of the text, the session more of it
  const text = session.result ?? result?.text ?? '';
  await hooks.onSessionComplete?.(session, { isError: false, ...result, text });
}

/** The session as it stands, or undefined when the cleanup removed it since. */
async function sessionOf(
  methods: Pick<ToolMethods, 'sessionGet'>,
  sessionId: string | undefined,
): Promise<HookedSession | undefined> {
  try {
    return sessionId === undefined ? undefined : await methods.sessionGet({ sessionId });
  } catch (error) {
    if (error instanceof ScopecraftError && error.code === 'SESSION_NOT_FOUND') return undefined;
    throw error;
  }
}

/** True while no hub can be reached, which passes. */
function isUnreachable(problem: unknown): boolean {
  return problem instanceof ScopecraftError && problem.code === 'HUB_UNREACHABLE';
}
