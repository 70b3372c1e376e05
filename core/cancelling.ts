// Cancelling a session with all that came of it: descendants first, and last what it started in the moment before. The same call, sent again to the hub
// that comes after a killed one, goes on with that, and leaves alone what somebody has gone on with since.
import { descendantsOf } from './delegation.ts';
import { fail } from './errors.ts';
import { cancelledBy, type LineParts, recordCancelled, type Why } from './line-deeds.ts';
import { namedSession } from './named-session.ts';
import { type CallKey, createOnce, type Keyed } from './once.ts';
import { isSettled, type Session } from './session.ts';
import type { Supervisor } from './supervisor.ts';

export interface CancelParts extends LineParts {
  readonly supervisor: Supervisor;
}

export interface CancelRequest extends Why, Keyed {
  /** False: what came of it goes on. */
  readonly children?: boolean | undefined;
  /** True: it has done its work, and ends as completed. Only of an interactive session at its prompt: of no other can that be told. */
  readonly done?: boolean | undefined;
}

/** Makes the deed `cancel`. */
export function createCancel(parts: CancelParts): (sessionId: string, request: CancelRequest) => Promise<Session> {
  const { ledger, queue, supervisor } = parts;
  const once = createOnce(parts);
  const get = (sessionId: string) => namedSession(ledger, sessionId);
  const endAsDone = async (session: Session, { by, reason }: Why, call?: CallKey) => {
    if (isSettled(session)) return;
    if (session.waitsFor !== 'prompt')
      fail(
        'INVALID_INPUT',
        `Session ${session.id} does not stand at its prompt (it is ${session.status}), so nobody can tell that it is done; leave done out to cancel it.`,
      );
    await supervisor.stop(session.id, { kind: 'done', by, ...(reason !== undefined && { reason }) }, call);
  };
  const cancelOne = async (sessionId: string, why: Why, call?: CallKey) => {
    if (get(sessionId).status === 'queued' && queue.remove(sessionId)) await recordCancelled(parts, sessionId, why, call);
    else await supervisor.stop(sessionId, cancelledBy(why.by, why.reason), call);
  };

  return (sessionId, { by, reason, children = true, done, requestKey }) =>
    once(requestKey, { deed: 'cancel', sessionId, reason, children, ...(done && { done }) }, async (call, used) => {
      const isMeant = ({ queuedSeq }: Session) => queuedSeq < (used?.seq ?? Number.POSITIVE_INFINITY);
      const below = () => (children ? descendantsOf(ledger, sessionId).filter(isMeant) : []);
      const session = get(sessionId);
      if (done) {
        if (!used) await endAsDone(session, { by, reason }, call);
        return get(sessionId);
      }
      for (const { id } of below().toReversed()) await cancelOne(id, { by, reason });
      if (isMeant(session)) await cancelOne(sessionId, { by, reason }, call);
      for (const { id } of below()) await cancelOne(id, { by, reason });
      return get(sessionId);
    });
}
