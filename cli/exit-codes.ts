// What the exit codes of `sc` say.
import { isSettled, type SessionStatus } from '../core/session.ts';

export const EXIT = { done: 0, failed: 1, fault: 70, later: 75, interrupted: 130 } as const;

/** All of them in a sentence. */
export const EXIT_CODES =
  'Exit codes: 0 done, 1 wrong call or a session that did not complete, 75 not settled yet or try again later, 70 fault of the server, 130 interrupted.';

/** Of a command that waited for sessions: 1 when one did not complete, 75 when the time was over first or one asks. */
export function exitCodeOf(sessions: readonly { readonly status: SessionStatus }[], timedOut: boolean): number {
  if (sessions.some((session) => isSettled(session) && session.status !== 'completed')) return EXIT.failed;
  return timedOut || sessions.some(({ status }) => status === 'waiting') ? EXIT.later : EXIT.done;
}
