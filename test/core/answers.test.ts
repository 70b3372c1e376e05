// What can be asked of the orchestrator, and how errors, lists and words are made.
import { describe, expect, it } from 'vitest';
import { ERRORS, errorView, nearest, ScopecraftError } from '../../core/errors.ts';
import { eventPage } from '../../core/event-page.ts';
import { eventView } from '../../core/event-view.ts';
import { PRIORITIES } from '../../core/priority.ts';
import { normalised, slugOf, TASK_ID } from '../../core/task.ts';
import { timeOf } from '../../core/time.ts';
import { caller, makeEngine } from '../support/engine.ts';

describe('lists', () => {
  it('show sessions newest first, by any of their marks', async () => {
    const engine = await makeEngine();
    const start = (more: object) =>
      engine.orchestrator.start({ taskId: 'fix-login', type: 'autonomous', queue: true, concurrent: true, ...more }, caller);
    const a = (await start({ label: 'x' })).session.id;
    engine.clock.advance(5000);
    const b = (await start({ taskId: 'other', parentId: a })).session.id;
    await engine.settle();
    const ids = (filter: object) => engine.orchestrator.list(filter).map(({ id }) => id);
    expect(ids({})).toEqual([b, a]);
    expect(ids({ label: 'x' })).toEqual([a]);
    expect(ids({ parentId: a })).toEqual([b]);
    expect(ids({ taskId: 'other' })).toEqual([b]);
    expect(ids({ status: 'completed' })).toEqual([]);
    expect(ids({ type: 'interactive' })).toEqual([]);
    expect(ids({ since: engine.clock.now() })).toEqual([b]);
    expect(engine.ledger.counts()).toEqual({ active: 2, queued: 0, settled: 0 });
    await expect((async () => engine.orchestrator.get('nobody'))()).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
  });

  it('show events by name, session, task, time and number', async () => {
    const engine = await makeEngine();
    const { session } = await engine.orchestrator.start(
      { taskId: 'fix-login', type: 'autonomous', queue: true, concurrent: true, prompt: 'x'.repeat(500) },
      caller,
    );
    engine.clock.advance(1000);
    await engine.orchestrator.start({ taskId: 'other', type: 'autonomous', queue: true, concurrent: true }, caller);
    await engine.settle();
    const page = (filter: object) => eventPage(engine.ledger, { limit: 100, ...filter });
    const count = async (filter: object) => (await page({ after: 0, ...filter })).events.length;
    expect(await count({})).toBe(4);
    expect(await count({ types: ['session.queued'] })).toBe(2);
    expect(await count({ sessionId: session.id })).toBe(2);
    expect(await count({ taskId: 'other' })).toBe(2);
    expect(await count({ since: engine.clock.now() })).toBe(2);
    expect(await count({ after: 3 })).toBe(1);
    const [first] = (await page({ after: 0 })).events;
    expect(first && eventView(first).data.prompt).toMatch(/… \(500 characters, whole in the log\)$/);
  });

  it('show tasks by what their front matter says, however it is written', async () => {
    const engine = await makeEngine();
    const ids = async (filter: object) => (await engine.orchestrator.tasks(filter)).map(({ task }) => task.id);
    expect(await ids({ status: 'todo' })).toEqual(['fix-login', 'other']);
    expect(await ids({ status: 'done' })).toEqual([]);
    expect(await ids({ tags: ['b'], type: 'Bug', area: 'auth' })).toHaveLength(2);
    expect(await ids({ query: 'DO OTHER' })).toEqual(['other']);
    await expect(engine.orchestrator.task('none')).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
  });

  it('give the log of a session that is there', async () => {
    const engine = await makeEngine({ log: [{ seq: '1:0.0', kind: 'text', text: 'hi' }] });
    const { session } = await engine.orchestrator.start(
      { taskId: 'fix-login', type: 'autonomous', queue: true, concurrent: true },
      caller,
    );
    expect((await engine.orchestrator.log(session.id, { limit: 1, characters: 10 })).entries).toHaveLength(1);
  });
});

describe('the ledger', () => {
  it('goes on when a listener throws, and keeps only the newest events in memory', async () => {
    const engine = await makeEngine();
    const heard: string[] = [];
    const end = engine.ledger.subscribe(() => {
      throw new Error('deaf');
    });
    engine.ledger.subscribe((event) => heard.push(event.name));
    await engine.ledger.record({ name: 'hub.stopped', data: { reason: 'test' } });
    engine.ledger.publish({ name: 'session.spoke', sessionId: 'x', bytes: 1 });
    expect(heard).toEqual(['hub.stopped', 'session.spoke']);
    expect(engine.errors).toHaveLength(2);
    end();
    for (let n = 0; n < 11_500; n++) void engine.ledger.record({ name: 'hub.stopped', data: { reason: 'test' } });
    await engine.settle();
    expect(engine.ledger.recent().length).toBeLessThanOrEqual(11_000);
    expect(engine.ledger.recent().at(-1)?.seq).toBe(engine.ledger.seq);
    expect(engine.errors).toHaveLength(2);
  });
});

describe('errors', () => {
  it('each say what to do next', () => {
    for (const [code, { hint }] of Object.entries(ERRORS)) expect(hint, code).toMatch(/^[A-Z].*\.$/s);
    expect(errorView(new ScopecraftError('NO_SLOT', 'Full.', { n: 1 }))).toEqual({
      code: 'NO_SLOT',
      message: 'Full.',
      retry: true,
      hint: ERRORS.NO_SLOT.hint,
      details: { n: 1 },
    });
  });

  it('find the word that was meant', () => {
    expect(nearest('priorty', ['priority', 'prompt'])).toBe('priority');
    expect(nearest('zzz', ['priority', 'prompt'])).toBeUndefined();
  });
});

describe('words', () => {
  it('compare statuses whatever their spelling', () => {
    expect(['🟡 To Do', 'to_do', 'TODO', 'todo'].map(normalised)).toEqual(['todo', 'todo', 'todo', 'todo']);
    expect(normalised(undefined)).toBe('');
  });

  it('make short ids', () => {
    expect(slugOf('Fïx the Lögin!! now')).toBe('fix-the-login-now');
    expect(slugOf('***')).toBe('task');
    expect(slugOf('a'.repeat(50))).toHaveLength(32);
  });

  it('accept task ids that are names and refuse those that are paths', () => {
    for (const id of ['fix-login', '01_x', 'parent/02_y', 'a.b']) expect(TASK_ID.test(id), id).toBe(true);
    for (const id of ['../x', '/etc/passwd', 'a/b/c', '', '.hidden', 'a\u0000', 'x/../y'])
      expect(TASK_ID.test(id), id).toBe(false);
  });

  it('know six priorities, the last kept for the system', () => {
    expect(PRIORITIES).toHaveLength(6);
    expect(PRIORITIES.at(-1)).toBe('urgent');
  });

  it('read times as ISO 8601 or not at all', () => {
    expect(timeOf('2026-01-01T00:00:00Z')).toBe(Date.parse('2026-01-01'));
    expect(() => timeOf('yesterday')).toThrow('"yesterday" is not a time');
  });
});
