// The line through the whole core: what waits and why, moves, pauses, patience, delegation and retries.
import { describe, expect, it } from 'vitest';
import { scopedTo } from '../../core/scope.ts';
import type { Caller } from '../../core/start.ts';
import { caller, type Engine, type EngineOptions, makeEngine } from '../support/engine.ts';

const process = { pid: 4242, startedAt: '99' };
const request = { taskId: 'fix-login', type: 'autonomous', queue: true } as const;
const prompt = (text: string) => ({ ...request, taskId: undefined, prompt: text });

async function start(engine: Engine, more: object = {}, by: Caller = caller): Promise<string> {
  const { session } = await engine.orchestrator.start({ ...request, ...more }, by);
  await engine.settle();
  return session.id;
}
async function running(engine: Engine, more: object = {}, by: Caller = caller): Promise<string> {
  const id = await start(engine, more, by);
  engine.run(id).say({ kind: 'started', process });
  await engine.settle();
  return id;
}
const one = (config: EngineOptions['config'] = {}) =>
  makeEngine({ config: { ...config, resources: { maxConcurrentSessions: 1, ...config.resources } } });
const status = (engine: Engine, id: string) => engine.orchestrator.get(id).status;
const view = (engine: Engine, id: string) => engine.orchestrator.detailed(engine.orchestrator.get(id));
const as = (sessionId: string): Caller => ({ ...caller, sessionId });

