// The beginning and the end of a run besides its agent: the worktree it works in, how its folder stood, and what it changed there.
import { describe, expect, it } from 'vitest';
import { fail, ScopecraftError } from '../../core/errors.ts';
import type { Worktree, Worktrees } from '../../core/git-ports.ts';
import { caller, makeEngine } from '../support/engine.ts';
import { ended, get, limited, prompt, reborn, running, started } from './talk-rig.ts';

const TREE = { path: '/w/tree', branch: 'b', base: 'abc' };
const CHANGES = {
  files: ['a.ts'],
  fileCount: 1,
  insertions: 2,
  deletions: 0,
  commits: [{ id: 'c1', subject: 'Do it' }],
  commitCount: 1,
};

/** Is made for as long as nobody breaks it off. */
const brokenOff: Worktrees['open'] = ({ signal }) =>
  new Promise((_resolve, reject) => {
    const breakOff = () => reject(new ScopecraftError('CANCELLED', 'Broken off.'));
    if (signal?.aborted) breakOff();
    else signal?.addEventListener('abort', breakOff);
  });

describe('a session in a worktree of its own', () => {
  it('works there, is told of it by its folder, and finds it again in its next run', async () => {
    const wanted: unknown[] = [];
    const openWorktree = async (want: { branch?: string | undefined; known?: Worktree | undefined }) => {
      wanted.push({ branch: want.branch, known: want.known });
      return TREE;
    };
    const marks: string[] = [];
    const git = {
      mark: async (folder: string) => `mark ${marks.push(folder)}`,
      since: async (_folder: string, mark: string) => (mark === 'mark 1' ? CHANGES : undefined),
    };
    const engine = await makeEngine({ openWorktree, git });
    const id = await running(engine, { worktree: 'b' });
    expect(engine.run(id).spec?.cwd).toBe('/w/tree');
    expect(get(engine, id)).toMatchObject({ worktree: TREE, cwd: '/w/tree', mark: 'mark 1', wantsWorktree: 'b' });
    await ended(engine, id);
    expect(get(engine, id).changes).toEqual(CHANGES);
    expect(engine.orchestrator.view(get(engine, id))).toMatchObject({ worktree: TREE, changes: CHANGES });
    await prompt(engine, id, 'more');
    await engine.settle();
    expect(engine.run(id).spec).toMatchObject({ run: 2, cwd: '/w/tree' });
    expect(wanted).toEqual([
      { branch: 'b', known: undefined },
      { branch: 'b', known: TREE },
    ]);
    // one look, before its first run
    expect(marks).toEqual(['/w/tree']);
  });

  it('gets a branch of its own name, and none where it is not wanted', async () => {
    const engine = await makeEngine();
    const id = await running(engine, { worktree: true });
    expect(get(engine, id)).toMatchObject({ worktree: { branch: `scopecraft/${id}` }, wantsWorktree: true });
    const plain = await running(engine, { worktree: false });
    expect(get(engine, plain)).toMatchObject({ cwd: '/w' });
    expect(get(engine, plain).worktree).toBeUndefined();
  });

  it.each([[{ worktree: '' }, 'needs a branch name']])('is not started with %j', async (more, message) => {
    const engine = await makeEngine();
    const request = { type: 'autonomous', queue: true, prompt: 'x', ...more } as const;
    await expect(engine.orchestrator.start(request, caller)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining(message),
    });
  });

  it('fails with the reason where it cannot be made, and can be prompted anew', async () => {
    let isBroken = true;
    const openWorktree = async () => (isBroken ? fail('WORKTREE_FAILED', 'The branch "b" is checked out elsewhere.') : TREE);
    const engine = await makeEngine({ openWorktree });
    const id = await started(engine, { worktree: 'b' });
    expect(get(engine, id)).toMatchObject({
      status: 'failed',
      cause: { kind: 'spawn_failed', reason: 'The branch "b" is checked out elsewhere.' },
    });
    expect(engine.errors).toEqual([]);
    isBroken = false;
    await prompt(engine, id, 'again');
    await engine.settle();
    expect(engine.run(id).spec).toMatchObject({ run: 2, cwd: '/w/tree', resume: false });
  });

  it('that is stopped while it is being made is cancelled, with the worktree known and nothing started', async () => {
    let go = () => {};
    const openWorktree = () => new Promise<Worktree>((resolve) => (go = () => resolve(TREE)));
    const engine = await makeEngine({ openWorktree });
    const id = await started(engine, { worktree: true });
    await engine.orchestrator.cancel(id, { by: 'me' });
    go();
    await engine.settle();
    expect(get(engine, id)).toMatchObject({ status: 'cancelled', cause: { by: 'me' }, worktree: TREE });
    expect(engine.runs.has(id)).toBe(false);
    expect(engine.errors).toEqual([]);
  });

  it.each([
    ['before it is begun', 'there is space', { before: true, isFull: false }],
    ['before it is begun', 'the disk is full', { before: true, isFull: true }],
    ['while it is made', 'the disk is full', { before: false, isFull: true }],
  ])('that is stopped %s, while %s, breaks it off and is cancelled', async (_when, _space, { before, isFull }) => {
    let goOn = () => {};
    const wait = () => new Promise<undefined>((resolve) => (goOn = () => resolve(undefined)));
    const engine = await makeEngine({
      tasks: { get: async () => (before ? wait() : undefined) },
      openWorktree: brokenOff,
      refuse: ({ name }) => (isFull && name === 'session.stopping' ? fail('STORAGE_FULL', 'Full.') : undefined),
    });
    const id = await started(engine, { worktree: true });
    const cancelled = engine.orchestrator.cancel(id, { by: 'me' });
    await engine.settle();
    engine.clock.advance(2000);
    await cancelled;
    goOn();
    await engine.settle();
    expect(get(engine, id)).toMatchObject({ status: 'cancelled', cause: { by: 'me' } });
    expect(engine.queue.line().active).toEqual([]);
    expect(engine.runs.has(id)).toBe(false);
    expect(engine.errors).toEqual([]);
  });

  it('that is stopped is cancelled also where it could not have been made', async () => {
    let broken = () => {};
    const openWorktree = () =>
      new Promise<Worktree>((_resolve, reject) => {
        broken = () => reject(new ScopecraftError('WORKTREE_FAILED', 'Git was killed.'));
      });
    const engine = await makeEngine({ openWorktree });
    const id = await started(engine, { worktree: true });
    await engine.orchestrator.cancel(id, { by: 'me' });
    broken();
    await engine.settle();
    expect(get(engine, id)).toMatchObject({ status: 'cancelled', cause: { kind: 'cancelled', by: 'me' } });
    expect(engine.errors).toEqual([]);
  });

  it('gets it again from the next hub, where one was killed while it was made', async () => {
    const old = await makeEngine({ openWorktree: () => new Promise<Worktree>(() => {}) });
    const id = await started(old, { worktree: 'b' });
    const engine = await reborn(old, { found: () => false, openWorktree: async () => TREE });
    expect(engine.run(id).spec).toMatchObject({ run: 2, cwd: '/w/tree' });
    expect(get(engine, id).worktree).toEqual(TREE);
  });
});

