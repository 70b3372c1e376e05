// What can be done with worktrees by call, and what becomes of them when their sessions are cleaned up.
import { fail } from './errors.ts';
import type { FoundWorktree, Worktrees } from './git-ports.ts';
import type { Ledger } from './ledger.ts';
import { isSettled } from './session.ts';

export interface WorktreeDeeds {
  /** All that are there, also of sessions that are gone, in order of session id. Fails with WORKTREE_FAILED. */
  list(): Promise<readonly FoundWorktree[]>;
  /** Why it would stay, in words, unless its removal is forced; undefined when nothing holds it. */
  holds(worktree: FoundWorktree): Promise<string | undefined>;
  /** Removes the worktree of a session. While the session is there its branch is kept, so that it can go on. Fails with SESSION_NOT_FOUND, WORKTREE_FAILED. */
  remove(sessionId: string, options: { readonly force: boolean }): Promise<WorktreeRemoval>;
}

export interface WorktreeRemoval {
  readonly isRemoved: boolean;
  /** Why it stays. */
  readonly reason?: string | undefined;
  readonly path?: string | undefined;
  /** The branch, where it stays. */
  readonly branch?: string | undefined;
}

/** The deeds; without worktrees there are none to be found. */
export function worktreeDeeds(ledger: Ledger, worktrees: Worktrees | undefined): WorktreeDeeds {
  const list = async () => (await worktrees?.list()) ?? [];
  const unsettled = (sessionId: string) => {
    const session = ledger.session(sessionId);
    return session && !isSettled(session)
      ? `session ${sessionId} is ${session.status}; cancel it or wait until it has settled.`
      : undefined;
  };
  return {
    list,
    holds: async (worktree) => unsettled(worktree.sessionId) ?? (await worktrees?.unsaved(worktree)),
    async remove(sessionId, { force }) {
      const found = (await list()).find((worktree) => worktree.sessionId === sessionId);
      const session = ledger.session(sessionId);
      if (!found || !worktrees) {
        if (!session) fail('SESSION_NOT_FOUND', `There is no session "${sessionId}", and no worktree of that name.`);
        // it may have been this very call that removed it, and a hub that was killed under it
        if (worktrees && session.worktree) return { isRemoved: true, path: session.worktree.path };
        return { isRemoved: false, reason: `session ${sessionId} has no worktree.` };
      }
      const { path, branch } = found;
      const reason = unsettled(sessionId) ?? (await worktrees.remove(found, { force, keepBranch: session !== undefined }));
      if (reason !== undefined) return { isRemoved: false, reason, path, branch };
      const isKept = (await list()).some((other) => other.branch === branch);
      return { isRemoved: true, path, ...(isKept && { branch }) };
    },
  };
}

/** Removes the worktrees of sessions that are gone, as far as nothing is lost with them; the others stay for a person to look at. */
export async function removeWorktreesOf(worktrees: Worktrees, sessionIds: readonly string[]): Promise<void> {
  const gone = new Set(sessionIds);
  for (const worktree of await worktrees.list())
    if (gone.has(worktree.sessionId)) await worktrees.remove(worktree, { force: false });
}
