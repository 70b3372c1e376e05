// What of prompts is refused, said once, or interrupts; and what the receipt says.
import { describe, expect, it } from 'vitest';
import { MAX_PROMPT_BYTES } from '../../core/config.ts';
import { fail } from '../../core/errors.ts';
import type { EventName } from '../../core/events.ts';
import { type Engine, makeEngine } from '../support/engine.ts';
import { begunWith, ended, get, heard, limited, prompt, reborn, running, states } from './talk-rig.ts';

const count = (engine: Engine, name: EventName) => engine.events.filter((event) => event.name === name).length;

describe('a request key', () => {
  const key = { requestKey: 'k' };

  it('says once what is said twice, one after the other, at once, and to the next hub', async () => {
    const old = await makeEngine();
    const id = await running(old);
    const [first, second] = await Promise.all([prompt(old, id, 'a', key), prompt(old, id, 'a', key)]);
    expect(second.promptId).toBe(first.promptId);
    expect((await prompt(old, id, 'a', key)).promptId).toBe(first.promptId);
    const engine = await reborn(old);
    expect((await prompt(engine, id, 'a', key)).promptId).toBe(first.promptId);
    expect(states(engine, id)).toEqual(['a: pending']);
    engine.run(id).say({ kind: 'received', promptId: first.promptId });
    await engine.settle();
    await ended(engine, id);
    expect(await prompt(engine, id, 'a', key)).toMatchObject({ promptId: first.promptId, state: 'delivered' });
    expect(get(engine, id).status).toBe('completed');
  });

  it('is refused with other words, another mode, another session, or where it started one', async () => {
    const engine = await makeEngine();
    const id = await running(engine, { requestKey: 's' });
    const other = await running(engine);
    await prompt(engine, id, 'a', key);
    for (const again of [
      prompt(engine, id, 'b', key),
      prompt(engine, id, 'a', { ...key, mode: 'interrupt' }),
      prompt(engine, other, 'a', key),
      prompt(engine, id, 'a', { requestKey: 's' }),
    ])
      await expect(again).rejects.toMatchObject({ code: 'REQUEST_KEY_REUSED' });
    expect([states(engine, id), states(engine, other)]).toEqual([['a: pending'], []]);
  });

  it('of a prompt that could not be written is free, also for the one that came with it', async () => {
    let refusals = 1;
    const engine = await makeEngine({
      refuse: ({ name }) => (name === 'session.prompted' && refusals-- > 0 ? fail('STORAGE_FAILED', 'Broken.') : undefined),
    });
    const id = await running(engine);
    const outcomes = await Promise.allSettled([
      prompt(engine, id, 'a', key),
      prompt(engine, id, 'a', key),
      prompt(engine, id, 'a', key),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect(states(engine, id)).toEqual(['a: pending']);
    expect(engine.errors).toEqual([]);
  });
});

describe('a prompt', () => {
  it.each([
    ['', 'PROMPT_EMPTY'],
    [' \n\t', 'PROMPT_EMPTY'],
    ['é'.repeat(MAX_PROMPT_BYTES / 2 + 1), 'PROMPT_TOO_LARGE'],
  ])('%# that is none is refused', async (text, code) => {
    const engine = await makeEngine();
    const id = await running(engine);
    await expect(prompt(engine, id, text)).rejects.toMatchObject({ code });
    expect(states(engine, id)).toEqual([]);
  });

  it('to nobody is refused', async () => {
    await expect(prompt(await makeEngine(), 'nobody', 'x')).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
  });

  it('is refused while there is no room on the disk, whatever the session does', async () => {
    let problem: string | undefined;
    const room = { problem: () => problem, look: async () => problem, giveReserve: async () => {} };
    const engine = await makeEngine({ room });
    const id = await running(engine);
    problem = 'Only 1 MB is free.';
    await expect(prompt(engine, id, 'x')).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    await ended(engine, id);
    await expect(prompt(engine, id, 'x')).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    expect(states(engine, id)).toEqual([]);
  });

  it('to an interactive session is taken at its prompt, whatever its agent is, and ends its waiting when it works', async () => {
    const engine = await makeEngine();
    const id = await running(engine, { type: 'interactive', agent: 'plain' });
    engine.run(id).say({ kind: 'idle', for: 'prompt', text: 'Done; what next?' });
    await engine.settle();
    expect(engine.orchestrator.view(get(engine, id))).toMatchObject({
      status: 'waiting',
      waitsFor: 'prompt',
      result: 'Done; what next?',
      untrusted: true,
      summary: expect.stringContaining('it stands at its prompt'),
      next: expect.stringContaining('session_prompt'),
    });
    // a turn passed while no hub was there
    const waited = engine.orchestrator.wait({ sessionIds: [id], until: 'any', after: engine.ledger.seq, timeoutMs: 1000 });
    for (const text of ['Done; what next?', 'Done that too.', 'Done that too.'])
      engine.run(id).say({ kind: 'idle', for: 'prompt', text });
    await engine.settle();
    expect(engine.orchestrator.view(get(engine, id)).result).toBe('Done that too.');
    expect(await waited).toMatchObject({ timedOut: false, sessions: [{ id }] });
    expect(count(engine, 'session.waiting')).toBe(2);
    await prompt(engine, id, 'also this');
    engine.run(id).say({ kind: 'works' });
    engine.run(id).say({ kind: 'works' });
    await engine.settle();
    expect(heard(engine, id)).toEqual(['also this']);
    expect(get(engine, id)).toMatchObject({ status: 'running', waitsFor: undefined });
    expect(engine.orchestrator.view(get(engine, id)).result).toBeUndefined();
    expect(count(engine, 'session.resumed')).toBe(1);
  });
});

describe('an interrupting prompt', () => {
  it('denies what the session asks, and is handed over as one', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    const asks = ['a', 'b'].map((text) => engine.orchestrator.ask(id, { kind: 'question', text }));
    await engine.settle();
    await prompt(engine, id, 'stop that', { mode: 'interrupt' });
    for (const ask of asks)
      expect(await ask).toMatchObject({ decision: 'deny', text: 'It was interrupted by a prompt.', by: 'me' });
    await engine.settle();
    expect(engine.run(id).messages).toMatchObject([{ text: 'stop that', mode: 'interrupt' }]);
    expect(get(engine, id).status).toBe('running');
  });

  it('is one moment: a run that ends meanwhile comes before it or after it', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    const asks = ['a', 'b'].map((text) => engine.orchestrator.ask(id, { kind: 'question', text }).catch(() => undefined));
    await engine.settle();
    const said = prompt(engine, id, 'stop that', { mode: 'interrupt' });
    engine.run(id).end(0);
    await engine.settle();
    await Promise.all([said, ...asks]);
    expect(get(engine, id)).toMatchObject({ status: 'starting', run: 2 });
    expect(begunWith(engine, id)).toEqual(['stop that']);
    expect(engine.errors).toEqual([]);
  });

  it('that cannot be written denies nothing', async () => {
    const engine = await makeEngine({
      refuse: ({ name }) =>
        name === 'session.answered' || name === 'session.prompted' ? fail('STORAGE_FAILED', 'Broken.') : undefined,
    });
    const id = await running(engine);
    engine.orchestrator.ask(id, { kind: 'question', text: 'a' }).catch(() => undefined);
    await engine.settle();
    await expect(prompt(engine, id, 'stop that', { mode: 'interrupt' })).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    expect(engine.orchestrator.openRequests()).toHaveLength(1);
    expect(states(engine, id)).toEqual([]);
  });
});