describe('a session in the line', () => {
  it('waits for the session that works on its task, unless it may run beside it', async () => {
    const engine = await makeEngine();
    const first = await running(engine);
    const second = await start(engine);
    expect(view(engine, second)).toMatchObject({
      status: 'queued',
      position: 1,
      reason: `waits for session ${first}, which works on the same task`,
    });
    expect(status(engine, await start(engine, { concurrent: true }))).toBe('starting');
    await expect(engine.orchestrator.start({ ...request, queue: false }, caller)).rejects.toMatchObject({ code: 'TASK_BUSY' });
  });

  it('waits for its time', async () => {
    const engine = await makeEngine();
    const id = await start(engine, { notBefore: new Date(engine.clock.now() + 60_000).toISOString() });
    expect(view(engine, id).reason).toMatch(/^waits until 2026-/);
    engine.clock.advance(59_000);
    await engine.settle();
    expect(status(engine, id)).toBe('queued');
    engine.clock.advance(3_000);
    await engine.settle();
    expect(status(engine, id)).toBe('starting');
    await expect(engine.orchestrator.start({ ...request, notBefore: 'soon' }, caller)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
  });

  it('is told when it may start, from the durations of sessions like those before it', async () => {
    const engine = await one();
    const first = await running(engine);
    const waiting = await start(engine, { taskId: 'other' });
    expect(view(engine, waiting).estimatedStart).toBeUndefined();
    engine.clock.advance(10_000);
    engine.run(first).end(0);
    await engine.settle();
    engine.run(waiting).say({ kind: 'started', process });
    await engine.settle();
    const now = engine.clock.now();
    const next = await start(engine, { concurrent: true });
    const last = await start(engine, { concurrent: true, notBefore: new Date(now + 60_000).toISOString() });
    expect(view(engine, next).estimatedStart).toBe(new Date(now + 10_000).toISOString());
    expect(view(engine, last).estimatedStart).toBe(new Date(now + 60_000).toISOString());
    await engine.orchestrator.pause({ by: 'me' });
    expect(view(engine, next).estimatedStart).toBeUndefined();
  });

  it('is moved by priority or place, and keeps its place over a restart', async () => {
    const engine = await one();
    await running(engine);
    const ids = [await start(engine, prompt('a')), await start(engine, prompt('b')), await start(engine, prompt('c'))];
    const [a = '', b = '', c = ''] = ids;
    const order = (of: Engine) => of.queue.line().waiting.map(({ sessionId }) => sessionId);
    expect((await engine.orchestrator.move(c, { place: 1 }, 'me')).orderKey).toBeLessThan(engine.orchestrator.get(a).orderKey);
    expect(order(engine)).toEqual([c, a, b]);
    await engine.orchestrator.move(c, { place: 2 }, 'me');
    expect(order(engine)).toEqual([a, c, b]);
    await engine.orchestrator.move(a, { place: 9 }, 'me');
    expect(order(engine)).toEqual([c, b, a]);
    await engine.orchestrator.move(b, { priority: 'high' }, 'me');
    expect(order(engine)).toEqual([b, c, a]);
    await expect(engine.orchestrator.move(b, { priority: 'urgent' }, 'me')).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(order(engine)).toEqual([b, c, a]);
    const fresh = await makeEngine({
      events: engine.events,
      clock: engine.clock,
      config: { resources: { maxConcurrentSessions: 1 } },
    });
    expect(order(fresh)).toEqual([b, c, a]);
    await expect(engine.orchestrator.move([...engine.runs.keys()][0] ?? '', { place: 1 }, 'me')).rejects.toMatchObject({
      code: 'NOT_QUEUED',
    });
  });

  it('is cancelled with all the others when the line is cleared', async () => {
    const engine = await one();
    const first = await running(engine);
    const ids = [await start(engine, prompt('a')), await start(engine, prompt('b'))];
    expect(await engine.orchestrator.clear('interactive', { by: 'me' })).toEqual([]);
    expect(await engine.orchestrator.clear(undefined, { by: 'me', reason: 'over' })).toEqual(ids);
    for (const id of ids)
      expect(engine.orchestrator.get(id)).toMatchObject({ status: 'cancelled', cause: { by: 'me', reason: 'over' } });
    expect(status(engine, first)).toBe('running');
    const told = engine.events.slice(-3).map(({ name, data }) => ({ name, data }));
    expect(told).toMatchObject([
      { name: 'queue.cleared', data: { count: 2, sessionIds: ids } },
      { name: 'session.cancelled' },
      { name: 'session.cancelled' },
    ]);
  });

  it('waits while the line is paused, also over a restart', async () => {
    const engine = await makeEngine();
    await engine.orchestrator.pause({ by: 'me', reason: 'deploy' });
    await engine.orchestrator.pause({ by: 'me' });
    const id = await start(engine);
    expect(view(engine, id).reason).toBe('waits while the line is paused');
    const fresh = await makeEngine({ events: engine.events, clock: engine.clock });
    await fresh.settle();
    expect(status(fresh, id)).toBe('queued');
    await fresh.orchestrator.resume('me');
    await fresh.orchestrator.resume('me');
    await fresh.settle();
    expect(status(fresh, id)).toBe('starting');
    expect(fresh.events.filter(({ name }) => name.startsWith('queue.')).map(({ name }) => name)).toEqual([
      'queue.paused',
      'queue.resumed',
    ]);
  });

  it('fails when it waited too long, but not while the line is paused', async () => {
    const engine = await one({ queue: { timeoutMs: 5000 } });
    await running(engine);
    const id = await start(engine, prompt('a'));
    await engine.orchestrator.pause({ by: 'me' });
    engine.clock.advance(7000);
    await engine.settle();
    expect(status(engine, id)).toBe('queued');
    await engine.orchestrator.resume('me');
    engine.clock.advance(1000);
    await engine.settle();
    expect(engine.orchestrator.get(id)).toMatchObject({ status: 'failed', cause: { kind: 'queue_timeout' } });
  });

  it('is refused when its client has enough in the line, and when it is urgent without leave', async () => {
    const engine = await one({ queue: { maxPerUser: 1 } });
    await running(engine);
    await start(engine, prompt('a'));
    await expect(engine.orchestrator.start(prompt('b'), caller)).rejects.toMatchObject({
      code: 'QUEUE_FULL',
      message: /1 sessions of a test wait/,
    });
    await expect(
      engine.orchestrator.start({ ...prompt('b'), priority: 'urgent' }, { ...caller, by: 'another' }),
    ).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    const open = await one({ queue: { allowUrgent: true } });
    await running(open);
    await start(open, { ...prompt('a'), priority: 'highest' });
    const urgent = await start(open, { ...prompt('b'), priority: 'urgent' });
    expect(open.queue.line().waiting[0]?.sessionId).toBe(urgent);
  });
});

describe('delegation', () => {
  it('lends the slot of a parent that waits, three levels deep, with one slot', async () => {
    const engine = await one();
    const parent = await running(engine);
    const child = await start(engine, prompt('child'), as(parent));
    expect(engine.orchestrator.get(child)).toMatchObject({ parentId: parent, by: `session ${parent}`, status: 'queued' });
    const outer = engine.orchestrator.wait({ sessionIds: [child], until: 'all', timeoutMs: 60_000 }, parent);
    await engine.settle();
    engine.run(child).say({ kind: 'started', process });
    await engine.settle();
    const grandchild = await start(engine, prompt('grandchild'), as(child));
    const inner = engine.orchestrator.wait({ sessionIds: [grandchild], until: 'all', timeoutMs: 60_000 }, child);
    await engine.settle();
    engine.run(grandchild).end(0);
    expect((await inner).sessions).toMatchObject([{ status: 'completed' }]);
    engine.run(child).end(0);
    expect((await outer).sessions).toMatchObject([{ status: 'completed' }]);
    engine.run(parent).end(0);
    await engine.settle();
    expect(status(engine, parent)).toBe('completed');
  });

  it('lends nothing to a wait for strangers, and goes on in debt when a wait ends early', async () => {
    const engine = await one();
    const parent = await running(engine);
    const stranger = await start(engine, prompt('stranger'));
    const idle = engine.orchestrator.wait({ sessionIds: [stranger], until: 'all', timeoutMs: 1000 }, parent);
    await engine.settle();
    expect(status(engine, stranger)).toBe('queued');
    engine.clock.advance(1000);
    expect((await idle).timedOut).toBe(true);
    const child = await start(engine, prompt('child'), as(parent));
    const wait = engine.orchestrator.wait({ sessionIds: [child], until: 'all', timeoutMs: 1000 }, parent);
    await engine.settle();
    expect(status(engine, child)).toBe('starting');
    engine.clock.advance(1000);
    await wait;
    engine.run(child).end(0);
    await engine.settle();
    expect(status(engine, stranger)).toBe('queued');
  });

  it('has limits of depth, of children, of the whole tree, and refuses a task that is worked on', async () => {
    const engine = await makeEngine({
      config: { resources: { maxConcurrentSessions: 9 }, delegation: { maxDepth: 1, maxChildren: 2, maxPerRoot: 3 } },
    });
    const root = await running(engine);
    await expect(engine.orchestrator.start(request, as(root))).rejects.toMatchObject({ code: 'TASK_BUSY' });
    const child = await running(engine, { ...prompt('a') }, as(root));
    await expect(engine.orchestrator.start(prompt('x'), as(child))).rejects.toMatchObject({
      code: 'DEPTH_EXCEEDED',
      message: /1 levels deep/,
    });
    await running(engine, prompt('b'), as(root));
    await expect(engine.orchestrator.start(prompt('c'), as(root))).rejects.toMatchObject({
      code: 'DEPTH_EXCEEDED',
      message: /2 are allowed/,
    });
    engine.run(child).end(0);
    await engine.settle();
    const third = await running(engine, prompt('c'), as(root));
    engine.run(third).end(0);
    await engine.settle();
    await expect(engine.orchestrator.start(prompt('d'), as(root))).rejects.toMatchObject({
      code: 'DEPTH_EXCEEDED',
      message: /3 sessions came of/,
    });
  });

  it('cancels descendants first, unless they are to be kept', async () => {
    const engine = await makeEngine();
    const root = await running(engine);
    const child = await running(engine, prompt('a'), as(root));
    const grandchild = await running(engine, prompt('b'), as(child));
    await engine.orchestrator.cancel(child, { by: 'me', children: false });
    expect([status(engine, child), status(engine, grandchild)]).toEqual(['stopping', 'running']);
    await engine.orchestrator.cancel(root, { by: 'me' });
    expect([status(engine, root), status(engine, grandchild)]).toEqual(['stopping', 'stopping']);
    const order = engine.events
      .filter(({ name }) => name === 'session.stopping')
      .map(({ data }) => ('sessionId' in data ? data.sessionId : ''));
    expect(order).toEqual([child, grandchild, root]);
  });

  it('lets a session cancel what came of it, and nothing else', async () => {
    const engine = await makeEngine();
    const root = await running(engine);
    const child = await running(engine, prompt('a'), as(root));
    await expect(scopedTo(engine.orchestrator, child).cancel(root, { by: 'child' })).rejects.toMatchObject({
      code: 'OUTSIDE_TREE',
    });
    expect((await scopedTo(engine.orchestrator, root).cancel(child, { by: 'root' })).status).toBe('stopping');
  });

  it('does not let a child wait for ever for a machine that has no room for it', async () => {
    const engine = await one();
    const parent = await running(engine);
    const child = await start(engine, prompt('child'), as(parent));
    engine.settings.guard = 'only 10 MB of memory are free';
    const wait = engine.orchestrator.wait({ sessionIds: [child], until: 'all', timeoutMs: 60_000 }, parent);
    await engine.settle();
    engine.clock.advance(1000);
    expect((await wait).sessions).toMatchObject([
      { status: 'failed', cause: { kind: 'queue_timeout', reason: 'only 10 MB of memory are free' } },
    ]);
  });
});

describe('a retry', () => {
  const limited = { text: 'limit', isError: true, errorKind: 'rate_limited' as const };
  const begun: EngineOptions = { log: [{ seq: '1:0.0', kind: 'text', text: 'begun' }] };

  it('waits for the reset that the agent reports, and goes on with the conversation', async () => {
    const engine = await makeEngine(begun);
    const id = await running(engine);
    const conversation = engine.run(id).spec?.conversationId;
    const reset = engine.clock.now() + 3_600_000;
    engine.run(id).end(1, { result: { ...limited, resetsAt: new Date(reset).toISOString() } });
    await engine.settle();
    expect(engine.orchestrator.get(id)).toMatchObject({
      status: 'queued',
      run: 1,
      cause: { kind: 'rate_limited' },
      notBefore: reset,
    });
    expect(view(engine, id).reason).toBe(`waits until ${new Date(reset).toISOString()}`);
    engine.clock.advance(3_599_000);
    await engine.settle();
    expect(status(engine, id)).toBe('queued');
    engine.clock.advance(3_000);
    await engine.settle();
    expect(engine.run(id).spec).toMatchObject({
      run: 2,
      resume: true,
      conversationId: conversation,
      messages: [{ text: expect.stringContaining('go on from there') }],
    });
    engine.run(id).end(0);
    await engine.settle();
    expect(engine.orchestrator.get(id)).toMatchObject({ status: 'completed', cause: { kind: 'done' } });
    expect(
      engine.orchestrator
        .get(id)
        .history.map(({ text }) => text)
        .join('\n'),
    ).toContain('is tried again after');
  });

  it.each([
    ['nothing was said', {}],
    ['resuming is off', { ...begun, config: { queue: { retryPolicy: { resume: false } } } }],
  ])('begins anew where %s', async (_why, options: EngineOptions) => {
    const engine = await makeEngine(options);
    const id = await running(engine);
    const first = engine.run(id).spec?.conversationId;
    engine.run(id).end(1, { result: limited });
    await engine.settle();
    engine.clock.advance(10_000);
    await engine.settle();
    expect(engine.run(id).spec).toMatchObject({
      run: 2,
      resume: false,
      messages: [{ text: expect.stringContaining('Do fix-login') }],
    });
    expect(engine.run(id).spec?.conversationId).not.toBe(first);
  });

  it('ends when there were enough, is not made after a cancel, and not for what the policy leaves out', async () => {
    const engine = await makeEngine({ config: { queue: { retryPolicy: { attempts: 2, minDelayMs: 1000 } } } });
    const id = await running(engine);
    engine.run(id).end(1, { result: limited });
    await engine.settle();
    engine.clock.advance(5000);
    await engine.settle();
    engine.run(id).end(1, { result: limited });
    await engine.settle();
    expect(engine.orchestrator.get(id)).toMatchObject({ status: 'failed', run: 2, cause: { kind: 'rate_limited' } });
    const other = await running(engine, prompt('a'));
    engine.run(other).end(1, { result: { text: 'no', isError: true } });
    await engine.settle();
    expect(status(engine, other)).toBe('failed');
    const third = await running(engine, prompt('b'));
    await engine.orchestrator.cancel(third, { by: 'me' });
    engine.run(third).end(1, { result: limited });
    await engine.settle();
    expect(status(engine, third)).toBe('cancelled');
  });

  it('is made for a model API that failed for a moment, with growing pauses', async () => {
    const engine = await makeEngine({ config: { queue: { retryPolicy: { minDelayMs: 1000, factor: 4 } } } });
    const id = await running(engine);
    const times: number[] = [];
    for (let run = 1; run < 3; run++) {
      engine.run(id).end(1, { result: { text: '529', isError: true, isTransient: true } });
      await engine.settle();
      times.push((engine.orchestrator.get(id).notBefore ?? 0) - engine.clock.now());
      engine.clock.advance(20_000);
      await engine.settle();
    }
    expect(times).toEqual([1000, 4000]);
  });

  it('keeps count of what all runs cost', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    engine.run(id).end(1, { result: { ...limited, costUsd: 0.25 } });
    await engine.settle();
    engine.clock.advance(10_000);
    await engine.settle();
    engine.run(id).end(0, { result: { text: 'ok', isError: false, costUsd: 0.5 } });
    await engine.settle();
    expect(view(engine, id)).toMatchObject({ status: 'completed', costUsd: 0.75, run: 2 });
  });

  it('can be cancelled while it waits', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    engine.run(id).end(1, { result: limited });
    await engine.settle();
    expect((await engine.orchestrator.cancel(id, { by: 'me' })).status).toBe('cancelled');
    engine.clock.advance(60_000);
    await engine.settle();
    expect(engine.orchestrator.get(id).run).toBe(1);
  });
});