describe('how the folder stands', () => {
  it('is kept before the first run, and what was changed with the end', async () => {
    const engine = await makeEngine({ git: { mark: async () => 'm1', since: async () => CHANGES } });
    const id = await running(engine);
    expect(get(engine, id).mark).toBe('m1');
    await ended(engine, id);
    expect(engine.orchestrator.view(get(engine, id)).changes).toEqual(CHANGES);
  });

  it('is told without the files of tasks that have sessions, which the hub writes', async () => {
    const leftOut: unknown[] = [];
    const since = async (_folder: string, _mark: string, leaveOut: readonly string[] = []) => void leftOut.push(leaveOut);
    const engine = await makeEngine({ git: { mark: async () => 'm1', since } });
    const first = await running(engine, { taskId: undefined, prompt: 'One.' });
    const second = await running(engine, { taskId: undefined, prompt: 'Two.' });
    await ended(engine, first);
    const files = [first, second].map((id) => `/w/.tasks/current/${get(engine, id).taskId}.task.md`);
    expect(leftOut).toEqual([expect.arrayContaining(files)]);
  });

  it('keeps no session from starting or ending where git fails', async () => {
    const broken = async () => {
      throw new Error('git is broken');
    };
    const engine = await makeEngine({ git: { mark: broken } });
    for (const worktree of [undefined, true]) {
      const id = await running(engine, { worktree });
      await ended(engine, id);
      expect(get(engine, id).status).toBe('completed');
    }
    const other = await makeEngine({ git: { mark: async () => 'm', since: broken } });
    const id = await running(other);
    await ended(other, id);
    expect(get(other, id)).toMatchObject({ status: 'completed', changes: undefined });
    expect([...engine.errors, ...other.errors]).toEqual(Array.from({ length: 3 }, () => new Error('git is broken')));
  });
});

