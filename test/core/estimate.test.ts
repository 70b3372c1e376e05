// When sessions may start: behind the slots, behind who works on their task, and never told where nobody can know.
import { describe, expect, it } from 'vitest';
import { estimatedStarts } from '../../core/estimate.ts';
import type { Line, WaitingJob } from '../../core/scheduler.ts';
import { caller, type Engine, makeEngine } from '../support/engine.ts';

const process = { pid: 4242, startedAt: '99' };

/** A line with these before it, each of a task of its own, that took ten seconds. */
async function experienced(slots: number): Promise<Engine> {
  const get = async (id: string) => ({ id, file: `/w/.tasks/${id}.task.md`, title: id, fields: {}, body: '' });
  const engine = await makeEngine({ config: { resources: { maxConcurrentSessions: slots } }, tasks: { get } });
  const id = await running(engine, 'first');
  engine.clock.advance(10_000);
  engine.run(id).end(0);
  await engine.settle();
  return engine;
}
async function start(engine: Engine, taskId: string, notBefore?: string): Promise<string> {
  const { session } = await engine.orchestrator.start({ taskId, type: 'autonomous', queue: true, notBefore }, caller);
  await engine.settle();
  return session.id;
}
async function running(engine: Engine, taskId: string): Promise<string> {
  const id = await start(engine, taskId);
  engine.run(id).say({ kind: 'started', process });
  await engine.settle();
  return id;
}
const secondsOf = (engine: Engine, line: Line = engine.queue.line()) =>
  estimatedStarts(engine.ledger, line, 10).map((at) => (at - engine.clock.now()) / 1000);

describe('a session whose task is worked on', () => {
  it('starts behind that work, and others take the slots before it', async () => {
    const engine = await experienced(2);
    await running(engine, 'busy');
    engine.clock.advance(4000);
    await start(engine, 'busy');
    expect(secondsOf(engine)).toEqual([6]);
    await running(engine, 'other');
    await start(engine, 'third');
    expect(secondsOf(engine)).toEqual([6, 10]);
  });

  it('starts when there is a slot where it may run beside', async () => {
    const engine = await experienced(2);
    await running(engine, 'busy');
    await start(engine, 'busy');
    const line = engine.queue.line();
    const beside: Line = { ...line, waiting: line.waiting.map((job): WaitingJob => ({ ...job, concurrent: true })) };
    expect(secondsOf(engine, beside)).toEqual([0]);
  });

  it('starts behind one that stands before it in the line', async () => {
    const engine = await experienced(1);
    await running(engine, 'other');
    await start(engine, 'busy');
    await start(engine, 'busy');
    expect(secondsOf(engine)).toEqual([10, 20]);
  });
});

it('a session that may not start yet takes no slot from those behind it', async () => {
  const engine = await experienced(1);
  await running(engine, 'other');
  await start(engine, 'late', new Date(engine.clock.now() + 60_000).toISOString());
  await start(engine, 'next');
  expect(secondsOf(engine)).toEqual([10, 60]);
});

describe('nothing is told', () => {
  it('while the machine is short of something', async () => {
    const engine = await experienced(1);
    await running(engine, 'other');
    await start(engine, 'third');
    expect(secondsOf(engine)).toEqual([10]);
    expect(secondsOf(engine, { ...engine.queue.line(), guard: '10 MB of memory are free', isShort: true })).toEqual([]);
  });

  it('while one runs that has outlasted its like', async () => {
    const engine = await experienced(1);
    await running(engine, 'other');
    await start(engine, 'third');
    engine.clock.advance(9_000);
    expect(secondsOf(engine)).toEqual([1]);
    engine.clock.advance(2_000);
    expect(secondsOf(engine)).toEqual([]);
  });

  it('of what no budget allows, nor of what stands behind it', async () => {
    const engine = await experienced(1);
    await running(engine, 'other');
    const [cheap, dear] = [await start(engine, 'third'), await start(engine, 'fourth')];
    expect(cheap).not.toBe(dear);
    const hold: Line['hold'] = ({ sessionId }) =>
      sessionId === dear ? { reason: 'nothing is left', isFinal: false } : undefined;
    expect(secondsOf(engine, { ...engine.queue.line(), hold })).toEqual([10]);
  });
});
