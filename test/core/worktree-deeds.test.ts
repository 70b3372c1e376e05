// What calls and the cleanup do with worktrees, over real ones: who may be removed, what stays for a session that can go on, what the answer says.
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startRetention } from '../../core/retention.ts';
import { removeWorktreesOf, type WorktreeDeeds, worktreeDeeds } from '../../core/worktree-deeds.ts';
import { openWorktreeRig, type WorktreeRig } from '../runners/worktree-rig.ts';
import { caller, type Engine, makeEngine } from '../support/engine.ts';

let rig: WorktreeRig;
let engine: Engine;
let deeds: WorktreeDeeds;

// each test starts git dozens of times, which takes long on a busy machine
vi.setConfig({ testTimeout: 120_000 });

beforeEach(async () => {
  rig = await openWorktreeRig();
  engine = await makeEngine({ config: { cleanup: { keepSessions: 1 } }, openWorktree: (want) => rig.worktrees.open(want) });
  deeds = worktreeDeeds(engine.ledger, rig.worktrees);
});
afterEach(() => rig.close());

/** A session with a worktree, running or settled. */
async function sessionWith({ isSettled = true, branch }: { isSettled?: boolean; branch?: string } = {}): Promise<string> {
  const { session } = await engine.orchestrator.start(
    { taskId: 'fix-login', type: 'autonomous', queue: true, concurrent: true, worktree: branch },
    caller,
  );
  await expect.poll(() => engine.runs.has(session.id), { timeout: 60_000 }).toBe(true);
  engine.run(session.id).say({ kind: 'started', process: { pid: 1, startedAt: 'x' } });
  if (isSettled) engine.run(session.id).end(0);
  await engine.settle();
  if (branch === undefined) await rig.worktrees.open({ sessionId: session.id });
  return session.id;
}
const work = (sessionId: string) => rig.repository.write(path.join(rig.folderOf(sessionId), 'work.txt'), 'x\n');

describe('a call', () => {
  it('removes the worktree of a settled session and keeps the branch it can go on from', async () => {
    const id = await sessionWith();
    expect(await deeds.remove(id, { force: false })).toEqual({
      isRemoved: true,
      path: rig.folderOf(id),
      branch: `scopecraft/${id}`,
    });
    expect([await rig.recorded(), await rig.branches()]).toEqual([[], ['main', `scopecraft/${id}`]]);
  });

  it('leaves work in it alone unless it is forced', async () => {
    const id = await sessionWith();
    await work(id);
    const stays = { isRemoved: false, reason: '1 file is not committed.', path: rig.folderOf(id), branch: `scopecraft/${id}` };
    expect(await deeds.remove(id, { force: false })).toEqual(stays);
    const [found] = await deeds.list();
    expect(found && (await deeds.holds(found))).toBe(stays.reason);
    expect(await deeds.remove(id, { force: true })).toMatchObject({ isRemoved: true });
    expect(await rig.recorded()).toEqual([]);
  });

  it('never removes the worktree of a session that has not settled, forced or not', async () => {
    const id = await sessionWith({ isSettled: false });
    for (const force of [false, true])
      expect(await deeds.remove(id, { force })).toMatchObject({
        isRemoved: false,
        reason: expect.stringContaining(`session ${id} is running`),
      });
    expect(await rig.recorded()).toEqual([rig.folderOf(id)]);
  });

  it('removes that of a session that is gone with its branch, and knows no session that never was', async () => {
    await rig.worktrees.open({ sessionId: 'gone-1' });
    expect(await deeds.remove('gone-1', { force: false })).toEqual({ isRemoved: true, path: rig.folderOf('gone-1') });
    expect(await rig.branches()).toEqual(['main']);
    await expect(deeds.remove('gone-1', { force: false })).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
  });

  it('that is made again is answered as before, also where nothing of the worktree is left', async () => {
    const ids = [await sessionWith(), await sessionWith({ branch: 'feature/login' })];
    for (const id of ids) {
      const removed = await deeds.remove(id, { force: false });
      expect(removed).toMatchObject({ isRemoved: true, path: rig.folderOf(id) });
      expect(await deeds.remove(id, { force: false })).toEqual(removed);
    }
  });

  it('says so where a session has none, or where there are none at all', async () => {
    const id = await sessionWith();
    await deeds.remove(id, { force: false });
    await rig.repository.git('branch', '-D', `scopecraft/${id}`);
    const none = { isRemoved: false, reason: `session ${id} has no worktree.` };
    expect(await deeds.remove(id, { force: false })).toEqual(none);
    const without = worktreeDeeds(engine.ledger, undefined);
    expect([await without.remove(id, { force: true }), await without.list()]).toEqual([none, []]);
  });
});

describe('the cleanup', () => {
  function retention(removeWorktrees: (ids: readonly string[]) => Promise<void>) {
    const folders: string[] = [];
    const { sweep, close } = startRetention({
      ...engine,
      settings: { current: () => engine.settings.config },
      removeFolders: async (ids) => void folders.push(...ids),
      removeWorktrees,
      onError: (error) => engine.errors.push(error),
    });
    return { sweep, close, folders };
  }

  it('takes the worktrees of removed sessions with it, but for those with work in them, which go when that is done', async () => {
    const [clean, dirty, newest] = [await sessionWith(), await sessionWith(), await sessionWith()];
    await work(dirty);
    const first = retention((ids) => removeWorktreesOf(rig.worktrees, ids));
    expect(await first.sweep()).toEqual([clean, dirty]);
    first.close();
    expect(first.folders).toEqual([clean, dirty]);
    expect(await rig.recorded()).toEqual([rig.folderOf(dirty), rig.folderOf(newest)].toSorted());
    expect(await rig.branches()).toEqual(['main', ...[dirty, newest].map((id) => `scopecraft/${id}`).toSorted()]);
    await rm(path.join(rig.folderOf(dirty), 'work.txt'));
    const next = retention((ids) => removeWorktreesOf(rig.worktrees, ids));
    expect(await next.sweep()).toEqual([]);
    next.close();
    expect(await rig.recorded()).toEqual([rig.folderOf(newest)]);
    expect(engine.errors).toEqual([]);
  });

  it('removes logs all the same when git fails, and tells of that', async () => {
    const [old] = [await sessionWith(), await sessionWith()];
    const { sweep, close, folders } = retention(() => Promise.reject(new Error('no git')));
    expect(await sweep()).toEqual([old]);
    close();
    expect([folders, engine.errors]).toEqual([[old], [new Error('no git')]]);
  });
});
