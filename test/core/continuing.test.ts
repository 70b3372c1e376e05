// Saying something to a settled session, which opens it for another run; and what runs are told that are tried again.
import { describe, expect, it } from 'vitest';
import { fail } from '../../core/errors.ts';
import type { EventName } from '../../core/events.ts';
import { type Engine, makeEngine } from '../support/engine.ts';
import {
  begunWith,
  ended,
  FIRST,
  get,
  heard,
  limited,
  process,
  prompt,
  reborn,
  running,
  SPOKE,
  started,
  states,
} from './talk-rig.ts';

const ONE_SLOT = { resources: { maxConcurrentSessions: 1 } };
const count = (engine: Engine, name: EventName) => engine.events.filter((event) => event.name === name).length;

describe('a prompt to a settled session', () => {
  it('opens it for another run of the same conversation, told that alone', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    const conversation = engine.run(id).spec?.conversationId;
    await ended(engine, id);
    engine.clock.advance(1000);
    expect(await prompt(engine, id, 'now the tests')).toMatchObject({ state: 'pending' });
    await engine.settle();
    expect(engine.run(id).spec).toMatchObject({
      run: 2,
      resume: true,
      conversationId: conversation,
      messages: [{ text: 'now the tests', mode: 'queue' }],
    });
    expect(get(engine, id)).toMatchObject({ status: 'starting', settledAt: undefined, cause: undefined, runsBefore: 1 });
    expect(get(engine, id).history.map(({ text }) => text)).toContain('Session goes on with: "now the tests"');
    expect(await prompt(engine, id, 'and the docs')).toMatchObject({ state: 'pending' });
    await engine.settle();
    expect(heard(engine, id)).toEqual(['and the docs']);
  });

  it('adds to what it took: money, turns, tokens and the time it ran, not the time between', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    const run = async (ms: number, costUsd: number, turns: number, inputTokens: number) => {
      engine.run(id).say({ kind: 'started', process });
      await engine.settle();
      engine.clock.advance(ms);
      const result = { text: 'ok', isError: false, costUsd, turns, inputTokens, outputTokens: 1 };
      await ended(engine, id, 0, { result });
    };
    const view = () => engine.orchestrator.view(get(engine, id));
    await run(2000, 0.25, 3, 10);
    engine.clock.advance(60_000);
    expect(view()).toMatchObject({ costUsd: 0.25, turns: 3, tokens: 11, durationMs: 2000 });
    await prompt(engine, id, 'more');
    await engine.settle();
    expect(view()).toMatchObject({ durationMs: 2000 });
    engine.run(id).say({ kind: 'started', process });
    await engine.settle();
    engine.clock.advance(1000);
    expect(view()).toMatchObject({ costUsd: 0.25, turns: 3, tokens: 11, durationMs: 3000 });
    await run(3000, 0.5, 4, 100);
    expect(view()).toMatchObject({ costUsd: 0.75, turns: 7, tokens: 112, durationMs: 6000, run: 2 });
    const again = await reborn(engine);
    expect(again.orchestrator.view(get(again, id))).toMatchObject({ costUsd: 0.75, turns: 7, durationMs: 6000 });
  });

  it('said twice at once opens it once, and both are told in order', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    await ended(engine, id);
    await Promise.all([prompt(engine, id, 'a'), prompt(engine, id, 'b')]);
    await engine.settle();
    expect([...(begunWith(engine, id) ?? []), ...heard(engine, id)]).toEqual(['a', 'b']);
    expect(get(engine, id).run).toBe(2);
    expect([count(engine, 'session.reopened'), count(engine, 'session.prompted')]).toEqual([1, 1]);
  });

  it('waits in the line like others, behind those of its priority that came before', async () => {
    const engine = await makeEngine({ config: ONE_SLOT });
    const id = await running(engine);
    await ended(engine, id);
    const other = await running(engine);
    const third = await started(engine);
    engine.clock.advance(1);
    await prompt(engine, id, 'more');
    expect(engine.queue.line().waiting.map(({ sessionId }) => sessionId)).toEqual([third, id]);
    expect(engine.orchestrator.view(get(engine, id))).toMatchObject({ status: 'queued', position: 2 });
    const fresh = await reborn(engine, { config: ONE_SLOT });
    expect(fresh.queue.line().waiting.map(({ sessionId }) => sessionId)).toEqual([third, id]);
    await ended(fresh, other);
    await ended(fresh, third);
    expect(begunWith(fresh, id)).toEqual(['more']);
  });

  it('begins anew, and tells all, where no process of the conversation ever ran', async () => {
    let isMissing = false;
    const engine = await makeEngine({
      config: ONE_SLOT,
      start: () => {
        if (isMissing) fail('AGENT_MISSING', 'It went away.');
      },
    });
    const first = await running(engine);
    const id = await started(engine);
    await engine.orchestrator.cancel(id, { by: 'me' });
    await prompt(engine, id, 'after all');
    await ended(engine, first);
    expect(engine.run(id).spec).toMatchObject({ run: 1, resume: false });
    expect(begunWith(engine, id)).toEqual([FIRST, 'after all']);
    await ended(engine, id);

    isMissing = true;
    const broken = await started(engine);
    expect(get(engine, broken)).toMatchObject({ status: 'failed', run: 1, cause: { kind: 'spawn_failed' } });
    isMissing = false;
    await prompt(engine, broken, 'try again');
    await engine.settle();
    expect(engine.run(broken).spec).toMatchObject({ run: 2, resume: false, messages: [{ text: FIRST }, { text: 'try again' }] });
    expect(engine.errors).toEqual([]);
  });

  it('goes on with the conversation of a run that was stopped before its start was seen', async () => {
    const engine = await makeEngine();
    const id = await started(engine);
    await engine.orchestrator.cancel(id, { by: 'me' });
    engine.run(id).say({ kind: 'started', process });
    await engine.settle();
    await ended(engine, id, 130);
    expect(get(engine, id)).toMatchObject({ status: 'cancelled', startedAt: engine.clock.now() });
    await prompt(engine, id, 'go on');
    await engine.settle();
    expect(engine.run(id).spec).toMatchObject({ run: 2, resume: true });
    expect(begunWith(engine, id)).toEqual(['go on']);
    expect(engine.errors).toEqual([]);
  });

  it('goes on with the conversation of an earlier run where only the last could not be started', async () => {
    let isMissing = false;
    const engine = await makeEngine({
      start: () => {
        if (isMissing) fail('AGENT_MISSING', 'It went away.');
      },
    });
    const id = await running(engine);
    const conversation = engine.run(id).spec?.conversationId;
    await ended(engine, id);
    isMissing = true;
    await prompt(engine, id, 'a');
    await engine.settle();
    expect(get(engine, id)).toMatchObject({ status: 'failed', run: 2 });
    isMissing = false;
    await prompt(engine, id, 'b');
    await engine.settle();
    expect(engine.run(id).spec).toMatchObject({ run: 3, resume: true, conversationId: conversation, messages: [{ text: 'b' }] });
    expect(states(engine, id)).toEqual(['a: failed', 'b: pending']);
  });

  it('is refused where the agent cannot go on, or is not declared any more', async () => {
    const engine = await makeEngine({ config: { agents: { mine: { kind: 'claude' } } } });
    const plain = await running(engine, { agent: 'plain' });
    await ended(engine, plain);
    await expect(prompt(engine, plain, 'more')).rejects.toMatchObject({ code: 'CONVERSATION_GONE' });
    const mine = await running(engine, { agent: 'mine' });
    await ended(engine, mine);
    engine.settings.config = { ...engine.settings.config, agents: {} };
    await expect(prompt(engine, mine, 'more')).rejects.toMatchObject({ code: 'AGENT_UNKNOWN' });
    expect([get(engine, plain).status, get(engine, mine).status]).toEqual(['completed', 'completed']);
  });

  it('that cannot be written leaves it settled and out of the line', async () => {
    const engine = await makeEngine({
      config: ONE_SLOT,
      refuse: ({ name }) => (name === 'session.reopened' ? fail('STORAGE_FAILED', 'Broken.') : undefined),
    });
    const id = await running(engine);
    await ended(engine, id);
    await expect(prompt(engine, id, 'more')).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    await engine.settle();
    expect(get(engine, id)).toMatchObject({ status: 'completed', run: 1 });
    expect(states(engine, id)).toEqual([]);
    expect(engine.queue.line()).toMatchObject({ waiting: [], active: [] });
    expect(engine.errors).toEqual([]);
  });

  it('is counted as no retry: it has all its tries again', async () => {
    const engine = await makeEngine({ config: { queue: { retryPolicy: { attempts: 2 } } }, log: SPOKE });
    const id = await running(engine);
    await ended(engine, id, 1, { result: limited });
    engine.clock.advance(10_000);
    await engine.settle();
    await ended(engine, id, 1, { result: limited });
    expect(get(engine, id)).toMatchObject({ status: 'failed', run: 2 });
    await prompt(engine, id, 'again');
    await engine.settle();
    await ended(engine, id, 1, { result: limited });
    expect(get(engine, id)).toMatchObject({ status: 'queued', run: 3, runsBefore: 2 });
    engine.clock.advance(10_000);
    await engine.settle();
    expect(begunWith(engine, id)).toEqual([expect.stringContaining('You were interrupted'), 'again']);
    await ended(engine, id, 1, { result: limited });
    expect(get(engine, id)).toMatchObject({ status: 'failed', run: 4 });
  });
});

