// Saying something to a session that waits in the line, runs, or just ends: what is taken, and what it is told.
import { describe, expect, it } from 'vitest';
import { fail } from '../../core/errors.ts';
import type { EventName } from '../../core/events.ts';
import { ENDED_FIRST } from '../../core/talk.ts';
import { type Engine, makeEngine } from '../support/engine.ts';
import { begunWith, ended, FIRST, get, heard, prompt, reborn, running, started, states } from './talk-rig.ts';

const ONE_SLOT = { resources: { maxConcurrentSessions: 1 } };
const count = (engine: Engine, name: EventName) => engine.events.filter((event) => event.name === name).length;

describe('a prompt to a queued session', () => {
  it('is among what it is told from its beginning, in order, and delivered when its record shows it', async () => {
    const engine = await makeEngine({ config: ONE_SLOT });
    const first = await running(engine);
    const id = await started(engine);
    const receipt = await prompt(engine, id, 'also this', { timeoutMs: 5000 });
    expect(receipt).toMatchObject({ state: 'pending', text: 'also this', by: 'me', mode: 'queue' });
    await prompt(engine, id, 'and that');
    await ended(engine, first);
    expect(begunWith(engine, id)).toEqual([FIRST, 'also this', 'and that']);
    engine.run(id).say({ kind: 'started', process: { pid: 1, startedAt: '1' } });
    engine.run(id).say({ kind: 'received', promptId: receipt.promptId });
    await engine.settle();
    expect(states(engine, id)).toEqual(['also this: delivered', 'and that: pending']);
    expect(heard(engine, id)).toEqual([]);
    expect(engine.orchestrator.view(get(engine, id)).prompts).toMatchObject([
      { state: 'delivered', text: 'also this', by: 'me', deliveredAt: expect.any(String) },
      { state: 'pending' },
    ]);
    expect(get(engine, id).customPrompts).toEqual(['also this', 'and that']);
    expect(engine.errors).toEqual([]);
  });

  it('fails when the session leaves the line without having run', async () => {
    const waits: [string, (engine: Engine, id: string) => Promise<unknown>][] = [
      ['cancelled', (engine, id) => engine.orchestrator.cancel(id, { by: 'me' })],
      ['cancelled', (engine) => engine.orchestrator.clear(undefined, { by: 'me' })],
      ['failed', async (engine) => engine.clock.advance(10_000)],
    ];
    for (const [status, deed] of waits) {
      const engine = await makeEngine({ config: { ...ONE_SLOT, queue: { timeoutMs: 5000 } } });
      await running(engine);
      const id = await started(engine);
      await prompt(engine, id, 'also this');
      await deed(engine, id);
      await engine.settle();
      expect(get(engine, id)).toMatchObject({
        status,
        prompts: [{ state: 'failed', reason: ENDED_FIRST, doneAt: expect.any(Number) }],
      });
      expect(get(engine, id).history.at(-1)?.text).toContain(', 1 prompt not delivered');
    }
  });

  it('is taken by an agent too that hears nothing while it runs, and told to each of its runs', async () => {
    const retryPolicy = { retryOn: ['agent_error' as const], minDelayMs: 0 };
    const engine = await makeEngine({ config: { ...ONE_SLOT, queue: { retryPolicy } } });
    const first = await running(engine);
    const id = await started(engine, { agent: 'plain' });
    await prompt(engine, id, 'also this');
    await ended(engine, first);
    expect(begunWith(engine, id)).toEqual([FIRST, 'also this']);
    await expect(prompt(engine, id, 'too late')).rejects.toMatchObject({
      code: 'PROMPT_REFUSED',
      message: expect.stringContaining('takes nothing while it runs'),
    });
    expect(states(engine, id)).toEqual(['also this: pending']);
    const promptId = engine.run(id).spec?.messages[1]?.promptId ?? '';
    engine.run(id).say({ kind: 'received', promptId });
    await ended(engine, id, 1, { result: undefined });
    expect(states(engine, id)).toEqual(['also this: delivered']);
    expect(get(engine, id)).toMatchObject({ status: 'starting', run: 2 });
    expect(begunWith(engine, id)).toEqual([FIRST, 'also this']);
  });
});

