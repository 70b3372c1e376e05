// Worktrees of sessions, with a real git in real repositories: how they are made and found again, what they keep, what is never lost.
import { chmod, mkdir, readdir, rename, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Worktrees } from '../../core/git-ports.ts';
import { processesMarked } from '../support/processes.ts';
import { makeRepository, type TestRepository } from '../support/repository.ts';
import { eventually } from './rig.ts';
import { isThere, openWorktreeRig, textOf, type WorktreeRig } from './worktree-rig.ts';

let rig: WorktreeRig;
let repository: TestRepository;
let worktrees: Worktrees;

// each test starts git dozens of times, which takes long on a busy machine
vi.setConfig({ testTimeout: 120_000 });

beforeEach(async () => {
  rig = await openWorktreeRig();
  ({ repository, worktrees } = rig);
});
afterEach(() => rig.close());

describe('a new worktree', () => {
  it("lies at the session's path, on a branch of its name, at the workspace's commit, and unseen by the workspace's git", async () => {
    const worktree = await worktrees.open({ sessionId: 'fix-1' });
    expect(worktree).toEqual({ path: rig.folderOf('fix-1'), branch: 'scopecraft/fix-1', base: await rig.head() });
    expect(await textOf(worktree.path, 'start.txt')).toBe('one\ntwo\nthree\n');
    expect(await repository.gitIn(worktree.path, 'branch', '--show-current')).toBe('scopecraft/fix-1');
    expect(await repository.git('status', '--porcelain', '--untracked-files=all')).toBe('');
  });

  it('holds what is committed in the workspace, not what lies there', async () => {
    await repository.write('start.txt', 'mine\n');
    await repository.write('loose.txt', 'mine\n');
    const { path: folder } = await worktrees.open({ sessionId: 'a' });
    expect(await textOf(folder, 'start.txt')).toBe('one\ntwo\nthree\n');
    expect(await isThere(path.join(folder, 'loose.txt'))).toBe(false);
  });

  it('is on the branch that is asked for: one that is there, one of a remote, or a new one', async () => {
    await repository.git('branch', 'topic');
    const old = await rig.head();
    await repository.commit('later.txt', 'x\n');
    expect(await worktrees.open({ sessionId: 'a', branch: 'topic' })).toEqual({
      path: rig.folderOf('a'),
      branch: 'topic',
      base: old,
    });
    expect(await rig.head(rig.folderOf('a'))).toBe(old);

    const remote = path.join(repository.root, 'remote.git');
    await repository.git('clone', '--quiet', '--bare', repository.path, remote);
    await repository.gitIn(remote, 'branch', 'away', old);
    await repository.git('remote', 'add', 'origin', remote);
    await repository.git('fetch', '--quiet', 'origin');
    expect((await worktrees.open({ sessionId: 'b', branch: 'away' })).base).toBe(old);
    expect(await repository.gitIn(rig.folderOf('b'), 'rev-parse', '--abbrev-ref', 'away@{upstream}')).toBe('origin/away');

    expect((await worktrees.open({ sessionId: 'c', branch: 'feature/new' })).base).toBe(await rig.head());
    expect(await rig.branches()).toEqual(['away', 'feature/new', 'main', 'topic']);
  });

  it('is made with a name that is also that of a tag or of a file', async () => {
    await repository.git('tag', 'start.txt');
    await repository.commit('later.txt', 'x\n');
    await repository.git('branch', 'start.txt');
    await worktrees.open({ sessionId: 'a', branch: 'start.txt' });
    expect(await repository.gitIn(rig.folderOf('a'), 'symbolic-ref', 'HEAD')).toBe('refs/heads/start.txt');
    expect(await rig.head(rig.folderOf('a'))).toBe(await rig.head());
  });

  it("runs the user's post-checkout hook, and says why when that refuses", async () => {
    const hook = path.join(repository.path, '.git', 'hooks', 'post-checkout');
    await repository.write(hook, '#!/bin/sh\necho "$OF_SESSION$GIT_TERMINAL_PROMPT" > hooked.txt\n');
    await chmod(hook, 0o755);
    await worktrees.open({ sessionId: 'a' });
    expect(await textOf(rig.folderOf('a'), 'hooked.txt')).toBe('0\n');
    await repository.write(hook, '#!/bin/sh\necho "no space for it" >&2\nexit 3\n');
    await expect(worktrees.open({ sessionId: 'b' })).rejects.toMatchObject({
      code: 'WORKTREE_FAILED',
      message: 'Git could not make the worktree: git ended with code 3, as it does when a hook of the repository refuses.',
      details: { stderr: expect.stringContaining('no space for it') },
    });
    expect([await isThere(rig.folderOf('b')), await rig.branches(), await rig.recorded()]).toEqual([
      false,
      ['main', 'scopecraft/a'],
      [rig.folderOf('a')],
    ]);
  });

  it('is made in this repository whatever GIT_DIR says where the server was started', async () => {
    const misled = rig.worktreesOf(repository.path, {
      ...repository.env,
      GIT_DIR: '/nowhere',
      GIT_WORK_TREE: '/',
      GIT_INDEX_FILE: '/nowhere',
    });
    await misled.open({ sessionId: 'a' });
    expect(await rig.recorded()).toEqual([rig.folderOf('a')]);
  });
});