describe('a retry', () => {
  it('that begins anew tells everything that was said before, whole and in order, but not what failed', async () => {
    const long = 'x'.repeat(5000);
    const engine = await makeEngine({
      tell: async ({ text }) => (text === 'refused' ? fail('PROMPT_REFUSED', 'No.') : undefined),
    });
    const id = await running(engine);
    for (const text of [long, 'refused', 'last']) await prompt(engine, id, text);
    await engine.settle();
    engine.run(id).say({ kind: 'received', promptId: engine.run(id).messages[0]?.promptId ?? '' });
    await engine.settle();
    expect(states(engine, id)).toEqual([`${'x'.repeat(20)}: delivered`, 'refused: failed', 'last: pending']);
    await ended(engine, id, 1, { result: limited });
    engine.clock.advance(60_000);
    await engine.settle();
    expect(engine.run(id).spec).toMatchObject({ run: 2, resume: false });
    expect(begunWith(engine, id)).toEqual([FIRST, long, 'last']);
  });

  it('that goes on tells why, and then what was not heard', async () => {
    const engine = await makeEngine({ log: SPOKE });
    const id = await running(engine);
    await prompt(engine, id, 'also this');
    await ended(engine, id, 1, { result: limited });
    await prompt(engine, id, 'and that');
    engine.clock.advance(60_000);
    await engine.settle();
    expect(engine.run(id).spec).toMatchObject({ run: 2, resume: true });
    expect(begunWith(engine, id)).toEqual([expect.stringContaining('You were interrupted'), 'also this', 'and that']);
  });

  it('of a run that a hub was killed in before it began tells what that one was to be told', async () => {
    const old = await makeEngine();
    const id = await running(old);
    await ended(old, id);
    await prompt(old, id, 'more');
    await old.settle();
    const engine = await reborn(old, { found: () => false });
    expect(engine.run(id).spec).toMatchObject({ run: 3, resume: true, messages: [{ text: 'more' }] });
  });
});
