// What the core needs of git: worktrees for sessions, and what a session changed in its folder. Implementations live in runners/.

/** A folder of its own for a session: a git worktree on a branch. */
export interface Worktree {
  /** Absolute. */
  readonly path: string;
  readonly branch: string;
  /** Commit from which the branch was made. */
  readonly base: string;
}

/** A worktree as it is found, also that of a session that is gone. */
export interface FoundWorktree extends Worktree {
  readonly sessionId: string;
  /** False when only its branch is left. */
  readonly isThere: boolean;
}

/** Git worktrees of sessions. */
export interface Worktrees {
  /** Fails with WORKTREE_FAILED where it can be told now that none can be made, on this branch or on one of its own. */
  expectPossible(branch?: string | undefined): Promise<void>;
  /**
   * Makes the worktree, or makes it again at the same path when its folder is gone and its branch is not. Set-up commands and copied files come
   * from the settings; they are done once for each worktree, and broken off by the signal. Fails with WORKTREE_GONE, WORKTREE_FAILED, CANCELLED.
   */
  open(want: {
    readonly sessionId: string;
    readonly branch?: string | undefined;
    readonly known?: Worktree | undefined;
    readonly signal?: AbortSignal | undefined;
  }): Promise<Worktree>;
  /** The folder in the worktree that stands for this one of the workspace; it is made where it is missing. Fails with WORKTREE_FAILED. */
  folder(worktree: Worktree, folder: string): Promise<string>;
  /** Those of this workspace that are there, in order of session id; none where there is no repository. Fails with WORKTREE_FAILED. */
  list(): Promise<readonly FoundWorktree[]>;
  /** What would be lost with it, in words: uncommitted work, and commits of a branch of ours that are on no other; undefined when nothing would. */
  unsaved(worktree: Worktree): Promise<string | undefined>;
  /**
   * Removes it, with its branch when that is ours and nothing would be lost, unless the branch is to be kept; a reason in words when it stays,
   * because of what is unsaved, unless forced, or because git refuses. What is committed to a branch is never removed, forced or not.
   */
  remove(
    worktree: Worktree,
    options: { readonly force: boolean; readonly keepBranch?: boolean | undefined },
  ): Promise<string | undefined>;
}

/** What a session changed in its folder. */
export interface Changes {
  /** Paths relative to the folder, at most 100. */
  readonly files: readonly string[];
  readonly fileCount: number;
  readonly insertions: number;
  readonly deletions: number;
  /** Newest first, at most 20. */
  readonly commits: readonly { readonly id: string; readonly subject: string }[];
  readonly commitCount: number;
}

/** What git says about folders. */
export interface Git {
  /** How the folder stands, in a word that only `since` reads; undefined where it is no git checkout. */
  mark(folder: string): Promise<string | undefined>;
  /** What has changed since in the whole checkout, committed or not, without these files (absolute paths); undefined where that cannot be told. */
  since(folder: string, mark: string, leaveOut?: readonly string[]): Promise<Changes | undefined>;
}
