// What a new worktree gets before an agent works in it: copied files and set-up commands, once, within bounds, and several sessions at a time.
import { chmod, mkdir, rm, stat, symlink } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Worktrees } from '../../core/git-ports.ts';
import { processesMarked } from '../support/processes.ts';
import type { TestRepository } from '../support/repository.ts';
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

/** Settings as in the config, with one shell script as the set-up. */
function script(text: string, more: Partial<WorktreeRig['settings']> = {}) {
  rig.settings = { ...rig.settings, setup: [['sh', '-c', text]], ...more };
}
const logOf = (sessionId: string) => path.join(rig.stateDir, 'sessions', sessionId, 'setup.log');
const failureOf = (opened: Promise<unknown>) => opened.catch((error: unknown) => error);

describe('copied files', () => {
  it('come with their content and mode, and what git carries is left as it is', async () => {
    await repository.commit('config/tracked.json', 'committed\n');
    await repository.write('config/tracked.json', 'mine\n');
    await repository.write('config/.env', 'KEY=1\n');
    await chmod(path.join(repository.path, 'config', '.env'), 0o600);
    await repository.write('run.sh', '#!/bin/sh\n');
    await chmod(path.join(repository.path, 'run.sh'), 0o755);
    await symlink('config/.env', path.join(repository.path, 'inner-link'));
    rig.settings = { ...rig.settings, copy: ['config/.env', './run.sh', 'config/tracked.json', 'inner-link', 'not-there'] };
    const { path: folder } = await worktrees.open({ sessionId: 'a' });
    expect(await textOf(folder, 'config', '.env')).toBe('KEY=1\n');
    expect(await textOf(folder, 'inner-link')).toBe('KEY=1\n');
    expect(await textOf(folder, 'config', 'tracked.json')).toBe('committed\n');
    const modes = await Promise.all(
      ['config/.env', 'run.sh'].map(async (file) => (await stat(path.join(folder, file))).mode & 0o777),
    );
    expect(modes).toEqual([0o600, 0o755]);
    expect(await isThere(path.join(folder, 'not-there'))).toBe(false);
  });

  it('never come from outside the workspace, and never go outside the worktree', async () => {
    await repository.write(path.join(repository.root, 'secret', 'key'), 'secret\n');
    await symlink('../secret/key', path.join(repository.path, 'link'));
    await symlink('../secret', path.join(repository.path, 'folder'));
    await mkdir(path.join(repository.path, 'a-folder'));
    for (const file of [
      'link',
      'folder/key',
      '../secret/key',
      path.join(repository.root, 'secret', 'key'),
      'a/../../secret/key',
    ]) {
      rig.settings = { ...rig.settings, copy: [file] };
      const refused = await failureOf(worktrees.open({ sessionId: 'a' }));
      expect(refused).toMatchObject({ code: 'WORKTREE_FAILED', message: expect.stringMatching(/leads out of the workspace\.$/) });
    }
    rig.settings = { ...rig.settings, copy: ['a-folder'] };
    expect(await failureOf(worktrees.open({ sessionId: 'a' }))).toMatchObject({
      message: expect.stringContaining('no regular file'),
    });

    await symlink(path.join(repository.root, 'secret'), path.join(repository.path, 'out'));
    await repository.git('add', 'out');
    await repository.git('commit', '--quiet', '--message', 'A link that leads out');
    await rm(path.join(repository.path, 'out'));
    await repository.write('out/new', 'x\n');
    rig.settings = { ...rig.settings, copy: ['out/new'] };
    expect(await failureOf(worktrees.open({ sessionId: 'a' }))).toMatchObject({
      message: expect.stringContaining('leads out of the worktree'),
    });
    expect(await isThere(path.join(repository.root, 'secret', 'new'))).toBe(false);
    expect([await rig.recorded(), await rig.branches()]).toEqual([[], ['main']]);
  });
});