describe('a prompt to a running session', () => {
  it('is handed over, and its receipt comes when the record shows it', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    const receipt = prompt(engine, id, 'also this', { timeoutMs: 5000 });
    await engine.settle();
    expect(heard(engine, id)).toEqual(['also this']);
    const promptId = engine.run(id).messages[0]?.promptId ?? '';
    engine.run(id).say({ kind: 'received', promptId: 'of somebody else' });
    engine.run(id).say({ kind: 'received', promptId });
    engine.run(id).say({ kind: 'received', promptId });
    expect(await receipt).toMatchObject({ promptId, state: 'delivered' });
    await engine.settle();
    expect(count(engine, 'session.received')).toBe(1);
  });

  it('is handed over once there is something to hand it to, in the order in which all was said', async () => {
    const engine = await makeEngine();
    const id = await started(engine);
    await Promise.all(['a', 'b', 'c'].map((text) => prompt(engine, id, text)));
    await engine.settle();
    expect(heard(engine, id)).toEqual(['a', 'b', 'c']);
    expect(states(engine, id)).toEqual(['a: pending', 'b: pending', 'c: pending']);
  });

  it('that is said while the run is being prepared is told from its beginning', async () => {
    let go = () => {};
    const openWorktree = () =>
      new Promise<{ path: string; branch: string; base: string }>((resolve) => {
        go = () => resolve({ path: '/w/tree', branch: 'b', base: 'c' });
      });
    const engine = await makeEngine({ openWorktree });
    const id = await started(engine, { worktree: true });
    await prompt(engine, id, 'also this');
    go();
    await engine.settle();
    expect(begunWith(engine, id)).toEqual([FIRST, 'also this']);
    expect(heard(engine, id)).toEqual([]);
  });

  it('fails, and says why, where the run does not take it or tells that it did not reach the agent', async () => {
    const engine = await makeEngine({
      tell: async ({ text }) => (text === 'a' ? fail('PROMPT_REFUSED', 'It has ended its input.') : undefined),
    });
    const id = await running(engine);
    expect(await prompt(engine, id, 'a', { timeoutMs: 5000 })).toMatchObject({
      state: 'failed',
      reason: 'It has ended its input.',
    });
    const receipt = prompt(engine, id, 'b', { timeoutMs: 5000 });
    await engine.settle();
    const promptId = engine.run(id).messages[0]?.promptId ?? '';
    engine.run(id).say({ kind: 'undelivered', promptId, reason: 'the pane is gone' });
    engine.run(id).say({ kind: 'received', promptId });
    expect(await receipt).toMatchObject({ state: 'failed', reason: 'the pane is gone' });
    await engine.settle();
    expect(states(engine, id)).toEqual(['a: failed', 'b: failed']);
    expect(count(engine, 'session.undelivered')).toBe(2);
    expect(get(engine, id).history.at(-1)?.text).toBe('A prompt was not delivered: the pane is gone');
  });

  it('that could not be handed over for another reason is handed over before the next one', async () => {
    let isBroken = true;
    const engine = await makeEngine({
      tell: async () => {
        if (isBroken) throw new Error('no space');
      },
    });
    const id = await running(engine);
    await prompt(engine, id, 'a');
    await engine.settle();
    expect(engine.errors).toEqual([new Error('no space')]);
    isBroken = false;
    await prompt(engine, id, 'b');
    await engine.settle();
    expect(heard(engine, id)).toEqual(['a', 'b']);
  });

  it('is not handed over when it is stopped first, and fails with it', async () => {
    let go = () => {};
    const engine = await makeEngine({ tell: () => new Promise((resolve) => (go = resolve)) });
    const id = await running(engine);
    await prompt(engine, id, 'a');
    await prompt(engine, id, 'b');
    await engine.orchestrator.cancel(id, { by: 'me' });
    go();
    await engine.settle();
    expect(heard(engine, id)).toEqual(['a']);
    await expect(prompt(engine, id, 'c')).rejects.toMatchObject({
      code: 'PROMPT_REFUSED',
      message: expect.stringContaining('is being stopped'),
    });
    await ended(engine, id, 143);
    expect(get(engine, id).status).toBe('cancelled');
    expect(states(engine, id)).toEqual(['a: failed', 'b: failed']);
  });

  it('is said to a found run by the next hub', async () => {
    const old = await makeEngine({ tell: () => new Promise(() => {}) });
    const id = await running(old);
    await prompt(old, id, 'also this');
    const engine = await reborn(old);
    expect(heard(engine, id)).toEqual(['also this']);
    const again = await reborn(engine);
    expect(heard(again, id)).toEqual([]);
    expect(again.said.get(`${id}/1`)?.map(({ text }) => text)).toEqual([FIRST, 'also this']);
  });
});

