// What can be done to the line: another priority or place for one session, emptying it, and holding it.
import { fail } from './errors.ts';
import type { Ledger, UsedKey } from './ledger.ts';
import { namedSession } from './named-session.ts';
import { type CallKey, createOnce, factOf, type Keyed, type OnceParts } from './once.ts';
import type { JobQueue, Settings } from './ports.ts';
import type { Priority } from './priority.ts';
import { jobOf } from './recovery.ts';
import { type Line, mayStartBy, orderKeyOf } from './scheduler.ts';
import type { Session, SessionType } from './session.ts';
import { checkPriority } from './start-checks.ts';

export interface LineParts extends OnceParts {
  readonly ledger: Ledger;
  readonly queue: JobQueue;
  readonly settings: Settings;
}

/** Who asks for something, and why. */
export interface Why {
  readonly by: string;
  readonly reason?: string | undefined;
}

/** Where a session is to go in the line: give one of the two. */
export interface Move extends Keyed {
  readonly priority?: Priority | undefined;
  /** 1 is next. */
  readonly place?: number | undefined;
}

export interface LineDeeds {
  /** Gives a queued session another priority, or a place in the line. Fails with NOT_QUEUED or REQUEST_KEY_REUSED. */
  move(sessionId: string, to: Move, by: string): Promise<Session>;
  /** Cancels all queued sessions, or those of a type; answers their ids. The same call, sent again, cancels nobody who came since. Fails with REQUEST_KEY_REUSED. */
  clear(type: SessionType | undefined, why: Why & Keyed): Promise<readonly string[]>;
  /** Starts nothing more until it is told to go on. Fails with REQUEST_KEY_REUSED, as `resume` does. */
  pause(why: Why & Keyed): Promise<void>;
  resume(by: string, keyed?: Keyed): Promise<void>;
}

export function createLineDeeds(parts: LineParts): LineDeeds {
  const { ledger, queue, settings } = parts;
  const once = createOnce(parts);
  const get = (sessionId: string) => namedSession(ledger, sessionId);

  const moveNow = async (sessionId: string, { priority, place }: Move, by: string, call: CallKey | undefined) => {
    const session = get(sessionId);
    if (priority !== undefined) checkPriority(priority, settings.current());
    if (!queue.remove(sessionId)) fail('NOT_QUEUED', `Session ${sessionId} is ${session.status} and does not wait in the line.`);
    const wanted = priority ?? session.priority;
    const ownOrder = { orderKey: orderKeyOf(settings.current(), wanted, session.queuedAt), orderSeq: session.queuedSeq };
    const isUrgent = wanted === 'urgent';
    const order = place === undefined ? ownOrder : orderAt(place, queue.line(), ownOrder, isUrgent);
    const recorded = ledger.record({ name: 'queue.moved', data: { sessionId, priority: wanted, ...order, by, ...call } });
    queue.add(jobOf(ledger, get(sessionId)));
    await recorded.catch((error: unknown) => {
      replace(parts, sessionId);
      throw error;
    });
  };
  const cancelAll = (ids: readonly string[], why: Why) =>
    ids.filter((id) => queue.remove(id)).map((id) => recordCancelled(parts, id, why));

  /** Ends what the call began before, and answers as it would have been. */
  const clearAgain = async (used: UsedKey, why: Why): Promise<readonly string[]> => {
    const fact = await factOf(ledger, used);
    if (fact?.name !== 'queue.cleared') return [];
    // who was prompted since waits anew, and is not meant
    const left = fact.data.sessionIds.filter((id) => (ledger.session(id)?.queuedSeq ?? fact.seq) < fact.seq);
    await allOf(cancelAll(left, why));
    return fact.data.sessionIds;
  };

  return {
    move: (sessionId, { requestKey, ...to }, by) =>
      once(requestKey, { deed: 'move', sessionId, ...to }, async (call, used) => {
        if (!used) await moveNow(sessionId, to, by, call);
        return get(sessionId);
      }),
    clear: (type, { by, reason, requestKey }) =>
      once(requestKey, { deed: 'clear', type, reason }, async (call, used) => {
        if (used) return clearAgain(used, { by, reason });
        const waiting = queue.line().waiting.map((job) => job.sessionId);
        const ids = waiting.filter((id) => type === undefined || get(id).type === type);
        // it comes first: so it is known who is meant, also where the hub is killed before all of them are cancelled
        const cleared = ledger.record({
          name: 'queue.cleared',
          data: { count: ids.length, sessionIds: ids, by, reason, ...call },
        });
        await allOf([cleared, ...cancelAll(ids, { by, reason })]);
        return ids;
      }),
    pause: ({ by, reason, requestKey }) =>
      once(requestKey, { deed: 'pause', reason }, async (call, used) => {
        const told = reason ?? ledger.pauseReason;
        // what changes nothing is kept too: the same call, sent again after a resume, is not to pause anew
        if (!used && (call || !ledger.isPaused))
          await ledger.record({ name: 'queue.paused', data: { by, reason: told, ...call } });
      }),
    resume: (by, { requestKey } = {}) =>
      once(requestKey, { deed: 'resume' }, async (call, used) => {
        if (!used && (call || ledger.isPaused)) await ledger.record({ name: 'queue.resumed', data: { by, ...call } });
        queue.admit();
      }),
  };
}