describe('a workspace', () => {
  it('may be a part of its repository: the worktree holds all of it, and the folder in it that stands for the workspace is known', async () => {
    await repository.commit('packages/app/src/main.ts', 'x\n');
    const workspace = path.join(repository.path, 'packages', 'app');
    await repository.write('packages/app/.env', 'KEY=1\n');
    rig.settings = { ...rig.settings, copy: ['.env'], setup: [['sh', '-c', 'pwd > where.txt']] };
    const inside = rig.worktreesOf(workspace);
    const worktree = await inside.open({ sessionId: 'a' });
    expect(worktree.path).toBe(path.join(workspace, '.scopecraft', 'worktrees', 'a'));
    expect(await textOf(worktree.path, 'start.txt')).toContain('one');
    const app = path.join(worktree.path, 'packages', 'app');
    expect(await inside.folder(worktree, workspace)).toBe(app);
    expect(await inside.folder(worktree, path.join(workspace, 'src'))).toBe(path.join(app, 'src'));
    expect(await inside.folder(worktree, path.join(workspace, 'not', 'committed'))).toBe(path.join(app, 'not', 'committed'));
    await expect(inside.folder(worktree, repository.path)).rejects.toMatchObject({ code: 'WORKTREE_FAILED' });
    expect([await textOf(app, '.env'), await textOf(app, 'where.txt')]).toEqual(['KEY=1\n', `${app}\n`]);
    expect((await inside.list()).map(({ sessionId }) => sessionId)).toEqual(['a']);
    await rm(path.join(app, 'where.txt'));
    expect(await inside.remove(worktree, { force: false })).toBeUndefined();
  });

  it('may be a linked worktree itself, also of a bare repository: its own commit is the base', async () => {
    const bare = path.join(repository.root, 'bare.git');
    await repository.git('clone', '--quiet', '--bare', repository.path, bare);
    const linked = path.join(repository.root, 'linked');
    await repository.gitIn(bare, 'worktree', 'add', '--quiet', '-b', 'side', linked);
    await repository.commit('side.txt', 'x\n', linked);
    const worktree = await rig.worktreesOf(linked).open({ sessionId: 'a' });
    expect(worktree).toEqual({
      path: path.join(linked, '.scopecraft', 'worktrees', 'a'),
      branch: 'scopecraft/a',
      base: await rig.head(linked),
    });
    expect(await isThere(path.join(worktree.path, 'side.txt'))).toBe(true);
    await expect(rig.worktreesOf(bare).open({ sessionId: 'b' })).rejects.toMatchObject({
      code: 'WORKTREE_FAILED',
      message: expect.stringContaining('bare'),
    });
  });

  it('may stand on no branch, and what was made there holds nothing of its own', async () => {
    await repository.git('checkout', '--quiet', '--detach');
    await repository.commit('loose.txt', 'x\n');
    const worktree = await worktrees.open({ sessionId: 'a' });
    expect(worktree.base).toBe(await rig.head());
    expect(await worktrees.remove(worktree, { force: false })).toBeUndefined();
    expect(await rig.branches()).toEqual(['main']);
  });

  it('has none where it is no repository, has no commit, or where there is no git, and says so', async () => {
    const outside = path.join(repository.root, 'outside');
    await mkdir(outside);
    const empty = await makeRepository({ isEmpty: true });
    try {
      const all = [rig.worktreesOf(outside), rig.worktreesOf(empty.path), rig.worktreesOf(repository.path, { PATH: '/nowhere' })];
      for (const tried of [(some: Worktrees) => some.open({ sessionId: 'a' }), (some: Worktrees) => some.expectPossible()])
        expect(await Promise.all(all.map((some) => tried(some).catch((error: unknown) => error)))).toMatchObject([
          { code: 'WORKTREE_FAILED', message: `The workspace ${outside} is no git repository.` },
          { code: 'WORKTREE_FAILED', message: `The repository of ${empty.path} has no commit yet to work from.` },
          { code: 'WORKTREE_FAILED', message: 'The workspace: git is not installed or not on PATH.' },
        ]);
      expect(await rig.worktreesOf(outside).list()).toEqual([]);
      expect(await readdir(outside)).toEqual([]);
    } finally {
      await empty.close();
    }
  });

  it('whose folder of worktrees is a link to somewhere else gets none', async () => {
    await mkdir(path.join(repository.path, '.scopecraft'));
    await mkdir(path.join(repository.root, 'elsewhere'));
    await symlink(path.join(repository.root, 'elsewhere'), path.join(repository.path, '.scopecraft', 'worktrees'));
    await expect(worktrees.open({ sessionId: 'a' })).rejects.toMatchObject({
      code: 'WORKTREE_FAILED',
      message: expect.stringContaining('is a link'),
    });
    expect(await readdir(path.join(repository.root, 'elsewhere'))).toEqual([]);
  });

  it('that was moved still has its worktrees', async () => {
    const worktree = await worktrees.open({ sessionId: 'a' });
    await repository.write(path.join(worktree.path, 'work.txt'), 'x\n');
    const moved = path.join(repository.root, 'moved');
    await rename(repository.path, moved);
    const again = await rig.worktreesOf(moved).open({ sessionId: 'a', known: worktree });
    expect(again).toEqual({ ...worktree, path: path.join(moved, '.scopecraft', 'worktrees', 'a') });
    expect(await repository.gitIn(again.path, 'status', '--porcelain')).toBe('?? work.txt');
  });
});

