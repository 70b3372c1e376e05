// How a session moves between its states: the one table.
import { fail } from './errors.ts';
import type { SessionEventName, StoredEvent } from './events.ts';
import { type Session, type SessionStatus, STATUSES } from './session.ts';

interface Move {
  readonly from: readonly SessionStatus[];
  /** Undefined: it stays as it is. */
  readonly to: SessionStatus | undefined;
}

/** From where each event may be taken, and where it leads. */
const MOVES = {
  'session.requeued': { from: ['starting', 'running', 'waiting'], to: 'queued' },
  'queue.moved': { from: ['queued'], to: undefined },
  // from starting: a run that was fenced before it began is tried again as the next one
  'session.starting': { from: ['queued', 'starting'], to: 'starting' },
  // it may have asked something, and have been answered or stopped, before its start was seen
  'session.started': { from: ['starting', 'running', 'waiting', 'stopping'], to: 'running' },
  // from lost: in journals of hubs that looked for lost runs again
  'session.resumed': { from: ['waiting', 'lost'], to: 'running' },
  // what it works in, and what it works on, is made ready
  'session.prepared': { from: ['starting', 'stopping'], to: undefined },
  'session.prompted': { from: ['queued', 'starting', 'running', 'waiting', 'stopping'], to: undefined },
  'session.received': { from: STATUSES, to: undefined },
  'session.undelivered': { from: STATUSES, to: undefined },
  'session.reopened': { from: ['completed', 'failed', 'cancelled', 'lost'], to: 'queued' },
  'session.waiting': { from: ['starting', 'running', 'waiting'], to: 'waiting' },
  // runs on when that was the last open one
  'session.answered': { from: STATUSES, to: undefined },
  'session.pinned': { from: STATUSES, to: undefined },
  'session.shared': { from: STATUSES, to: undefined },
  'session.unshared': { from: STATUSES, to: undefined },
  'session.stopping': { from: ['starting', 'running', 'waiting'], to: 'stopping' },
  // from stopping: ended as done
  'session.completed': { from: ['starting', 'running', 'waiting', 'stopping'], to: 'completed' },
  'session.failed': { from: ['queued', 'starting', 'running', 'waiting', 'stopping'], to: 'failed' },
  // from active ones: where the disk was too full to record that it was being stopped
  'session.cancelled': { from: ['queued', 'starting', 'running', 'waiting', 'stopping'], to: 'cancelled' },
  'session.lost': { from: ['starting', 'running', 'waiting', 'stopping'], to: 'lost' },
} as const satisfies Record<Exclude<SessionEventName, 'session.queued'>, Move>;

/** Where an event leads this session. Fails with INTERNAL on a move the table does not have. */
export function statusAfter({ id, status }: Session, name: StoredEvent['name']): SessionStatus {
  const moves: Partial<Record<string, Move>> = MOVES;
  const move = moves[name];
  if (!move?.from.includes(status)) fail('INTERNAL', `Session ${id} is ${status}; ${name} cannot follow.`);
  return move.to ?? status;
}
