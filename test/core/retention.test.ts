// What is cleaned up, what never is, and that a removal is a fact with everything that belongs to it.
import { describe, expect, it } from 'vitest';
import { Config } from '../../core/config.ts';
import { overdue, startRetention } from '../../core/retention.ts';
import type { Session } from '../../core/session.ts';
import { caller, type Engine, makeEngine } from '../support/engine.ts';

const DAY = 86_400_000;
const policy = (over: Partial<Config['cleanup']> = {}) =>
  Config.parse({ cleanup: { retainSessionLogsForMs: 10 * DAY, keepSessions: 100, cleanupIntervalMs: 60_000, ...over } }).cleanup;
const now = 100 * DAY;

let made = 0;
function session(over: Partial<Session>): Session {
  const seq = ++made;
  return {
    id: `s-${seq}`,
    type: 'autonomous',
    taskId: 'task',
    taskTitle: 'T',
    agent: 'demo',
    cwd: '/w',
    priority: 'medium',
    orderKey: 1,
    orderSeq: 1,
    status: 'completed',
    prompt: 'p',
    customPrompts: [],
    by: 'test',
    run: 1,
    queuedAt: 0,
    settledAt: now,
    createdSeq: seq,
    queuedSeq: seq,
    seq,
    history: [],
    ...over,
  };
}

const removed = (sessions: readonly Session[], over: Partial<Config['cleanup']> = {}) =>
  overdue(sessions, policy(over), now).map(({ sessionId, reason }) => `${sessionId} ${reason}`);

describe('what is to be removed', () => {
  it('is what settled longer ago than sessions are kept', () => {
    const [old, young, newest] = [session({ settledAt: now - 11 * DAY }), session({ settledAt: now - 9 * DAY }), session({})];
    expect(removed([old, young, newest])).toEqual([`${old.id} age`]);
  });

  it('is what is more than are kept, the oldest first', () => {
    const sessions = [3, 1, 2, 0].map((age) => session({ settledAt: now - age * DAY }));
    expect(removed(sessions, { keepSessions: 2 })).toEqual([`${sessions[0]?.id} count`, `${sessions[2]?.id} count`]);
    expect(removed(sessions, { keepSessions: 0 })).toHaveLength(4);
  });

  it('is never what has not settled or what is pinned', () => {
    const settledAt = now - 50 * DAY;
    const runs = session({ status: 'running', settledAt: undefined });
    const waits = session({ status: 'queued', settledAt: undefined });
    const pinned = session({ settledAt, pinned: true });
    const gone = session({ settledAt });
    const sessions = [runs, waits, pinned, gone, session({})];
    expect(removed(sessions)).toEqual([`${gone.id} age`]);
    expect(removed(sessions, { keepSessions: 0 })).toHaveLength(2);
  });

  it('is not the newest of its task for its age, and is that too where there are more than are kept', () => {
    const settledAt = now - 50 * DAY;
    const sessions = ['one', 'two', 'three'].map((taskId) => session({ settledAt, taskId }));
    expect(removed(sessions)).toEqual([]);
    expect(removed(sessions, { keepSessions: 2 })).toEqual([`${sessions[0]?.id} count`]);
  });

  it('is what is old though it is the newest of its task, where that was made for its prompt', () => {
    const settledAt = now - 50 * DAY;
    const [alone, gone] = ['alone', 'gone on with'].map((taskId) => session({ settledAt, taskId, madeTask: true }));
    const later = session({ settledAt, taskId: 'gone on with' });
    expect(removed([alone, gone, later].filter((one) => one !== undefined))).toEqual([`${alone?.id} age`, `${gone?.id} age`]);
  });

  it('is never a session above one that has not settled, however far, and is it when that has', () => {
    const settledAt = now - 50 * DAY;
    const root = session({ settledAt });
    const middle = session({ settledAt, parentId: root.id });
    const child = session({ status: 'running', settledAt: undefined, parentId: middle.id });
    const newest = session({});
    expect(removed([root, middle, child, newest])).toEqual([]);
    expect(removed([root, middle, { ...child, status: 'failed', settledAt }, newest])).toHaveLength(3);
  });

  it('copes with parents that are gone or form a ring', () => {
    const settledAt = now - 50 * DAY;
    const ring = session({ settledAt });
    const other = session({ settledAt, parentId: ring.id });
    const child = session({ status: 'running', settledAt: undefined, parentId: other.id });
    const orphan = session({ settledAt, parentId: 'gone' });
    expect(removed([{ ...ring, parentId: other.id }, other, child, orphan, session({})])).toEqual([`${orphan.id} age`]);
  });
});