describe('a branch', () => {
  it.each(['-f', '--detach', 'a..b', 'a b', '@{-1}', 'HEAD', 'x.lock', '', 'a~1', '/a'])('is not called %j', async (branch) => {
    await repository.git('checkout', '--quiet', '-b', 'before');
    await repository.git('checkout', '--quiet', 'main');
    await expect(worktrees.open({ sessionId: 'a', branch })).rejects.toMatchObject({
      code: 'WORKTREE_FAILED',
      message: `"${branch}" is no name for a branch.`,
    });
    expect([await rig.branches(), await rig.recorded()]).toEqual([['before', 'main'], []]);
  });

  it('that is checked out somewhere is not taken, and the place is named', async () => {
    for (const tried of [() => worktrees.open({ sessionId: 'a', branch: 'main' }), () => worktrees.expectPossible('main')])
      await expect(tried()).rejects.toMatchObject({
        code: 'WORKTREE_FAILED',
        message: `The branch "main" is checked out in ${repository.path}.`,
      });
    await worktrees.open({ sessionId: 'b', branch: 'topic' });
    // the other session may be gone by then
    await worktrees.expectPossible('topic');
    await expect(worktrees.open({ sessionId: 'c', branch: 'topic' })).rejects.toMatchObject({
      message: `The branch "topic" is checked out in ${rig.folderOf('b')}.`,
    });
  });

  it('that several remotes have is not guessed', async () => {
    for (const name of ['one', 'two']) await repository.git('update-ref', `refs/remotes/${name}/topic`, 'HEAD');
    await expect(worktrees.open({ sessionId: 'a', branch: 'topic' })).rejects.toMatchObject({
      message: 'The branch "topic" is not here, and on several remotes: one/topic, two/topic.',
    });
  });

  it('that cannot be made beside another one fails in git’s own words, and leaves nothing', async () => {
    await repository.git('branch', 'scopecraft');
    await expect(worktrees.open({ sessionId: 'a' })).rejects.toMatchObject({
      code: 'WORKTREE_FAILED',
      message: expect.stringContaining("'refs/heads/scopecraft' exists"),
    });
    expect([await isThere(rig.folderOf('a')), await rig.recorded()]).toEqual([false, []]);
  });
});