describe('the receipt', () => {
  it('is pending when the time is over or the caller gives up, now or before', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    const late = prompt(engine, id, 'a', { timeoutMs: 5000 });
    await engine.settle();
    engine.clock.advance(5000);
    expect(await late).toMatchObject({ text: 'a', state: 'pending' });
    const giving = new AbortController();
    const given = prompt(engine, id, 'b', { timeoutMs: 5000, signal: giving.signal });
    await engine.settle();
    giving.abort();
    expect(await given).toMatchObject({ text: 'b', state: 'pending' });
    expect(await prompt(engine, id, 'c', { timeoutMs: 5000, signal: giving.signal })).toMatchObject({
      text: 'c',
      state: 'pending',
    });
  });

  it('is pending when the session stands in the line again', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    const receipt = prompt(engine, id, 'a', { timeoutMs: 60_000 });
    await engine.settle();
    await ended(engine, id, 1, { result: limited });
    expect(await receipt).toMatchObject({ state: 'pending' });
  });

  it('fails, and nothing else does, when the session is removed meanwhile', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    const said = await prompt(engine, id, 'a');
    const receipt = prompt(engine, id, 'b', { timeoutMs: 5000 });
    const removed = expect(receipt).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    await engine.settle();
    engine.run(id).say({ kind: 'spoke', bytes: 3 });
    engine.ledger.record({ name: 'session.removed', data: { sessionId: id, reason: 'age' } }).catch(() => undefined);
    await engine.settle();
    await removed;
    expect(said.state).toBe('pending');
  });
});