describe('set-up commands', () => {
  it('run in order in the worktree with the environment of the session, after the copies, and what they print is kept', async () => {
    await repository.write('.env', 'KEY=1\n');
    const show = 'cat .env; pwd; echo "$OF_SESSION $SCOPECRAFT_SESSION $SCOPECRAFT_WORKSPACE"; echo loud >&2';
    rig.settings = {
      ...rig.settings,
      copy: ['.env'],
      setup: [
        ['sh', '-c', show],
        ['touch', 'made by touch'],
      ],
    };
    const { path: folder } = await worktrees.open({ sessionId: 'a' });
    const log = await textOf(logOf('a'));
    for (const line of ['KEY=1', folder, `a a ${repository.path}`, 'loud', '$ touch made by touch'])
      expect(log.split('\n')).toContain(line);
    expect(log.indexOf('$ sh')).toBeLessThan(log.indexOf('$ touch'));
    expect((await stat(logOf('a'))).mode & 0o777).toBe(0o600);
    expect(await isThere(path.join(folder, 'made by touch'))).toBe(true);
  });

  it('run once for each worktree, however often it is opened, and again for one that is made again', async () => {
    script(`echo x >> ${repository.root}/count`);
    const [worktree] = await Promise.all([1, 2, 3].map(() => worktrees.open({ sessionId: 'a' })));
    await worktrees.open({ sessionId: 'a', known: worktree });
    await rig.worktreesOf().open({ sessionId: 'a', known: worktree });
    expect(await textOf(repository.root, 'count')).toBe('x\n');
    await rm(rig.folderOf('a'), { recursive: true });
    await worktrees.open({ sessionId: 'a', known: worktree });
    expect(await textOf(repository.root, 'count')).toBe('x\nx\n');
  });

  it.each([
    ['exit 7', 'ended with code 7'],
    ['kill -9 $$', 'was ended by SIGKILL'],
  ])('that fail (%s) say how, and leave no worktree and no branch', async (text, how) => {
    script(`echo a reason; ${text}`);
    const failure = await failureOf(worktrees.open({ sessionId: 'a' }));
    expect(failure).toMatchObject({
      code: 'WORKTREE_FAILED',
      message: expect.stringContaining(`\`sh -c echo a reason; ${text}\` ${how}`),
    });
    expect(failure).toMatchObject({ message: expect.stringContaining(logOf('a')) });
    expect(await textOf(logOf('a'))).toContain('a reason\n');
    expect([await rig.recorded(), await rig.branches(), await isThere(rig.folderOf('a'))]).toEqual([[], ['main'], false]);
  });

  it('that are no programs say so', async () => {
    for (const command of ['/nowhere/program', '', 'nul\0']) {
      rig.settings = { ...rig.settings, setup: [[command]] };
      expect(await failureOf(worktrees.open({ sessionId: 'a' }))).toMatchObject({
        code: 'WORKTREE_FAILED',
        message: expect.stringContaining('could not be started'),
      });
    }
  });

  it('that take too long are stopped with everything they started', async () => {
    script('(setsid sleep 600 &) ; sleep 600', { setupTimeoutMs: 1000 });
    expect(await failureOf(worktrees.open({ sessionId: 'a' }))).toMatchObject({
      message: expect.stringContaining('was stopped after 1000 ms'),
    });
    expect(await processesMarked(repository.root)).toEqual([]);
  });

  it('leave nothing running when they are done', async () => {
    script('(setsid sleep 600 &) ; true');
    await worktrees.open({ sessionId: 'a' });
    expect(await processesMarked(repository.root)).toEqual([]);
  });

  it('are broken off when the session is stopped, and nothing is left', async () => {
    script(`touch ${repository.root}/begun; sleep 600`);
    const stop = new AbortController();
    const opened = failureOf(worktrees.open({ sessionId: 'a', signal: stop.signal }));
    await eventually(async () => ((await isThere(path.join(repository.root, 'begun'))) ? true : undefined));
    stop.abort();
    expect(await opened).toMatchObject({ code: 'CANCELLED' });
    expect(await processesMarked(repository.root)).toEqual([]);
    expect([await rig.recorded(), await rig.branches()]).toEqual([[], ['main']]);
    expect(await failureOf(worktrees.open({ sessionId: 'b', signal: stop.signal }))).toMatchObject({ code: 'CANCELLED' });
    expect(await rig.recorded()).toEqual([]);
  });

  it('that a killed hub left are ended before the next hub begins again, in the worktree that is there', async () => {
    script(`echo x >> ${repository.root}/count; [ -e ${repository.root}/fast ] || exec sleep 600`);
    const other = rig.openElsewhere('a');
    await eventually(async () => ((await isThere(path.join(repository.root, 'count'))) ? true : undefined), 30_000);
    await other.kill();
    const [left] = (await processesMarked(repository.root)).filter(({ command }) => command.startsWith('sleep'));
    expect(left).toBeDefined();
    await repository.write(path.join(repository.root, 'fast'), '');
    expect(await worktrees.open({ sessionId: 'a' })).toMatchObject({ path: rig.folderOf('a') });
    expect(await processesMarked(repository.root)).toEqual([]);
    expect(await textOf(repository.root, 'count')).toBe('x\nx\n');
  });
});