describe('opened again', () => {
  it('it is the same, with the work in it, by another hub too', async () => {
    const worktree = await worktrees.open({ sessionId: 'a' });
    await repository.commit('main.txt', 'x\n');
    await repository.commit('work.txt', 'x\n', worktree.path);
    await repository.write(path.join(worktree.path, 'loose.txt'), 'x\n');
    for (const hub of [worktrees, rig.worktreesOf()]) {
      expect(await hub.open({ sessionId: 'a' })).toEqual(worktree);
      expect(await hub.open({ sessionId: 'a', known: worktree })).toEqual(worktree);
    }
    expect(await textOf(worktree.path, 'loose.txt')).toBe('x\n');
  });

  it('it is made again at the same path from its branch when its folder is gone', async () => {
    const worktree = await worktrees.open({ sessionId: 'a' });
    await repository.commit('work.txt', 'x\n', worktree.path);
    const tip = await rig.head(worktree.path);
    await rm(worktree.path, { recursive: true });
    await repository.commit('main.txt', 'x\n');
    expect(await worktrees.open({ sessionId: 'a', known: worktree })).toEqual(worktree);
    expect(await rig.head(worktree.path)).toBe(tip);
  });

  it('it takes no record of other worktrees away, whose disk may be missing for now', async () => {
    const other = path.join(repository.root, 'stick', 'w');
    await repository.git('worktree', 'add', '--quiet', '-b', 'other', other);
    await rename(path.dirname(other), path.join(repository.root, 'unplugged'));
    const worktree = await worktrees.open({ sessionId: 'a' });
    await rm(worktree.path, { recursive: true });
    await worktrees.open({ sessionId: 'a', known: worktree });
    expect(await rig.recorded()).toEqual([other, worktree.path].toSorted());
  });

  it('it fails with WORKTREE_GONE when its branch is gone too', async () => {
    const worktree = await worktrees.open({ sessionId: 'a' });
    await repository.git('worktree', 'remove', worktree.path);
    await repository.git('branch', '-D', worktree.branch);
    await expect(worktrees.open({ sessionId: 'a', known: worktree })).rejects.toMatchObject({
      code: 'WORKTREE_GONE',
      message: expect.stringContaining(worktree.branch),
    });
    expect(await rig.branches()).toEqual(['main']);
  });

  it('it is answered though the agent went to another branch in it', async () => {
    const worktree = await worktrees.open({ sessionId: 'a' });
    await repository.gitIn(worktree.path, 'checkout', '--quiet', '-b', 'mine');
    expect(await worktrees.open({ sessionId: 'a', known: worktree })).toEqual(worktree);
    expect(await repository.gitIn(worktree.path, 'branch', '--show-current')).toBe('mine');
  });

  it('it is not given out for another branch', async () => {
    await worktrees.open({ sessionId: 'a', branch: 'one' });
    await expect(worktrees.open({ sessionId: 'a', branch: 'two' })).rejects.toMatchObject({
      code: 'WORKTREE_FAILED',
      message: expect.stringContaining('"one"'),
    });
  });

  it('a folder of somebody else in its place is left alone', async () => {
    await repository.write(path.join(rig.folderOf('a'), 'precious.txt'), 'x\n');
    await expect(worktrees.open({ sessionId: 'a' })).rejects.toMatchObject({
      code: 'WORKTREE_FAILED',
      message: expect.stringContaining('is there already'),
    });
    expect(await textOf(rig.folderOf('a'), 'precious.txt')).toBe('x\n');
  });

  it('one that a killed git left half made is made anew', async () => {
    await repository.commit('.gitattributes', '*.slow filter=slow\n');
    await repository.git('config', 'filter.slow.smudge', `sh -c 'echo $$ > ${repository.root}/smudging; sleep 60'`);
    await repository.commit('file.slow', 'x\n');
    const other = rig.openElsewhere('a');
    await eventually(async () => ((await isThere(path.join(repository.root, 'smudging'))) ? true : undefined), 30_000);
    await other.kill();
    const left = (await processesMarked(repository.root)).map(({ command }) => command);
    expect(left).toContainEqual(expect.stringContaining('worktree add'));
    expect(await textOf(repository.path, '.git', 'worktrees', 'a', 'locked')).toContain('initializing');
    await repository.git('config', '--unset', 'filter.slow.smudge');
    // the first git still works on it
    const { path: folder } = await worktrees.open({ sessionId: 'a' });
    expect(await textOf(folder, 'file.slow')).toBe('x\n');
    expect(await repository.gitIn(folder, 'status', '--porcelain')).toBe('');
    expect(await processesMarked(repository.root)).toEqual([]);
  });
});
