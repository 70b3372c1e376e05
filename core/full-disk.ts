// What becomes of a fact that a full disk does not take. New work is refused, already while the room is too little. What has happened in the world
// (a run began, ended, was lost) cannot be refused: it is recorded again until it can be written, and the session stays as it was until then.
// All else, such as a cancel, is tried once more when the reserve was given up.
import type { EventName } from './events.ts';

const NEW_WORK: readonly EventName[] = ['session.queued', 'session.starting', 'session.prompted', 'session.reopened'];
const HAPPENED: readonly EventName[] = [
  'session.started',
  'session.resumed',
  'session.received',
  'session.undelivered',
  'session.requeued',
  'session.completed',
  'session.failed',
  'session.cancelled',
  'session.lost',
];

/** True for what is refused where there is too little room. */
export function isNewWork(name: EventName): boolean {
  return NEW_WORK.includes(name);
}

/** How often the recording of it is tried. */
export function mostTries(name: EventName): number {
  if (isNewWork(name)) return 1;
  return HAPPENED.includes(name) ? Number.POSITIVE_INFINITY : 2;
}
