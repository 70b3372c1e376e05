// What a session changed in its folder, told from how the folder stood before.
import { chmod, mkdir, readdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Changes, Git } from '../../core/git-ports.ts';
import { createGit, type RunGit } from '../../runners/git.ts';
import { createGitChanges } from '../../runners/git-changes.ts';
import { makeRepository, type TestRepository } from '../support/repository.ts';

let repository: TestRepository;
let changes: Git;

// each test starts git dozens of times, which takes long on a busy machine
vi.setConfig({ testTimeout: 120_000 });

beforeEach(async () => {
  repository = await makeRepository();
  changes = changesBy(repository.run, 20_000);
});
afterEach(() => repository.close());

/** What this git says, with the folder of the repository for the state. */
const changesBy = (run: RunGit, limitMs?: number) => createGitChanges(run, repository.root, limitMs);

/** What is told of a deed that is done after the mark. */
async function changedBy(deed: () => Promise<unknown>, folder = repository.path, leaveOut?: readonly string[]): Promise<Changes> {
  const mark = await changes.mark(folder);
  if (mark === undefined) throw new Error('There is no mark.');
  expect(mark).toMatch(/^[0-9a-f:]{2,200}$/);
  await deed();
  const told = await changes.since(folder, mark, leaveOut);
  if (told === undefined) throw new Error('Nothing is told.');
  return told;
}

const NOTHING: Changes = { files: [], fileCount: 0, insertions: 0, deletions: 0, commits: [], commitCount: 0 };

