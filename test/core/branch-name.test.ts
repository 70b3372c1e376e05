// Names of branches are told from other texts as git tells them, and refused before anything is begun.
import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { isBranchName } from '../../core/branch-name.ts';
import { createGit } from '../../runners/git.ts';
import { checkBranchName } from '../../runners/git-repository.ts';
import { caller, makeEngine } from '../support/engine.ts';

const NAMES = [
  ...['main', 'fix/login', 'a.b', 'a-b', '\u00fcber', 'feature/@', 'a@b', 'a{b', 'lock', 'a.locked', "it's"],
  ...['bad branch name', '', '@', 'HEAD', '-x', 'a..b', 'a.', '.a', 'a/.b', 'a.lock', 'a.lock/b', '/a', 'a/', 'a//b'],
  ...['@{-1}', 'a@{b', 'a~b', 'a^b', 'a:b', 'a?b', 'a*b', 'a[b', 'a\\b', 'a\tb', 'a\nb', 'a\u007fb'],
];

it.each(NAMES)('%j is a name of a branch where git says so', async (name) => {
  const git = createGit({ PATH: process.env.PATH ?? '' });
  const isTaken = await checkBranchName(git, tmpdir(), name).then(
    () => true,
    () => false,
  );
  expect(isBranchName(name)).toBe(isTaken);
});

it('a start with another one is refused, and nothing is queued', async () => {
  const engine = await makeEngine();
  const start = (worktree: string) => engine.orchestrator.start({ taskId: 'fix-login', queue: true, worktree }, caller);
  await expect(start('bad branch name')).rejects.toMatchObject({
    code: 'INVALID_INPUT',
    message: expect.stringContaining('"bad branch name" is no name for a branch'),
  });
  expect(engine.events).toEqual([]);
  expect((await start('fix/login')).session.wantsWorktree).toBe('fix/login');
});
