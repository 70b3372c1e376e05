// Waiting for sessions without polling: a call that blocks for a bounded time and answers with what changed.
import { fail } from './errors.ts';
import type { Ledger } from './ledger.ts';
import type { Clock } from './ports.ts';
import { isSettled, type Session } from './session.ts';
import { until as untilFound } from './until.ts';

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
  const met = () => holds(sessions(), until, since) || undefined;
  const how = await untilFound({ ledger, clock }, met, { sessionIds, timeoutMs, signal });
  if (how === 'given up') fail('CANCELLED', 'The caller gave up waiting.');
  const now = sessions();
  const shown = request.after === undefined && !(until === 'change') ? now : now.filter((session) => session.seq > since);
  return { sessions: shown, timedOut: how === 'late', seq: ledger.durable.seq };
}

function holds(sessions: readonly Session[], until: Until, since: number): boolean {
  if (sessions.every(isSettled)) return true;
  if (until === 'all') return false;
  return sessions.some(
    (session) => session.seq > since && (until === 'change' || isSettled(session) || session.status === 'waiting'),
  );
}