describe('what has changed', () => {
  it('is nothing where nothing was done, dirty or not', async () => {
    expect(await changedBy(async () => {})).toEqual(NOTHING);
    await repository.write('start.txt', 'changed\n');
    await repository.write('new.txt', 'new\n');
    expect(await changedBy(async () => {})).toEqual(NOTHING);
  });

  it('is every file that was written, removed or added, committed or not, with its lines', async () => {
    await repository.commit('gone.txt', 'a\nb\n');
    const told = await changedBy(async () => {
      await repository.commit('committed.txt', '1\n2\n3\n');
      await repository.write('start.txt', 'one\nTWO\nthree\n');
      await repository.write('deep/new.txt', 'x\n');
      await repository.write('staged.txt', 'y\n');
      await repository.git('add', 'staged.txt');
      await rm(path.join(repository.path, 'gone.txt'));
    });
    expect(told.files).toEqual(['committed.txt', 'deep/new.txt', 'gone.txt', 'staged.txt', 'start.txt']);
    expect(told).toMatchObject({ fileCount: 5, insertions: 6, deletions: 3, commitCount: 1 });
    expect(told.commits).toEqual([
      { id: (await repository.git('rev-parse', 'HEAD')).slice(0, 12), subject: 'Write committed.txt' },
    ]);
  });

  it('is only what was done since: what was dirty before counts as it stood', async () => {
    await repository.write('start.txt', 'mine\n');
    await repository.write('notes.txt', 'mine\n');
    await repository.write('both.txt', 'mine\n');
    const told = await changedBy(async () => {
      await repository.write('both.txt', 'mine\nand theirs\n');
      await repository.git('add', 'notes.txt');
    });
    expect(told).toEqual({ ...NOTHING, files: ['both.txt'], fileCount: 1, insertions: 1 });
  });

  it('is nothing when what was dirty before is merely committed, but for the commit', async () => {
    await repository.write('start.txt', 'mine\n');
    const told = await changedBy(() => repository.commit('start.txt', 'mine\n'));
    expect(told).toMatchObject({ files: [], insertions: 0, commitCount: 1 });
  });

  it('is the undoing of what was dirty before', async () => {
    await repository.write('start.txt', 'mine\n');
    expect(await changedBy(() => repository.git('checkout', '--', 'start.txt'))).toMatchObject({
      files: ['start.txt'],
      insertions: 3,
      deletions: 1,
    });
  });

  it('is not what git ignores, nor what another repository inside holds', async () => {
    await repository.commit('.gitignore', 'build/\n');
    const told = await changedBy(async () => {
      await repository.write('build/out.txt', 'x');
      await repository.write('inner/file.txt', 'x');
      await repository.gitIn(path.join(repository.path, 'inner'), 'init', '--quiet');
    });
    expect(told).toEqual(NOTHING);
  });

  it('is one file where one was renamed', async () => {
    await repository.commit('old.txt', Array.from({ length: 50 }, (_, at) => `line ${at}\n`).join(''));
    const told = await changedBy(() => rename(path.join(repository.path, 'old.txt'), path.join(repository.path, 'renamed.txt')));
    expect(told).toEqual({ ...NOTHING, files: ['renamed.txt'], fileCount: 1 });
  });

  it('is told whatever a file is called, and whatever it is', async () => {
    const names = ['a b.txt', '-dash', 'new\nline', 'tab\there', '"quoted"', 'ünïcode'];
    const told = await changedBy(async () => {
      for (const name of names) await repository.write(name, 'x\n');
      await writeFile(path.join(repository.path, 'binary'), Buffer.from([0, 1, 2, 3]));
      await symlink('/nowhere', path.join(repository.path, 'link'));
    });
    expect(told.files.toSorted()).toEqual([...names, 'binary', 'link'].toSorted());
    expect(told.insertions).toBe(names.length + 1);
  });

  it('is told of the whole checkout, with paths from the folder, and without what is left out', async () => {
    const folder = path.join(repository.path, 'part');
    await mkdir(folder);
    const deed = async () => {
      await repository.write('part/in.txt', 'x\n');
      await repository.write('out.txt', 'x\n');
    };
    expect((await changedBy(deed, folder)).files).toEqual(['../out.txt', 'in.txt']);
    await repository.git('clean', '--force', '--quiet', 'part/in.txt', 'out.txt');
    const told = await changedBy(deed, folder, [path.join(repository.path, 'out.txt')]);
    expect(told).toMatchObject({ files: ['in.txt'], fileCount: 1, insertions: 1 });
  });

  it('is told of a large file once, by its size and time, and it is never read', async () => {
    const large = path.join(repository.path, 'large.bin');
    const other = path.join(repository.path, 'other.bin');
    for (const file of [large, other]) {
      await writeFile(file, '');
      await truncate(file, 9 << 20);
    }
    const before = await repository.git('count-objects');
    const told = await changedBy(() => truncate(other, 10 << 20));
    expect(told).toEqual({ ...NOTHING, files: ['other.bin'], fileCount: 1 });
    expect(await repository.git('count-objects')).toBe(before);
  });

  it('is cut where there is much of it, and counted in full', async () => {
    const told = await changedBy(async () => {
      for (let at = 0; at < 120; at++) await repository.write(`many/${String(at).padStart(3, '0')}.txt`, 'x\n');
      for (let at = 0; at < 25; at++)
        await repository.git('commit', '--quiet', '--allow-empty', '--message', `Commit ${at}${'.'.repeat(300)}`);
    });
    expect(told).toMatchObject({ fileCount: 120, insertions: 120, commitCount: 25 });
    expect(told.files).toHaveLength(100);
    expect(told.commits).toHaveLength(20);
    expect(told.commits[0]?.subject).toMatch(/^Commit 24\.{190}/);
    expect(told.commits[0]?.subject).toHaveLength(200);
  });

  it('is told after commits were amended, and on a branch made meanwhile', async () => {
    const told = await changedBy(async () => {
      await repository.git('checkout', '--quiet', '-b', 'topic');
      await repository.commit('a.txt', 'x\n');
      await repository.git('commit', '--quiet', '--amend', '--message', 'Amended');
    });
    expect(told).toMatchObject({ files: ['a.txt'], commitCount: 1, commits: [{ subject: 'Amended' }] });
  });

  it('is told from before the first commit on', async () => {
    const empty = await makeRepository({ isEmpty: true });
    try {
      const mark = (await changes.mark(empty.path)) ?? '';
      await empty.write('a.txt', 'x\n');
      expect(await changes.since(empty.path, mark)).toMatchObject({ files: ['a.txt'], commitCount: 0 });
      await empty.commit('b.txt', 'x\n');
      expect(await changes.since(empty.path, mark)).toMatchObject({ files: ['a.txt', 'b.txt'], insertions: 2, commitCount: 1 });
    } finally {
      await empty.close();
    }
  });

  it('is told in a linked worktree and in the middle of a merge that failed', async () => {
    const linked = path.join(repository.root, 'linked');
    await repository.git('worktree', 'add', '--quiet', '-b', 'other', linked);
    await repository.commit('start.txt', 'ours\n');
    await repository.commit('start.txt', 'theirs\n', linked);
    const told = await changedBy(() => repository.gitIn(linked, 'merge', '--quiet', 'main').catch(() => undefined), linked);
    expect(told).toMatchObject({ files: ['start.txt'], commitCount: 0 });
    expect(told.insertions).toBeGreaterThan(2);
  });
});

