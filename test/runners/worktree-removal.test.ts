// What happens to a worktree when its session is done with it: it goes when nothing is lost, and what would be lost holds it.
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Worktree, Worktrees } from '../../core/git-ports.ts';
import type { TestRepository } from '../support/repository.ts';
import { isThere, openWorktreeRig, textOf, type WorktreeRig } from './worktree-rig.ts';

let rig: WorktreeRig;
let repository: TestRepository;
let worktrees: Worktrees;
let worktree: Worktree;

// each test starts git dozens of times, which takes long on a busy machine
vi.setConfig({ testTimeout: 120_000 });

beforeEach(async () => {
  rig = await openWorktreeRig();
  ({ repository, worktrees } = rig);
  await repository.commit('.gitignore', 'ignored/\n');
  worktree = await worktrees.open({ sessionId: 'a' });
});
afterEach(() => rig.close());

const removed = (options: { force?: boolean; keepBranch?: boolean } = {}) =>
  worktrees.remove(worktree, { force: false, ...options });
/** What is left: folders on record, branches. */
const left = async () => ({ recorded: await rig.recorded(), branches: await rig.branches() });

describe('a worktree', () => {
  it('is removed with its folder, its record and its branch when nobody did anything in it, ignored files aside', async () => {
    await repository.write(path.join(worktree.path, 'ignored', 'cache'), 'x\n');
    expect(await worktrees.unsaved(worktree)).toBeUndefined();
    expect(await removed()).toBeUndefined();
    expect(await left()).toEqual({ recorded: [], branches: ['main'] });
    expect(await isThere(worktree.path)).toBe(false);
    expect(await removed()).toBeUndefined();
  });

  it.each([
    ['changed', 'start.txt', '1 file is not committed.'],
    ['new', 'new.txt', '1 file is not committed.'],
    ['new in a new folder', 'deep/er/new.txt', '1 file is not committed.'],
  ])('with a file that is %s stays, whatever the user lets git show', async (_what, file, reason) => {
    await repository.git('config', 'status.showUntrackedFiles', 'no');
    await repository.write(path.join(worktree.path, file), 'work\n');
    expect(await removed()).toBe(reason);
    expect(await worktrees.unsaved(worktree)).toBe(reason);
    expect(await textOf(worktree.path, file)).toBe('work\n');
    expect(await left()).toEqual({ recorded: [worktree.path], branches: ['main', 'scopecraft/a'] });
  });

  it('with commits that no other branch has stays, until they are merged or pushed', async () => {
    await repository.commit('work.txt', 'x\n', worktree.path);
    await repository.commit('more.txt', 'x\n', worktree.path);
    await repository.write(path.join(worktree.path, 'loose.txt'), 'x\n');
    expect(await removed()).toBe('1 file is not committed and 2 commits are on no branch but scopecraft/a.');
    await rm(path.join(worktree.path, 'loose.txt'));
    await repository.git('merge', '--quiet', 'scopecraft/a');
    expect(await removed()).toBeUndefined();
    expect(await left()).toEqual({ recorded: [], branches: ['main'] });

    const second = await worktrees.open({ sessionId: 'b' });
    await repository.commit('pushed.txt', 'x\n', second.path);
    await repository.git('update-ref', 'refs/remotes/origin/work', 'scopecraft/b');
    expect(await worktrees.remove(second, { force: false })).toBeUndefined();
    expect(await rig.branches()).toEqual(['main']);
  });

  it('with commits on no branch at all stays', async () => {
    await repository.gitIn(worktree.path, 'checkout', '--quiet', '--detach');
    await repository.commit('work.txt', 'x\n', worktree.path);
    expect(await removed()).toBe('1 commit is on no branch.');
  });

  it('on a branch of the user goes when all is committed, and the branch stays', async () => {
    const topic = await worktrees.open({ sessionId: 'b', branch: 'topic' });
    await repository.commit('work.txt', 'x\n', topic.path);
    expect(await worktrees.remove(topic, { force: false })).toBeUndefined();
    expect(await left()).toEqual({ recorded: [worktree.path], branches: ['main', 'scopecraft/a', 'topic'] });
  });

  it('whose agent went to a branch of its own goes, and that branch stays', async () => {
    await repository.gitIn(worktree.path, 'checkout', '--quiet', '-b', 'mine');
    await repository.commit('work.txt', 'x\n', worktree.path);
    expect(await removed()).toBeUndefined();
    expect(await left()).toEqual({ recorded: [], branches: ['main', 'mine'] });
  });

  it('goes with all that is in it when that is forced, but its commits stay on their branch', async () => {
    await repository.commit('work.txt', 'x\n', worktree.path);
    await repository.write(path.join(worktree.path, 'loose.txt'), 'x\n');
    const tip = await rig.head(worktree.path);
    expect(await removed({ force: true })).toBeUndefined();
    expect(await left()).toEqual({ recorded: [], branches: ['main', 'scopecraft/a'] });
    expect(await isThere(worktree.path)).toBe(false);
    const again = await worktrees.open({ sessionId: 'a', known: worktree });
    expect([again, await rig.head(again.path)]).toEqual([worktree, tip]);
  });

  it('leaves its branch when that is to be kept, so that it can be made again, and the branch goes later', async () => {
    expect(await removed({ keepBranch: true })).toBeUndefined();
    expect(await left()).toEqual({ recorded: [], branches: ['main', 'scopecraft/a'] });
    expect(await worktrees.list()).toEqual([{ ...worktree, sessionId: 'a', isThere: false }]);
    expect(await removed()).toBeUndefined();
    expect(await rig.branches()).toEqual(['main']);
  });

  it('whose folder is gone is taken from the record, its commits staying on their branch', async () => {
    await repository.commit('work.txt', 'x\n', worktree.path);
    await rm(worktree.path, { recursive: true });
    expect(await removed()).toMatch(/^1 commit/);
    expect(await removed({ force: true })).toBeUndefined();
    expect(await left()).toEqual({ recorded: [], branches: ['main', 'scopecraft/a'] });
  });

  it('that somebody locked stays, forced or not', async () => {
    await repository.git('worktree', 'lock', '--reason', 'under study', worktree.path);
    for (const force of [false, true]) expect(await removed({ force })).toMatch(/^git refuses: .*locked/);
    expect(await isThere(worktree.path)).toBe(true);
  });

  it('is not mistaken for a folder that is none of ours', async () => {
    await mkdir(rig.folderOf('b'));
    await repository.write(path.join(rig.folderOf('b'), 'precious'), 'x\n');
    const stranger = { path: rig.folderOf('b'), branch: 'scopecraft/b', base: '' };
    expect(await worktrees.remove(stranger, { force: true })).toBe(`${rig.folderOf('b')} is no worktree of this repository.`);
    const outside = { ...stranger, path: repository.path };
    await expect(worktrees.remove(outside, { force: true })).rejects.toMatchObject({ code: 'WORKTREE_FAILED' });
    expect(await textOf(rig.folderOf('b'), 'precious')).toBe('x\n');
  });

  it('holds copied files that nobody touched as no work, and those that were touched as work', async () => {
    await repository.write('.env', 'KEY=1\n');
    rig.settings = { ...rig.settings, copy: ['.env'] };
    const second = await worktrees.open({ sessionId: 'b' });
    await repository.git('commit', '--quiet', '--allow-empty', '--message', 'Later');
    await repository.write(path.join(second.path, '.env'), 'KEY=2\n');
    expect(await worktrees.remove(second, { force: false })).toBe('1 file is not committed.');
    await repository.write(path.join(second.path, '.env'), 'KEY=1\n');
    expect(await worktrees.remove(second, { force: false })).toBeUndefined();
    expect(await left()).toEqual({ recorded: [worktree.path], branches: ['main', 'scopecraft/a'] });
  });
});

describe('the list', () => {
  it('has all worktrees of this workspace with what they are for, in order, and no others', async () => {
    await repository.git('worktree', 'add', '--quiet', '-b', 'person', path.join(repository.root, 'person'));
    const topic = await worktrees.open({ sessionId: 'c', branch: 'topic' });
    await repository.gitIn(worktree.path, 'checkout', '--quiet', '--detach');
    await repository.git('branch', 'scopecraft/b');
    expect(await rig.worktreesOf().list()).toEqual([
      { sessionId: 'a', ...worktree, isThere: true },
      { sessionId: 'b', path: rig.folderOf('b'), branch: 'scopecraft/b', base: await rig.head(), isThere: false },
      { sessionId: 'c', ...topic, isThere: true },
    ]);
  });
});
