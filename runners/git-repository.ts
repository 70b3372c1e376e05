// The repository a workspace lies in, as far as worktrees need it: whether it can have any, which there are, and which branches.
import path from 'node:path';
import { fail } from '../core/errors.ts';
import { complaintOf, type GitAnswer, type RunGit } from './git.ts';

export interface Repository {
  /** Where the workspace lies in a checkout: empty, or a path that ends in a slash. */
  readonly prefix: string;
}

/** One worktree as git has it on record, the main one too. */
export interface WorktreeRecord {
  readonly path: string;
  /** Undefined where no branch is checked out. */
  readonly branch: string | undefined;
  /** A killed git left it half made. */
  readonly isUnfinished: boolean;
}

/** The repository of the workspace. Fails with WORKTREE_FAILED where there is none that can have worktrees. */
export async function repositoryOf(git: RunGit, workspace: string): Promise<Repository> {
  const answer = await git(workspace, ['rev-parse', '--is-bare-repository', '--is-inside-work-tree', '--show-prefix']);
  if (answer.code !== 0) {
    const isNone = typeof answer.code === 'number' && answer.err.includes('not a git repository');
    fail(
      'WORKTREE_FAILED',
      isNone ? `The workspace ${workspace} is no git repository.` : `The workspace: ${complaintOf(answer)}.`,
    );
  }
  const [isBare, isInside, prefix = ''] = answer.out.toString().split('\n');
  if (isBare === 'true')
    fail('WORKTREE_FAILED', `The workspace ${workspace} is a bare git repository, without files to work on.`);
  if (isInside !== 'true') fail('WORKTREE_FAILED', `The workspace ${workspace} lies inside the .git folder of a repository.`);
  return { prefix };
}

/** All worktrees of the repository. */
export async function worktreeRecords(git: RunGit, workspace: string): Promise<readonly WorktreeRecord[]> {
  const text = await output(git, workspace, ['worktree', 'list', '--porcelain']);
  return text.split('\n\n').flatMap((record) => {
    const place = /^worktree (.+)$/m.exec(record)?.[1];
    const branch = /^branch refs\/heads\/(.+)$/m.exec(record)?.[1];
    return place === undefined
      ? []
      : [{ path: path.resolve(place), branch, isUnfinished: /^locked initializing$/m.test(record) }];
  });
}

/** The commit a word stands for, or undefined. */
export async function commitOf(git: RunGit, folder: string, word: string): Promise<string | undefined> {
  const answer = await git(folder, ['rev-parse', '--verify', '--quiet', `${word}^{commit}`]);
  return answer.code === 0 ? answer.out.toString().trim() : undefined;
}

/** The commit at the end of a branch of this repository, or undefined when there is no such branch. */
export function tipOf(git: RunGit, workspace: string, branch: string): Promise<string | undefined> {
  return commitOf(git, workspace, `refs/heads/${branch}`);
}

/** Names of branches below a prefix such as `refs/heads/scopecraft/`, or of remote branches. */
export async function refsBelow(git: RunGit, workspace: string, prefix: string): Promise<readonly string[]> {
  const text = await output(git, workspace, ['for-each-ref', '--format=%(refname)', '--', prefix]);
  return text.split('\n').filter((line) => line !== '');
}

/** Fails with WORKTREE_FAILED when git would not have the name for a branch. */
export async function checkBranchName(git: RunGit, workspace: string, branch: string): Promise<void> {
  const answer = await git(workspace, ['check-ref-format', '--branch', branch]);
  // it answers another name where it understood a shorthand such as @{-1}
  if (answer.code !== 0 || answer.out.toString() !== `${branch}\n`)
    fail('WORKTREE_FAILED', answer.code === 'missing' ? `${complaintOf(answer)}.` : `"${branch}" is no name for a branch.`);
}

/** Git's answer as text. Fails with WORKTREE_FAILED. */
async function output(git: RunGit, folder: string, args: readonly string[]): Promise<string> {
  return accepted(await git(folder, args), `git ${args[0]}`).out.toString();
}

/** The answer, when it is good. Fails with WORKTREE_FAILED, saying what was tried. */
function accepted(answer: GitAnswer, tried: string): GitAnswer {
  return answer.code === 0
    ? answer
    : fail('WORKTREE_FAILED', `${tried} failed: ${complaintOf(answer)}.`, { stderr: answer.err.slice(0, 2000) });
}