describe('a look at a folder', () => {
  it("leaves the user's index, its lock and the files as they are", async () => {
    await repository.write('start.txt', 'mine\n');
    await repository.write('staged.txt', 'x\n');
    await repository.git('add', 'staged.txt');
    await repository.write('.git/index.lock', '');
    const before = await repository.git('status', '--porcelain');
    expect(await changes.mark(repository.path)).toMatch(/^[0-9a-f]{40}:[0-9a-f]{40}:$/);
    await rm(path.join(repository.path, '.git', 'index.lock'));
    expect(await repository.git('status', '--porcelain')).toBe(before);
  });

  it('runs nothing that the repository names: no hook and no file system monitor', async () => {
    const trap = path.join(repository.root, 'trap');
    await repository.write(trap, `#!/bin/sh\ntouch ${trap}.sprung\n`);
    await chmod(trap, 0o755);
    await repository.git('config', 'core.fsmonitor', trap);
    await mkdir(path.join(repository.root, 'hooks'));
    await symlink(trap, path.join(repository.root, 'hooks', 'post-index-change'));
    await repository.git('config', 'core.hooksPath', path.join(repository.root, 'hooks'));
    await repository.write('new.txt', 'x\n');
    expect(await changes.mark(repository.path)).toBeDefined();
    await expect(rm(`${trap}.sprung`)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('makes its own index in the state folder, where the next hub clears away what a killed one left, and leaves nothing', async () => {
    const indexes = new Set<string | undefined>();
    const watched = changesBy((folder, words, options) => {
      indexes.add(options?.env?.GIT_INDEX_FILE);
      return repository.run(folder, words, options);
    });
    await repository.write('new.txt', 'x\n');
    expect(await watched.mark(repository.path)).toBeDefined();
    const [index = ''] = [...indexes].filter((one) => one !== undefined);
    expect(path.relative(repository.root, index)).toMatch(/^\.index\.[^/]+\/index$/);
    expect((await readdir(repository.root)).filter((name) => name.startsWith('.index'))).toEqual([]);
  });

  it('is not heeded to another repository by GIT_DIR', async () => {
    const other = changesBy(createGit({ ...repository.env, GIT_DIR: path.join(repository.root, 'nowhere') }));
    expect(await other.mark(repository.path)).toMatch(/^[0-9a-f]{40}::$/);
  });

  it('answers nothing, and starts no git, where there is no checkout', async () => {
    const changesWithoutGit = changesBy(() => Promise.reject(new Error('git was started')));
    expect(await changesWithoutGit.mark(repository.root)).toBeUndefined();
    expect(await changesWithoutGit.mark(path.join(repository.root, 'nowhere'))).toBeUndefined();
  });

  it('answers nothing without git, with a git that hangs, with a mark of something else, and where the commit is gone', async () => {
    const mark = (await changes.mark(repository.path)) ?? '';
    const without = changesBy(createGit({ PATH: '/nowhere' }));
    expect([await without.mark(repository.path), await without.since(repository.path, mark)]).toEqual([undefined, undefined]);

    const bin = path.join(repository.root, 'bin');
    await repository.write(path.join(bin, 'git'), '#!/bin/sh\nsleep 60 & wait\n');
    await chmod(path.join(bin, 'git'), 0o755);
    const hanging = changesBy(createGit({ PATH: `${bin}:${repository.env.PATH}` }), 300);
    const began = performance.now();
    expect(await hanging.mark(repository.path)).toBeUndefined();
    expect(performance.now() - began).toBeLessThan(5000);

    expect(await changes.since(repository.path, '--output=/tmp/x')).toBeUndefined();
    expect(await changes.since(repository.path, `${'0'.repeat(40)}::`)).toBeUndefined();
    expect(await changes.since(repository.root, mark)).toBeUndefined();
  });

  it('answers nothing where more files are dirty than can be told apart', async () => {
    await mkdir(path.join(repository.path, 'many'));
    await Promise.all(Array.from({ length: 2001 }, (_, at) => writeFile(path.join(repository.path, 'many', `${at}`), '')));
    expect(await changes.mark(repository.path)).toBeUndefined();
  });
});