describe('a start on a full disk', () => {
  it('leaves the session in the line where its intent cannot be written', async () => {
    let isFull = true;
    const engine = await makeEngine({
      refuse({ name }) {
        if (!isFull || name !== 'session.starting') return;
        engine.settings.guard = 'the disk is full';
        fail('STORAGE_FULL', 'Full.');
      },
    });
    const id = await started(engine);
    expect(get(engine, id)).toMatchObject({ status: 'queued', run: 0 });
    isFull = false;
    engine.settings.guard = undefined;
    engine.queue.admit();
    await engine.settle();
    expect(get(engine, id)).toMatchObject({ status: 'starting', run: 1 });
    expect(engine.errors).toEqual([]);
  });

  it('tells that a prompt did not reach the agent when there is space again, and follows the run meanwhile', async () => {
    let isFull = true;
    const engine = await makeEngine({
      refuse: ({ name }) => (isFull && name === 'session.undelivered' ? fail('STORAGE_FULL', 'Full.') : undefined),
    });
    const id = await running(engine);
    const { promptId } = await prompt(engine, id, 'a');
    engine.run(id).say({ kind: 'undelivered', promptId, reason: 'gone' });
    await engine.settle();
    expect(engine.queue.line().active).toHaveLength(1);
    isFull = false;
    engine.clock.advance(1000);
    await engine.settle();
    expect(get(engine, id).prompts).toMatchObject([{ state: 'failed', reason: 'gone' }]);
    await ended(engine, id);
    expect(get(engine, id).status).toBe('completed');
  });
});

describe('a run whose task cannot be read any more', () => {
  it('starts all the same, without being told of the file', async () => {
    const engine = await makeEngine({ tasks: { get: async () => fail('TASK_UNREADABLE', 'It is broken.') } });
    const id = await started(engine);
    expect(engine.run(id).spec?.briefing).toContain(`You work as session ${id}`);
    expect(engine.run(id).spec?.briefing).not.toContain('task file');
  });
});

describe('what a run says', () => {
  it('is told to who listens and changes nothing', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    const told: unknown[] = [];
    engine.ledger.subscribe((event) => told.push(event));
    const before = get(engine, id);
    engine.run(id).say({ kind: 'spoke', bytes: 7 });
    await engine.settle();
    expect(told).toEqual([{ name: 'session.spoke', sessionId: id, bytes: 7 }]);
    expect(get(engine, id)).toBe(before);
  });
});

describe('a run whose log cannot be read', () => {
  it('ends all the same, and its retry begins anew', async () => {
    const engine = await makeEngine({ log: 'broken' });
    const id = await running(engine);
    await ended(engine, id, 1, { result: limited });
    expect(get(engine, id)).toMatchObject({ status: 'queued', resumes: false });
    const plain = await running(engine, { agent: 'plain' });
    await ended(engine, plain, 0, { result: undefined });
    expect(get(engine, plain)).toMatchObject({ status: 'completed', result: { text: '' } });
    expect(engine.errors).toEqual(Array.from({ length: 2 }, () => new Error('the log is broken')));
  });
});

describe('a start for which the machine has no file or process left', () => {
  it('is made again after a rest, as the next run at the same place in the line, and can be cancelled meanwhile', async () => {
    let isShort = true;
    const engine = await makeEngine({
      start: () => {
        if (isShort) throw Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' });
      },
    });
    const ids = [await started(engine), await started(engine)];
    const [id = '', other = ''] = ids;
    await engine.settle();
    expect(engine.orchestrator.view(get(engine, id))).toMatchObject({ status: 'queued', cause: { kind: 'spawn_failed' } });
    expect(get(engine, id).cause?.reason).toContain('EMFILE');
    await engine.orchestrator.cancel(other, { by: 'me' });
    isShort = false;
    engine.clock.advance(10_000);
    await engine.settle();
    expect(get(engine, id)).toMatchObject({ status: 'starting', run: 2 });
    expect(engine.run(id).spec?.messages).toHaveLength(1);
    await ended(engine, id);
    expect(ids.map((one) => get(engine, one).status)).toEqual(['completed', 'cancelled']);
  });
});
