// Makes one git worktree: from the branch that is asked for, from one of that name on a remote, or on a new branch from the workspace's commit.
import { readdir, rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { fail } from '../core/errors.ts';
import type { Worktree } from '../core/git-ports.ts';
import { complaintOf, type GitAnswer, type GitCall, type RunGit } from './git.ts';
import { commitOf, refsBelow, tipOf, type WorktreeRecord } from './git-repository.ts';
import { errnoOf } from './process.ts';

/** A checkout of a large repository, with what its hook does. */
const ADD_MS = 10 * 60_000;
/** Before each further try, while another process holds a lock of the repository, or is in the middle of making a worktree, which git then finds half there. */
const PAUSES_MS = [50, 100, 200, 400, 800];
const BUSY =
  /(?:\.lock'|could not lock config file .*): File exists|failed to read .*[\\/]worktrees[\\/].*[\\/](?:commondir|gitdir|HEAD)\b/;

export interface Making {
  readonly workspace: string;
  readonly folder: string;
  readonly branch: string;
  /** True: a branch that is not here may be taken from a remote. */
  readonly isAsked: boolean;
  /** True: it was there before, so a branch that is gone is not made anew. */
  readonly isKnown: boolean;
  readonly records: readonly WorktreeRecord[];
  readonly call: Pick<GitCall, 'signal' | 'env'>;
}

/** Makes the worktree in a folder that is empty or not there. What was begun is taken away when it fails. */
export async function makeWorktree(git: RunGit, making: Making): Promise<Worktree & { readonly isNewBranch: boolean }> {
  const { workspace, folder, branch, call } = making;
  await refuseStranger(folder);
  const { words, base, isNewBranch } = await startOf(git, making);
  for (const pauseMs of [...PAUSES_MS, undefined]) {
    const answer = await git(workspace, ['worktree', 'add', ...words], { ...call, limitMs: ADD_MS, hooks: 'run' });
    if (answer.code === 0) return { path: folder, branch, base, isNewBranch };
    await discard(git, workspace, folder);
    if (isNewBranch && (await tipOf(git, workspace, branch)) === base)
      await changing(git, workspace, ['branch', '-D', '--', branch]);
    if (call.signal?.aborted) fail('CANCELLED', 'The session was stopped while its worktree was made.');
    if (pauseMs === undefined || !BUSY.test(answer.err))
      fail('WORKTREE_FAILED', `Git could not make the worktree: ${complaintOf(answer)}.`, { stderr: answer.err.slice(0, 2000) });
    await pause(pauseMs);
  }
  return fail('INTERNAL', 'The tries to make a worktree never end without an answer.');
}

/** Runs a git command that changes the repository; tries again while somebody else holds a lock. */
export async function changing(git: RunGit, workspace: string, args: readonly string[], call?: GitCall): Promise<GitAnswer> {
  for (const pauseMs of PAUSES_MS) {
    const answer = await git(workspace, args, call);
    if (answer.code === 0 || !BUSY.test(answer.err)) return answer;
    await pause(pauseMs);
  }
  return git(workspace, args, call);
}

/** Takes away a worktree in which nobody has worked yet, whole or half made. */
export async function discard(git: RunGit, workspace: string, folder: string): Promise<void> {
  // twice: git locks what it is just making
  const remove = () => changing(git, workspace, ['worktree', 'remove', '--force', '--force', '--', folder]);
  if ((await remove()).code === 0) return;
  await rm(folder, { recursive: true, force: true });
  await remove();
}

/** Commit from which the branch came, as far as that can be told: where it left the workspace's own, else its end. */
export async function baseOf(git: RunGit, workspace: string, branch: string): Promise<string> {
  const fork = await git(workspace, ['merge-base', 'HEAD', `refs/heads/${branch}`]);
  return fork.code === 0 ? fork.out.toString().trim() : ((await tipOf(git, workspace, branch)) ?? '');
}

async function startOf(
  git: RunGit,
  { workspace, folder, branch, isAsked, isKnown, records }: Making,
): Promise<{ readonly words: readonly string[]; readonly base: string; readonly isNewBranch: boolean }> {
  const elsewhere = records.find((record) => record.branch === branch && record.path !== folder);
  if (elsewhere) refuseTaken(branch, elsewhere);
  if (await tipOf(git, workspace, branch))
    return { words: ['--', folder, branch], base: await baseOf(git, workspace, branch), isNewBranch: false };
  if (isKnown)
    fail('WORKTREE_GONE', `The branch "${branch}" is not there any more, and so the worktree ${folder} cannot be made again.`);
  const remotes = isAsked ? await refsBelow(git, workspace, `refs/remotes/*/${branch}`) : [];
  const [remote] = remotes;
  if (remotes.length > 1)
    fail('WORKTREE_FAILED', `The branch "${branch}" is not here, and on several remotes: ${remotes.map(shortOf).join(', ')}.`);
  const base = await headOf(git, workspace, remote);
  const words = [...(remote === undefined ? ['--no-track'] : ['--track']), '-b', branch, '--', folder, remote ?? base];
  return { words, base, isNewBranch: true };
}

/** The commit to work from: that of the workspace, or of a branch. Fails with WORKTREE_FAILED. */
export async function headOf(git: RunGit, workspace: string, from = 'HEAD'): Promise<string> {
  const found = await commitOf(git, workspace, from);
  return found ?? fail('WORKTREE_FAILED', `The repository of ${workspace} has no commit yet to work from.`);
}

/** Fails with WORKTREE_FAILED. */
export function refuseTaken(branch: string, { path }: WorktreeRecord): never {
  fail('WORKTREE_FAILED', `The branch "${branch}" is checked out in ${path}.`);
}

async function refuseStranger(folder: string): Promise<void> {
  const entries = await readdir(folder).catch((error: unknown) => (errnoOf(error) === 'ENOENT' ? [] : ['']));
  if (entries.length > 0)
    fail('WORKTREE_FAILED', `${folder} is there already and is no worktree of this repository; move it away or remove it.`);
}

function shortOf(ref: string): string {
  return ref.replace(/^refs\/remotes\//, '');
}