describe('a prompt that comes as a run ends', () => {
  it.each(['before its end is told', 'while its end is judged'])('%s leads to another run of the conversation', async (when) => {
    let judged = () => {};
    const since = () => new Promise<undefined>((resolve) => (judged = () => resolve(undefined)));
    const refused = async () => fail('PROMPT_REFUSED', 'It has ended.');
    const engine = await makeEngine({
      git: { mark: async () => 'm', since },
      tell: when === 'before its end is told' ? async () => {} : refused,
    });
    const id = await running(engine);
    const conversation = engine.run(id).spec?.conversationId;
    if (when === 'before its end is told') await prompt(engine, id, 'also this');
    engine.run(id).end(0);
    await engine.settle();
    if (when !== 'before its end is told') await prompt(engine, id, 'also this');
    judged();
    await engine.settle();
    expect(get(engine, id)).toMatchObject({ status: 'starting', run: 2, runsBefore: 1, spentUsd: 0.01 });
    expect(engine.run(id).spec).toMatchObject({ resume: true, conversationId: conversation, messages: [{ text: 'also this' }] });
    expect(get(engine, id).history.map(({ text }) => text)).toContain('Session goes on with what was said meanwhile');
    expect(engine.errors).toEqual([]);
  });

  it('and is never shown in a record leads to one more run at most, and then has failed', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    await prompt(engine, id, 'also this');
    await ended(engine, id);
    expect(begunWith(engine, id)).toEqual(['also this']);
    await ended(engine, id);
    expect(get(engine, id)).toMatchObject({ status: 'completed', run: 2 });
    expect(states(engine, id)).toEqual(['also this: failed']);
  });

  it('fails with a run that failed, was cancelled, or belongs to an agent that cannot go on', async () => {
    for (const end of ['failed', 'cancelled', 'interactive'] as const) {
      const engine = await makeEngine();
      const id = await running(engine, end === 'interactive' ? { type: 'interactive' } : {});
      const receipt = prompt(engine, id, 'also this', { timeoutMs: 5000 });
      await engine.settle();
      if (end === 'cancelled') await engine.orchestrator.cancel(id, { by: 'me' });
      await ended(engine, id, end === 'failed' ? 1 : 0, end === 'failed' ? { result: undefined } : {});
      expect(get(engine, id).status).toBe(end === 'interactive' ? 'completed' : end);
      expect(await receipt).toMatchObject({ state: 'failed', reason: ENDED_FIRST });
    }
  });

  it('reopens a session whose end is just being written', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    const isOver = () => get(engine, id).status === 'completed';
    engine.run(id).end(0);
    for (let turn = 0; turn < 500 && !isOver(); turn++) await Promise.resolve();
    expect(isOver()).toBe(true);
    expect(count(engine, 'session.completed')).toBe(0);
    const said = prompt(engine, id, 'also this');
    expect(get(engine, id).status).toBe('queued');
    await said;
    await engine.settle();
    expect(engine.run(id).spec).toMatchObject({ run: 2, resume: true, messages: [{ text: 'also this' }] });
    expect(engine.queue.line()).toMatchObject({ waiting: [], active: [{ sessionId: id }] });
    expect(engine.errors).toEqual([]);
  });

  it('reopens a session that was just cancelled, and the cancel counts no more', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    await engine.orchestrator.cancel(id, { by: 'me' });
    engine.run(id).end(143);
    for (let turn = 0; turn < 500 && get(engine, id).status !== 'cancelled'; turn++) await Promise.resolve();
    await prompt(engine, id, 'on with it');
    await engine.settle();
    expect(get(engine, id)).toMatchObject({ status: 'starting', run: 2 });
    expect(begunWith(engine, id)).toEqual(['on with it']);
  });
});
