// What would be lost with a worktree: what is not committed in it, and commits that are on no other branch.
import type { Worktree } from '../core/git-ports.ts';
import { complaintOf, type RunGit } from './git.ts';
import { commitOf, tipOf } from './git-repository.ts';
import { isAsCopied } from './worktree-copy.ts';
import { isCheckout, readNote } from './worktree-record.ts';

/** Branches with this prefix are ours: made for a session, and removed with it. */
export const OWN_PREFIX = 'scopecraft/';

/** In words what would be lost; undefined when nothing would. */
export async function unsavedWork(git: RunGit, workspace: string, worktree: Worktree): Promise<string | undefined> {
  const reasons: string[] = [];
  if (await isCheckout(worktree.path)) {
    const files = await uncommittedFiles(git, worktree.path);
    if (typeof files === 'string') return `git cannot tell what is in it: ${files}`;
    if (files > 0) reasons.push(`${counted(files, 'file')} not committed`);
    const loose = await commitsOnNoBranch(git, worktree.path);
    if (loose > 0) reasons.push(`${counted(loose, 'commit')} on no branch`);
  }
  const own = await ownCommits(git, workspace, worktree);
  if (own > 0) reasons.push(`${counted(own, 'commit')} on no branch but ${worktree.branch}`);
  return reasons.length === 0 ? undefined : reasons.join(' and ');
}

/** How many commits of a branch of ours are on no other branch, here or on a remote. Those of other branches are safe in them. */
export async function ownCommits(git: RunGit, workspace: string, { branch, base }: Omit<Worktree, 'path'>): Promise<number> {
  if (!branch.startsWith(OWN_PREFIX)) return 0;
  const tip = await tipOf(git, workspace, branch);
  if (tip === undefined) return 0;
  // the workspace may have stood on a commit of no branch when it was made: that one is not of its own
  const before = base === '' ? undefined : await commitOf(git, workspace, base);
  const others = [`--exclude=${branch}`, '--branches', '--remotes', ...(before === undefined ? [] : [before])];
  return counting(git, workspace, [tip, '--not', ...others]);
}

/** Copied files that are as they were are no work. */
async function uncommittedFiles(git: RunGit, folder: string): Promise<number | string> {
  const status = await git(folder, [
    'status',
    '--porcelain',
    '-z',
    '--no-renames',
    '--untracked-files=all',
    '--ignore-submodules=none',
  ]);
  if (status.code !== 0) return complaintOf(status);
  const { copied = {} } = (await readNote(folder)) ?? {};
  const lines = status.out
    .toString()
    .split('\0')
    .filter((line) => line !== '');
  const isWork = await Promise.all(
    lines.map(async (line) => !(line.startsWith('?? ') && (await isAsCopied(folder, line.slice(3), copied[line.slice(3)])))),
  );
  return isWork.filter(Boolean).length;
}

async function commitsOnNoBranch(git: RunGit, folder: string): Promise<number> {
  const attached = await git(folder, ['symbolic-ref', '--quiet', 'HEAD']);
  return attached.code === 0 ? 0 : counting(git, folder, ['HEAD', '--not', '--branches', '--remotes']);
}

/** How many commits; where git does not tell, one, so that nothing is lost by it. */
async function counting(git: RunGit, folder: string, range: readonly string[]): Promise<number> {
  const answer = await git(folder, ['rev-list', '--count', ...range, '--']);
  return answer.code === 0 ? Number(answer.out.toString()) : 1;
}

function counted(count: number, what: string): string {
  return count === 1 ? `1 ${what} is` : `${count} ${what}s are`;
}
