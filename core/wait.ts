// Waiting for sessions without polling: a call that blocks for a bounded time and answers with what changed.
import { fail } from './errors.ts';
import type { Ledger } from './ledger.ts';
import { namedSession } from './named-session.ts';
import type { Clock } from './ports.ts';
import { isSettled, type Session } from './session.ts';
import { until as untilFound } from './until.ts';

export const UNTIL = ['any', 'all', 'change'] as const;
export type Until = (typeof UNTIL)[number];

export interface WaitRequest {
  readonly sessionIds: readonly string[];
  /** `any`: one of them settles or waits for somebody; `all`: all have settled, or one waits so; `change`: any status changes. */
  readonly until: Until;
  /** Answer only with what changed after this number of the ledger. */
  readonly after?: number | undefined;
  readonly timeoutMs: number;
  /** Gives up the waiting; the sessions go on. */
  readonly signal?: AbortSignal | undefined;
}

export interface Waited {
  /** Sessions that changed since `after`; where it was not given all of them, with `change` only those that changed if any did. */
  readonly sessions: readonly Session[];
  readonly timedOut: boolean;
  /** Number of the newest fact this answer knows; like all in it, it is on disk. */
  readonly seq: number;
}

/** Blocks until the condition holds, the time is over or the caller gives up (CANCELLED). */
export async function waitFor(ledger: Ledger, clock: Clock, request: WaitRequest): Promise<Waited> {
  const { sessionIds, until, timeoutMs, signal } = request;
  const since = request.after ?? (until === 'change' ? ledger.durable.seq : 0);
  const sessions = () => sessionIds.map((id) => ledger.durable.session(id) ?? namedSession(ledger, id));
  const met = () => holds(sessions(), until, since) || undefined;
  const how = await untilFound({ ledger, clock }, met, { sessionIds, timeoutMs, signal });
  if (how === 'given up') fail('CANCELLED', 'The caller gave up waiting.');
  // what is being written has happened in time: who reads the state may have been told of it
  const latest = sessionIds.map((id) => ledger.session(id)).filter((session) => session !== undefined);
  if (how === 'late' && holds(latest, until, since)) await ledger.written();
  const now = sessions();
  const changed = now.filter((session) => session.seq > since);
  const isWhole = request.after === undefined && (until !== 'change' || changed.length === 0);
  return { sessions: isWhole ? now : changed, timedOut: how === 'late' && !met(), seq: ledger.durable.seq };
}

function holds(sessions: readonly Session[], until: Until, since: number): boolean {
  if (sessions.every(isSettled)) return true;
  if (until === 'change') return sessions.some(({ seq }) => seq > since);
  return sessions.some((session) => hasAsked(session, since) || (until === 'any' && isSettled(session) && session.seq > since));
}

/** True when what it waits for now was not known yet: who heard of it and waits on need not hear it again. */
function hasAsked({ status, waitsSeq, seq }: Session, since: number): boolean {
  return status === 'waiting' && (waitsSeq ?? seq) > since;
}
