// What is done to the line by calls: a move ends where it was to end, and what cannot be written changes nothing.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fail } from '../../core/errors.ts';
import { type Engine, makeEngine } from '../support/engine.ts';
import { get, prompt, reborn, started, states } from './talk-rig.ts';

const HELD = { resources: { maxConcurrentSessions: 1 } };
const line = (engine: Engine) => engine.queue.line().waiting.map(({ sessionId }) => sessionId);

/** A paused hub with so many sessions in the line. */
async function held(count: number, refuse?: Parameters<typeof makeEngine>[0]): Promise<{ engine: Engine; ids: string[] }> {
  const engine = await makeEngine({ config: HELD, ...refuse });
  await engine.orchestrator.pause({ by: 'me' });
  const ids: string[] = [];
  for (let number = 0; number < count; number++) ids.push(await started(engine));
  return { engine, ids };
}

describe('a move', () => {
  it('ends at the place that was asked for, whatever was moved before, and stays there with the next hub', async () => {
    const moves = fc.array(fc.tuple(fc.nat(4), fc.integer({ min: 1, max: 7 })), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(moves, async (steps) => {
        const { engine, ids } = await held(5);
        for (const [who, place] of steps) {
          const id = ids[who] ?? '';
          const others = line(engine).filter((other) => other !== id);
          await engine.orchestrator.move(id, { place }, 'me');
          expect(line(engine)).toEqual([...others.slice(0, place - 1), id, ...others.slice(place - 1)]);
        }
        const fresh = await reborn(engine, { config: HELD });
        expect(line(fresh)).toEqual(line(engine));
        expect(engine.errors).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });

  it('beside urgent ones is one behind them, or among them', async () => {
    const { engine, ids } = await held(5, { config: { ...HELD, queue: { allowUrgent: true } } });
    const [a = '', b = '', c = '', d = '', e = ''] = ids;
    for (const id of [d, e]) await engine.orchestrator.move(id, { priority: 'urgent' }, 'me');
    // as when they came long after the others
    await engine.orchestrator.move(a, { priority: 'highest' }, 'me');
    expect(line(engine)).toEqual([d, e, a, b, c]);
    await engine.orchestrator.move(c, { place: 3 }, 'me');
    expect(line(engine)).toEqual([d, e, c, a, b]);
    await engine.orchestrator.move(b, { place: 1 }, 'me');
    expect(line(engine)).toEqual([d, e, b, c, a]);
    await engine.orchestrator.move(b, { place: 4 }, 'me');
    expect(line(engine)).toEqual([d, e, c, b, a]);
    await engine.orchestrator.move(d, { place: 4 }, 'me');
    expect(line(engine)).toEqual([e, d, c, b, a]);
    await engine.orchestrator.move(d, { place: 1 }, 'me');
    expect(line(engine)).toEqual([d, e, c, b, a]);
  });

  it('to another priority gives the place of that one', async () => {
    const { engine, ids } = await held(3);
    const [first = '', second = '', third = ''] = ids;
    await engine.orchestrator.move(third, { priority: 'high' }, 'me');
    expect(line(engine)).toEqual([third, first, second]);
    await engine.orchestrator.move(third, { priority: 'lowest' }, 'me');
    expect(line(engine)).toEqual([first, second, third]);
    expect(get(engine, third).priority).toBe('lowest');
  });

  it('of the only one keeps its place', async () => {
    const { engine, ids } = await held(1);
    await engine.orchestrator.move(ids[0] ?? '', { place: 3 }, 'me');
    expect(line(engine)).toEqual(ids);
  });

  it('is refused for nobody, for what does not wait, and to a priority that callers may not use', async () => {
    const { engine, ids } = await held(1);
    const { orchestrator } = engine;
    await expect(orchestrator.move('nobody', { place: 1 }, 'me')).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    await expect(orchestrator.move(ids[0] ?? '', { priority: 'urgent' }, 'me')).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await orchestrator.cancel(ids[0] ?? '', { by: 'me' });
    await expect(orchestrator.move(ids[0] ?? '', { place: 1 }, 'me')).rejects.toMatchObject({ code: 'NOT_QUEUED' });
  });
});

describe('clearing the line', () => {
  it('that cannot be written leaves everybody where they stood, with what was said to them', async () => {
    let isBroken = false;
    const { engine, ids } = await held(3, {
      refuse: () => (isBroken ? fail('STORAGE_FAILED', 'Broken.') : undefined),
    });
    await prompt(engine, ids[1] ?? '', 'also this');
    isBroken = true;
    await expect(engine.orchestrator.clear(undefined, { by: 'me' })).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    isBroken = false;
    expect(line(engine)).toEqual(ids);
    expect(states(engine, ids[1] ?? '')).toEqual(['also this: pending']);
  });

  it('of one type leaves the others', async () => {
    const { engine, ids } = await held(2);
    const person = await started(engine, { type: 'interactive' });
    expect(await engine.orchestrator.clear('interactive', { by: 'me', reason: 'nobody sits there' })).toEqual([person]);
    expect(line(engine)).toEqual(ids);
    expect(get(engine, person)).toMatchObject({ status: 'cancelled', cause: { reason: 'nobody sits there' } });
  });
});

describe('a pause', () => {
  it('is recorded once, and so is its end', async () => {
    const { engine, ids } = await held(1);
    await engine.orchestrator.pause({ by: 'me' });
    expect(get(engine, ids[0] ?? '').status).toBe('queued');
    for (const _ of [1, 2]) await engine.orchestrator.resume('me');
    await engine.settle();
    expect(get(engine, ids[0] ?? '').status).toBe('starting');
    const told = engine.events.flatMap(({ name }) => (name.startsWith('queue.') ? [name] : []));
    expect(told).toEqual(['queue.paused', 'queue.resumed']);
  });

  it('that changed nothing does nothing either when it comes again after the end of the pause', async () => {
    const { engine } = await held(0);
    const { orchestrator, ledger } = engine;
    await orchestrator.pause({ by: 'me', reason: 'deploying', requestKey: 'k0' });
    await orchestrator.pause({ by: 'me', requestKey: 'k1' });
    expect(ledger.pauseReason).toBe('deploying');
    await orchestrator.resume('me', { requestKey: 'k2' });
    await orchestrator.pause({ by: 'me', requestKey: 'k1' });
    expect(ledger.isPaused).toBe(false);
    await orchestrator.resume('me', { requestKey: 'k3' });
    await orchestrator.pause({ by: 'me', requestKey: 'k4' });
    await orchestrator.resume('me', { requestKey: 'k3' });
    expect(ledger.isPaused).toBe(true);
  });
});
