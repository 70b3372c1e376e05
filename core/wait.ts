// Waiting for sessions without polling: a call that blocks for a bounded time and answers with what changed.
import { fail, ScopecraftError } from './errors.ts';
import { sessionOf } from './events.ts';
import type { Ledger } from './ledger.ts';
import type { Clock } from './ports.ts';
import { isSettled, type Session } from './session.ts';

export const UNTIL = ['any', 'all', 'change'] as const;
export type Until = (typeof UNTIL)[number];

export interface WaitRequest {
  readonly sessionIds: readonly string[];
  /** `any`: one of them settles or asks; `all`: all have settled; `change`: any status changes. */
  readonly until: Until;
  /** Answer only with what changed after this number of the ledger. */
  readonly after?: number | undefined;
  readonly timeoutMs: number;
  /** Gives up the waiting; the sessions go on. */
  readonly signal?: AbortSignal | undefined;
}

export interface Waited {
  /** Sessions that changed since `after`; all of them when it was not given. */
  readonly sessions: readonly Session[];
  readonly timedOut: boolean;
  /** Number of the newest fact this answer knows; like all in it, it is on disk. */
  readonly seq: number;
}

/** Blocks until the condition holds, the time is over or the caller gives up (CANCELLED). */
export async function waitFor(ledger: Ledger, clock: Clock, request: WaitRequest): Promise<Waited> {
  const { sessionIds, until, timeoutMs, signal } = request;
  const since = request.after ?? (until === 'change' ? ledger.durable.seq : 0);
  const sessions = () =>
    sessionIds.map(
      (id) => ledger.durable.session(id) ?? ledger.session(id) ?? fail('SESSION_NOT_FOUND', `There is no session "${id}".`),
    );
  const met = () => holds(sessions(), until, since);
  let timedOut = false;
  if (!met()) timedOut = !(await settledIn(ledger, clock, { ids: new Set(sessionIds), met, timeoutMs, signal }));
  const now = sessions();
  const shown = request.after === undefined && !(until === 'change') ? now : now.filter((session) => session.seq > since);
  return { sessions: shown, timedOut, seq: ledger.durable.seq };
}

function holds(sessions: readonly Session[], until: Until, since: number): boolean {
  if (sessions.every(isSettled)) return true;
  if (until === 'all') return false;
  return sessions.some(
    (session) => session.seq > since && (until === 'change' || isSettled(session) || session.status === 'waiting'),
  );
}

interface Watch {
  readonly ids: ReadonlySet<string>;
  readonly met: () => boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** True when the condition was met, false when the time was over. */
function settledIn(ledger: Ledger, clock: Clock, { ids, met, timeoutMs, signal }: Watch): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const done = (act: () => void) => () => {
      unsubscribe();
      disarm();
      signal?.removeEventListener('abort', abort);
      act();
    };
    const abort = done(() => reject(new ScopecraftError('CANCELLED', 'The caller gave up waiting.')));
    const disarm = clock.after(
      timeoutMs,
      done(() => resolve(false)),
    );
    const unsubscribe = ledger.subscribe((event) => {
      if (event.name === 'session.spoke' || !ids.has(sessionOf(event) ?? '')) return;
      if (met()) done(() => resolve(true))();
    });
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort);
  });
}