/** Resolves when all are done; fails when each has come to its end and one of them failed. */
async function allOf(deeds: readonly Promise<unknown>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(deeds)) if (outcome.status === 'rejected') throw outcome.reason;
}

/** Records that a session which was taken out of the line is cancelled; where that cannot be written it stands there again. */
export function recordCancelled(parts: LineParts, sessionId: string, { by, reason }: Why, call?: CallKey): Promise<number> {
  const run = parts.ledger.session(sessionId)?.run ?? 0;
  return parts.ledger
    .record({ name: 'session.cancelled', data: { sessionId, run, cause: cancelledBy(by, reason), ...call } })
    .catch((error: unknown) => {
      replace(parts, sessionId);
      throw error;
    });
}

/** The end cause of a cancelled session. */
export function cancelledBy(by: string, reason: string | undefined) {
  return { kind: 'cancelled', by, ...(reason !== undefined && { reason }) } as const;
}

/** Puts a session into the line at the place that the ledger says. */
function replace({ ledger, queue }: LineParts, sessionId: string): void {
  queue.remove(sessionId);
  const session = ledger.session(sessionId);
  if (session?.status === 'queued') queue.add(jobOf(ledger, session));
}

interface Order {
  readonly orderKey: number;
  readonly orderSeq: number;
}

/**
 * What puts a job at a place in the line, 1 being next: between its neighbours there. Those whose time has not come are none; urgent jobs stand
 * in front, among themselves.
 */
function orderAt(place: number, { waiting, now }: Line, own: Order, isUrgent: boolean): Order {
  const inLine = waiting.filter((job) => mayStartBy(job, now));
  const peers = inLine.filter(({ priority }) => (priority === 'urgent') === isUrgent);
  const at = isUrgent ? place : Math.max(1, place - (inLine.length - peers.length));
  const before = peers[Math.min(at - 1, peers.length) - 1];
  const behind = peers[at - 1];
  if (!before) return behind ? { orderKey: behind.key - 1, orderSeq: own.orderSeq } : own;
  if (!behind) return { orderKey: before.key + 1, orderSeq: own.orderSeq };
  const orderKey = (before.key + behind.key) / 2;
  if (orderKey > before.key && orderKey < behind.key) return { orderKey, orderSeq: own.orderSeq };
  return { orderKey: before.key, orderSeq: before.key === behind.key ? (before.seq + behind.seq) / 2 : before.seq + 0.5 };
}
