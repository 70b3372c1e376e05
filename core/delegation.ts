// What a session may start: how deep, how many, and on which tasks.
import type { Config } from './config.ts';
import { fail } from './errors.ts';
import type { Ledger } from './ledger.ts';
import { isSettled, type Session } from './session.ts';

/** The session's ancestors, its parent first. */
export function ancestorsOf(ledger: Ledger, session: { readonly parentId?: string | undefined }): Session[] {
  const ancestors: Session[] = [];
  const seen = new Set<string>();
  for (let id = session.parentId; id !== undefined && !seen.has(id); ) {
    seen.add(id);
    const parent = ledger.session(id);
    if (!parent) break;
    ancestors.push(parent);
    id = parent.parentId;
  }
  return ancestors;
}

/** True for a session itself, and for all that came of it. */
export function isInTree(ledger: Ledger, session: Session, root: string): boolean {
  return session.id === root || ancestorsOf(ledger, session).some(({ id }) => id === root);
}

/** All sessions that came of this one, children before grandchildren. */
export function descendantsOf(ledger: Ledger, sessionId: string): Session[] {
  const found = new Set<Session>();
  for (let level = ledger.childrenOf(sessionId); level.length > 0; level = level.flatMap(({ id }) => ledger.childrenOf(id)))
    for (const session of level) found.add(session);
  return [...found];
}

export interface DelegatedStart {
  readonly parent: Session;
  /** Undefined for a prompt that comes alone. */
  readonly taskId?: string | undefined;
}

/** Fails with DEPTH_EXCEEDED or TASK_BUSY when the parent may not start this. */
export function checkDelegation(ledger: Ledger, { parent, taskId }: DelegatedStart, limits: Config['delegation']): void {
  const line = [parent, ...ancestorsOf(ledger, parent)];
  const root = line.at(-1) ?? parent;
  if (line.length > limits.maxDepth)
    fail('DEPTH_EXCEEDED', `Session ${parent.id} is ${line.length - 1} levels deep; sessions may be ${limits.maxDepth} deep.`);
  const children = ledger.childrenOf(parent.id).filter((session) => !isSettled(session)).length;
  if (children >= limits.maxChildren)
    fail(
      'DEPTH_EXCEEDED',
      `Session ${parent.id} has ${children} sessions that have not settled; ${limits.maxChildren} are allowed.`,
    );
  const tree = descendantsOf(ledger, root.id).length;
  if (tree >= limits.maxPerRoot)
    fail('DEPTH_EXCEEDED', `${tree} sessions came of ${root.id} already; ${limits.maxPerRoot} are allowed.`);
  // waiting for a task that somebody works on could be waiting in a circle
  const holder = [...ledger.sessions()].find((session) => session.taskId === taskId && !isSettled(session));
  if (holder) fail('TASK_BUSY', `Session ${holder.id} is ${holder.status} on task "${taskId}".`);
}