describe('several at once', () => {
  it('get each their own, and each sees only its own files', async () => {
    script('echo "$SCOPECRAFT_SESSION" > mine.txt; sleep 0.2');
    const ids = ['one', 'two', 'three', 'four'];
    const opened = await Promise.all(ids.map((sessionId) => worktrees.open({ sessionId })));
    await Promise.all(opened.map(({ path: folder }, at) => repository.commit(`${ids[at]}.txt`, 'x\n', folder)));
    for (const [at, { path: folder, branch }] of opened.entries()) {
      expect(await textOf(folder, 'mine.txt')).toBe(`${ids[at]}\n`);
      expect((await repository.gitIn(folder, 'ls-files')).split('\n')).toEqual(
        ['mine.txt', `${ids[at]}.txt`, 'start.txt'].toSorted(),
      );
      expect(branch).toBe(`scopecraft/${ids[at]}`);
    }
    expect(await repository.git('status', '--porcelain', '--untracked-files=all')).toBe('');
  });

  it('are made from two processes at once, while a person works in the repository', async () => {
    const ids = ['a1', 'a2', 'a3', 'b1', 'b2', 'b3'];
    const others = [rig.openElsewhere(...ids.slice(0, 3)), rig.openElsewhere(...ids.slice(3))];
    for (let at = 0; at < 20; at++) await repository.commit(`person-${at}.txt`, 'x\n');
    expect(await Promise.all(others.map(({ ended }) => ended))).toEqual([0, 0].map((code) => ({ code, stderr: '' })));
    expect((await worktrees.list()).map(({ sessionId, isThere }) => [sessionId, isThere])).toEqual(ids.map((id) => [id, true]));
  });

  it('wait for a lock that somebody else holds, and say so when it is never let go', async () => {
    await repository.git('update-ref', 'refs/remotes/origin/topic', 'HEAD');
    await repository.git('config', 'remote.origin.url', '/nowhere');
    await repository.git('config', 'remote.origin.fetch', '+refs/heads/*:refs/remotes/origin/*');
    const lock = path.join(repository.path, '.git', 'config.lock');
    await repository.write(lock, '');
    const patient = worktrees.open({ sessionId: 'a', branch: 'topic' });
    setTimeout(() => void rm(lock), 300);
    expect((await patient).branch).toBe('topic');
    await repository.git('update-ref', 'refs/remotes/origin/other', 'HEAD');
    await repository.write(lock, '');
    expect(await failureOf(worktrees.open({ sessionId: 'b', branch: 'other' }))).toMatchObject({
      code: 'WORKTREE_FAILED',
      message: expect.stringContaining('config'),
    });
    expect([await rig.recorded(), await rig.branches()]).toEqual([[rig.folderOf('a')], ['main', 'topic']]);
  });
});
