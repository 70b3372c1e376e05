// The session that a caller named; where there is none, what was probably meant.
import { fail, nearest } from './errors.ts';
import type { Ledger } from './ledger.ts';
import type { Session } from './session.ts';

/** Ids differ in a few random letters: one that is farther away is most likely of another session, not mistyped. */
const MOST_EDITS = 2;

/**
 * The session with this id. Fails with SESSION_NOT_FOUND, which names no session but one of `known`: those that the caller may see, all where it is
 * left out.
 */
export function namedSession(
  ledger: Pick<Ledger, 'session' | 'sessions'>,
  sessionId: string,
  known: () => Iterable<Session> = () => ledger.sessions(),
): Session {
  return ledger.session(sessionId) ?? fail('SESSION_NOT_FOUND', missingText(sessionId, [...known()]));
}

function missingText(given: string, known: readonly Session[]): string {
  const is = (id: string | undefined) => known.find((session) => session.id === id)?.id;
  const addressed = is(/^session:\/\/([^/]+)/.exec(given)?.[1]);
  if (addressed) return `"${given}" is the address of a session, not its id. Did you mean "${addressed}"?`;
  const asking = is(/^(.+)\.\d+$/.exec(given)?.[1]);
  if (asking) return `"${given}" is the id of a request, not of a session. Did you mean "${asking}", which asks it?`;
  const onTask = known.filter(({ taskId }) => taskId === given).toSorted((a, b) => b.createdSeq - a.createdSeq)[0];
  if (onTask) return `"${given}" is the id of a task, not of a session. Did you mean "${onTask.id}", the newest one on it?`;
  const near = nearest(
    given,
    known.map(({ id }) => id),
    MOST_EDITS,
  );
  return `There is no session "${given}".${near ? ` Did you mean "${near}"?` : ''}`;
}
