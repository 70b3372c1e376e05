// The life of sessions through the whole core: started, queued, run, stopped, settled, and taken up again by a new hub.
import { describe, expect, it } from 'vitest';
import { fail } from '../../core/errors.ts';
import type { StoredEvent } from '../../core/events.ts';
import { activeCount } from '../../core/scheduler.ts';
import { sessionWait } from '../../tools/session-wait.ts';
import { callTool } from '../support/call-tool.ts';
import { caller, type Engine, makeEngine } from '../support/engine.ts';

const process = { pid: 4242, startedAt: '99' };
const request = { taskId: 'fix-login', type: 'autonomous', queue: true, concurrent: true } as const;
const taken = ({ queue }: Engine) => activeCount(queue.line());
const waiting = ({ queue }: Engine) => queue.line().waiting.map(({ sessionId }) => sessionId);

async function startedSession(engine: Engine, more: object = {}): Promise<string> {
  const { session } = await engine.orchestrator.start({ ...request, ...more }, caller);
  await engine.settle();
  return session.id;
}

const names = (events: readonly StoredEvent[], id: string) =>
  events.filter(({ data }) => 'sessionId' in data && data.sessionId === id).map(({ name }) => name);

describe('a session', () => {
  it('goes from the line to completed and keeps its result', async () => {
    const engine = await makeEngine();
    const id = await startedSession(engine);
    const run = engine.run(id);
    expect(run.spec).toMatchObject({ run: 1, cwd: '/w', resume: false, env: { PATH: '/bin' } });
    expect(run.spec?.env).not.toHaveProperty('SECRET');
    expect(run.spec?.messages[0]?.text).toContain('Do fix-login.');
    run.say({ kind: 'started', process });
    await engine.settle();
    expect(engine.orchestrator.get(id)).toMatchObject({ status: 'running', process });
    engine.clock.advance(1500);
    run.end(0);
    await engine.settle();
    expect(names(engine.events, id)).toEqual(['session.queued', 'session.starting', 'session.started', 'session.completed']);
    const view = engine.orchestrator.view(engine.orchestrator.get(id));
    expect(view).toMatchObject({
      status: 'completed',
      cause: { kind: 'done' },
      result: 'done',
      costUsd: 0.01,
      turns: 2,
      durationMs: 1500,
    });
    expect(view.next).toBeUndefined();
    expect(taken(engine)).toBe(0);
    expect(engine.errors).toEqual([]);
  });

  it('is stopped when it floods its standard error', async () => {
    const engine = await makeEngine();
    const id = await startedSession(engine);
    engine.run(id).say({ kind: 'started', process });
    engine.run(id).say({ kind: 'complained', bytes: 2 * 1024 ** 3 });
    await engine.settle();
    expect(engine.orchestrator.get(id)).toMatchObject({ status: 'stopping', stop: { kind: 'log_flood' } });
  });

  it('waits while the slots are taken and says for what', async () => {
    const engine = await makeEngine({ config: { resources: { maxConcurrentSessions: 1 } } });
    const first = await startedSession(engine);
    const second = await startedSession(engine, { taskId: 'other', priority: 'low' });
    const third = await startedSession(engine, { taskId: 'other', priority: 'high' });
    const view = engine.orchestrator.view(engine.orchestrator.get(second));
    expect(view).toMatchObject({ status: 'queued', position: 2, reason: 'waits for a slot: 1 of 1 taken and 1 ahead of it' });
    expect(waiting(engine)).toEqual([third, second]);
    expect(engine.orchestrator.line().active.map(({ sessionId }) => sessionId)).toEqual([first]);
    engine.run(first).end(0);
    await engine.settle();
    expect(engine.orchestrator.get(third).status).toBe('starting');
    expect(engine.orchestrator.get(second).status).toBe('queued');
  });

  it('is cancelled out of the line without ever having run', async () => {
    const engine = await makeEngine({ config: { resources: { maxConcurrentSessions: 1 } } });
    await startedSession(engine);
    const id = await startedSession(engine, { taskId: 'other' });
    const session = await engine.orchestrator.cancel(id, { by: 'me', reason: 'no need' });
    expect(session).toMatchObject({ status: 'cancelled', run: 0, cause: { kind: 'cancelled', by: 'me', reason: 'no need' } });
    expect(waiting(engine)).toEqual([]);
    expect(engine.runs.has(id)).toBe(false);
  });

  it('is ended as done at its prompt, and nowhere else', async () => {
    const engine = await makeEngine();
    const { session } = await engine.orchestrator.start({ ...request, type: 'interactive' }, caller);
    await engine.settle();
    const run = engine.run(session.id);
    run.say({ kind: 'started', process: { pid: 1, startedAt: '1' } });
    await engine.settle();
    const done = { by: 'me', reason: 'thanks', done: true, requestKey: 'k' };
    await expect(engine.orchestrator.cancel(session.id, done)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(run.stops).toEqual([]);
    run.say({ kind: 'idle', for: 'prompt', text: 'All done.' });
    await engine.settle();
    expect(engine.orchestrator.view(engine.orchestrator.get(session.id)).next).toContain('"done": true');
    for (const _ of [1, 2]) await engine.orchestrator.cancel(session.id, done);
    expect(run.stops).toEqual([{ kind: 'done', by: 'me', reason: 'thanks' }]);
    expect(engine.orchestrator.get(session.id).status).toBe('stopping');
    run.end(143, { result: { text: 'All done.', isError: false } });
    await engine.settle();
    expect(engine.orchestrator.view(engine.orchestrator.get(session.id))).toMatchObject({
      status: 'completed',
      cause: { kind: 'done', by: 'me', reason: 'thanks' },
      result: 'All done.',
    });
    expect(await engine.orchestrator.cancel(session.id, { by: 'me', done: true })).toMatchObject({ status: 'completed' });
  });

  it('is cancelled while it runs only when its processes are gone', async () => {
    const engine = await makeEngine();
    const id = await startedSession(engine);
    engine.run(id).say({ kind: 'started', process });
    await engine.settle();
    expect((await engine.orchestrator.cancel(id, { by: 'me' })).status).toBe('stopping');
    expect(engine.run(id).stops).toEqual([{ kind: 'cancelled', by: 'me' }]);
    expect(taken(engine)).toBe(1);
    engine.run(id).end(137);
    await engine.settle();
    expect(engine.orchestrator.get(id)).toMatchObject({ status: 'cancelled', cause: { kind: 'cancelled', by: 'me' } });
    expect(taken(engine)).toBe(0);
    expect((await engine.orchestrator.cancel(id, { by: 'you' })).cause).toEqual({ kind: 'cancelled', by: 'me' });
  });

  it('is stopped when it runs longer than it may', async () => {
    const engine = await makeEngine();
    const id = await startedSession(engine, { timeoutSeconds: 2 });
    engine.run(id).say({ kind: 'started', process });
    await engine.settle();
    engine.clock.advance(2001);
    await engine.settle();
    expect(engine.orchestrator.get(id)).toMatchObject({ status: 'stopping', stop: { kind: 'timeout' } });
    engine.run(id).end(143);
    await engine.settle();
    expect(engine.orchestrator.get(id)).toMatchObject({ status: 'failed', cause: { kind: 'timeout' } });
  });

  it('fails with the reason when its agent cannot be started', async () => {
    const engine = await makeEngine({ start: () => fail('AGENT_MISSING', 'It went away.') });
    const id = await startedSession(engine);
    expect(engine.orchestrator.get(id)).toMatchObject({
      status: 'failed',
      cause: { kind: 'spawn_failed', reason: 'It went away.' },
    });
    const summary = `Session ${id} is failed: spawn failed: It went away.`;
    expect(engine.orchestrator.view(engine.orchestrator.get(id)).summary).toBe(summary);
    // there is no log of what never ran
    const answer = await callTool(engine, sessionWait, { sessionIds: [id] });
    expect([answer.summary, answer.next]).toEqual([summary, undefined]);
    expect(taken(engine)).toBe(0);
  });

  it('is not started by a hub that lost the workspace', async () => {
    const engine = await makeEngine({ mayStart: false });
    const id = await startedSession(engine);
    expect(engine.orchestrator.get(id)).toMatchObject({ status: 'queued', run: 0 });
    expect(engine.runs.size).toBe(0);
  });

  it('fails, and the fault is told, when the hub itself has one', async () => {
    const engine = await makeEngine({
      start: () => {
        throw new Error('a bug');
      },
    });
    const id = await startedSession(engine);
    expect(engine.errors).toEqual([new Error('a bug')]);
    expect(engine.orchestrator.get(id)).toMatchObject({ status: 'failed', cause: { kind: 'spawn_failed' } });
    expect(taken(engine)).toBe(0);
  });

  it('carries the output of a plain program as its result', async () => {
    const engine = await makeEngine({ log: [{ seq: '1:0.0', kind: 'output', text: 'all good' }] });
    const id = await startedSession(engine, { agent: 'plain' });
    engine.run(id).end(0, { result: undefined });
    await engine.settle();
    expect(engine.orchestrator.get(id)).toMatchObject({ status: 'completed', result: { text: 'all good', isError: false } });
  });
});

describe('a new hub', () => {
  it('takes up what runs, fills the line in its order, and starts again what never began', async () => {
    const clock = (await makeEngine()).clock;
    const old = await makeEngine({ config: { resources: { maxConcurrentSessions: 2 } }, clock });
    const running = await startedSession(old);
    const begun = await startedSession(old, { taskId: 'other' });
    const low = await startedSession(old, { taskId: 'other', priority: 'low' });
    const high = await startedSession(old, { taskId: 'other', priority: 'high' });
    old.run(running).say({ kind: 'started', process });
    await old.settle();

    const fresh = await makeEngine({
      config: { resources: { maxConcurrentSessions: 2 } },
      clock,
      events: old.events,
      found: (id) => id === running,
    });
    await fresh.settle();
    expect(fresh.orchestrator.get(running).status).toBe('running');
    expect(fresh.orchestrator.get(begun)).toMatchObject({ status: 'starting', run: 2 });
    expect(fresh.run(begun).spec).toMatchObject({ run: 2, resume: false });
    expect(waiting(fresh)).toEqual([high, low]);
    fresh.run(running).end(0);
    await fresh.settle();
    expect(fresh.orchestrator.get(running).status).toBe('completed');
    expect(fresh.orchestrator.get(high).status).toBe('starting');
    expect(fresh.errors).toEqual([]);
  });

  it('starts nothing while more runs live than there are slots', async () => {
    const old = await makeEngine({ config: { resources: { maxConcurrentSessions: 3 } } });
    const ids = [await startedSession(old), await startedSession(old), await startedSession(old)];
    for (const id of ids) old.run(id).say({ kind: 'started', process });
    await old.settle();
    const fresh = await makeEngine({ config: { resources: { maxConcurrentSessions: 1 } }, events: old.events, clock: old.clock });
    const later = await startedSession(fresh);
    expect(taken(fresh)).toBe(3);
    for (const id of ids.slice(0, 2)) fresh.run(id).end(0);
    await fresh.settle();
    expect(fresh.orchestrator.get(later).status).toBe('queued');
    fresh.run(ids[2] ?? '').end(0);
    await fresh.settle();
    expect(fresh.orchestrator.get(later).status).toBe('starting');
  });

  it('goes on with a stop that was asked before', async () => {
    const old = await makeEngine();
    const id = await startedSession(old);
    old.run(id).say({ kind: 'started', process });
    await old.settle();
    await old.orchestrator.cancel(id, { by: 'me' });
    const fresh = await makeEngine({ events: old.events, clock: old.clock });
    await fresh.settle();
    expect(fresh.run(id).stops).toEqual([{ kind: 'cancelled', by: 'me' }]);
    fresh.run(id).end(137);
    await fresh.settle();
    expect(fresh.orchestrator.get(id).status).toBe('cancelled');
  });

  it('settles a run that is gone without an exit as lost', async () => {
    const old = await makeEngine();
    const id = await startedSession(old);
    old.run(id).say({ kind: 'started', process });
    await old.settle();
    const fresh = await makeEngine({ events: old.events, clock: old.clock });
    await fresh.settle();
    fresh.run(id).end(0, { exit: 'lost', result: undefined });
    await fresh.settle();
    expect(fresh.orchestrator.get(id)).toMatchObject({ status: 'lost', cause: { kind: 'lost' } });
    expect(fresh.orchestrator.view(fresh.orchestrator.get(id)).summary).toBe(
      `Session ${id} is lost: its process is gone and its exit was not seen.`,
    );
  });

  it('settles a run as lost of which nothing is left at all', async () => {
    const old = await makeEngine();
    const id = await startedSession(old);
    old.run(id).say({ kind: 'started', process });
    await old.settle();
    const fresh = await makeEngine({ events: old.events, clock: old.clock, found: () => false });
    await fresh.settle();
    expect(fresh.orchestrator.get(id)).toMatchObject({ status: 'lost', run: 1 });
    expect(taken(fresh)).toBe(0);
    expect(fresh.errors).toEqual([]);
  });

  it('settles a session that was being stopped before it ever began', async () => {
    const old = await makeEngine();
    const { session } = await old.orchestrator.start(request, caller);
    await old.settle();
    await old.orchestrator.cancel(session.id, { by: 'me' });
    const fresh = await makeEngine({ events: old.events, clock: old.clock, found: () => false });
    await fresh.settle();
    expect(fresh.orchestrator.get(session.id)).toMatchObject({ status: 'cancelled' });
  });
});