describe('cleaning up', () => {
  async function withSessions(count: number): Promise<{ engine: Engine; ids: string[] }> {
    const engine = await makeEngine({
      // days pass here: the line need not be looked at every second of them
      config: {
        queue: { processingIntervalMs: 60_000 },
        cleanup: { cleanupIntervalMs: 60_000, retainSessionLogsForMs: 10 * DAY, keepSessions: 2 },
      },
    });
    const ids: string[] = [];
    for (let n = 0; n < count; n++) {
      const { session } = await engine.orchestrator.start(
        { taskId: 'fix-login', type: 'autonomous', queue: true, requestKey: `k-${n}` },
        caller,
      );
      await engine.settle();
      engine.run(session.id).say({ kind: 'started', process: { pid: 1, startedAt: 'x' } });
      engine.run(session.id).end(0);
      await engine.settle();
      ids.push(session.id);
    }
    return { engine, ids };
  }

  it('removes by the clock, as facts, with the folders after them', async () => {
    const { engine, ids } = await withSessions(4);
    const folders: string[] = [];
    const retention = startRetention({
      ...engine,
      settings: { current: () => engine.settings.config },
      removeFolders: async (gone) => void folders.push(...gone),
      onError: (error) => engine.errors.push(error),
    });
    engine.clock.advance(60_000);
    await engine.settle();
    expect([...engine.ledger.sessions()].map(({ id }) => id)).toEqual(ids.slice(2));
    expect(folders).toEqual(ids.slice(0, 2));
    expect(engine.events.filter(({ name }) => name === 'session.removed').map(({ data }) => data)).toEqual(
      ids.slice(0, 2).map((sessionId) => ({ sessionId, reason: 'count' })),
    );
    engine.clock.advance(11 * DAY);
    await engine.settle();
    engine.clock.advance(60_000);
    await engine.settle();
    expect([...engine.ledger.sessions()].map(({ id }) => id)).toEqual(ids.slice(3));
    retention.close();
    expect(engine.errors).toEqual([]);
    const again = await makeEngine({ events: engine.events });
    expect([...again.ledger.sessions()].map(({ id }) => id)).toEqual(ids.slice(3));
  });

  it('removes what was started by a prompt alone when it is old enough, and not what was started on a task', async () => {
    const engine = await makeEngine({ config: { cleanup: { cleanupIntervalMs: 60_000, retainSessionLogsForMs: 10 * DAY } } });
    const ids: string[] = [];
    for (const what of [{ prompt: 'Look around.' }, { taskId: 'fix-login' }, { taskId: 'other', prompt: 'Look here.' }]) {
      const { session } = await engine.orchestrator.start({ ...what, type: 'autonomous', queue: true }, caller);
      ids.push(session.id);
      await engine.settle();
      engine.run(session.id).end(0);
      await engine.settle();
    }
    const next = await makeEngine({ events: engine.events });
    const sessions = [...next.ledger.sessions()];
    expect(overdue(sessions, next.settings.config.cleanup, engine.clock.now() + 400 * DAY)).toEqual([
      { sessionId: ids[0], reason: 'age' },
    ]);
  });

  it('leaves what was pinned, over a restart too, until it is let go', async () => {
    const first = await withSessions(4);
    const [oldest = '', second = '', ...kept] = first.ids;
    expect(await first.engine.orchestrator.pin(oldest, { pinned: true }, 'me')).toMatchObject({ id: oldest, pinned: true });
    await first.engine.orchestrator.pin(oldest, { pinned: true }, 'me');
    expect(first.engine.events.filter(({ name }) => name === 'session.pinned').map(({ data }) => data)).toEqual([
      { sessionId: oldest, pinned: true, by: 'me' },
    ]);
    expect(first.engine.orchestrator.view(first.engine.orchestrator.get(oldest)).pinned).toBe(true);
    const engine = await makeEngine({ events: first.engine.events });
    const retention = startRetention({
      ...engine,
      settings: { current: () => first.engine.settings.config },
      removeFolders: async () => {},
      onError: (error) => engine.errors.push(error),
    });
    expect(await retention.sweep()).toEqual([second]);
    await engine.orchestrator.pin(oldest, { pinned: false }, 'me');
    expect(engine.orchestrator.view(engine.orchestrator.get(oldest)).pinned).toBeUndefined();
    expect(await retention.sweep()).toEqual([oldest]);
    expect([...engine.ledger.sessions()].map(({ id }) => id)).toEqual(kept);
    retention.close();
  });

  it('does nothing by itself where that is off, and does it when asked', async () => {
    const { engine } = await withSessions(4);
    engine.settings.config.cleanup.autoCleanupCompletedSessions = false;
    const retention = startRetention({
      ...engine,
      settings: { current: () => engine.settings.config },
      removeFolders: async () => {},
      onError: () => {},
    });
    engine.clock.advance(600_000);
    await engine.settle();
    expect([...engine.ledger.sessions()]).toHaveLength(4);
    expect(await retention.sweep()).toHaveLength(2);
    retention.close();
    engine.settings.config.cleanup.autoCleanupCompletedSessions = true;
    engine.clock.advance(600_000);
    expect(await engine.settle()).toBeUndefined();
  });

  it('keeps the request key of a removed session for as long as sessions are kept, so that a late retry starts nothing', async () => {
    const { engine, ids } = await withSessions(3);
    const retention = startRetention({
      ...engine,
      settings: { current: () => engine.settings.config },
      removeFolders: async () => {},
      onError: () => {},
    });
    expect(await retention.sweep()).toEqual(ids.slice(0, 1));
    const again = () =>
      engine.orchestrator.start({ taskId: 'fix-login', type: 'autonomous', queue: true, requestKey: 'k-0' }, caller);
    await expect(again()).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND', message: expect.stringContaining(ids[0] ?? '') });
    engine.clock.advance(11 * DAY);
    await engine.settle();
    engine.clock.advance(60_000);
    await engine.settle();
    expect((await again()).session.status).toMatch(/queued|starting/);
    retention.close();
  });

  it('goes on with folders that a crash left behind, and tells of what it cannot do', async () => {
    const { engine, ids } = await withSessions(3);
    const first = startRetention({
      ...engine,
      settings: { current: () => engine.settings.config },
      removeFolders: async (gone) => (gone.length > 0 ? Promise.reject(new Error('EBUSY')) : undefined),
      onError: (error) => engine.errors.push(error),
    });
    engine.clock.advance(60_000);
    await engine.settle();
    expect(engine.errors).toEqual([new Error('EBUSY')]);
    first.close();
    const folders: string[] = [];
    const second = startRetention({
      ...engine,
      settings: { current: () => engine.settings.config },
      removeFolders: async (gone) => void folders.push(...gone),
      onError: () => {},
    });
    expect(await second.sweep()).toEqual([]);
    expect(folders).toEqual(ids.slice(0, 1));
    second.close();
  });
});
