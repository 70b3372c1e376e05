// The line in memory: who is admitted and when, and what comes back into it.
import { describe, expect, it } from 'vitest';
import type { Priority } from '../../core/priority.ts';
import { activeCount, type Conditions, type WaitingJob } from '../../core/scheduler.ts';
import { createEmbeddedQueue } from '../../storage/embedded/queue.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));
const RANK = { lowest: 0, low: 1, medium: 2, high: 3, highest: 4, urgent: 5 } as const;
const job = (sessionId: string, seq: number, priority: Priority = 'medium'): WaitingJob => ({
  sessionId,
  seq,
  priority,
  key: seq - 1000 * RANK[priority],
  taskId: sessionId,
  concurrent: false,
  ancestors: [],
});

function rig(cap: number) {
  const errors: unknown[] = [];
  const conditions: { -readonly [Name in keyof Conditions]: Conditions[Name] } = { cap, now: 0, isPaused: false };
  const queue = createEmbeddedQueue({ conditions: () => conditions, onError: (error) => errors.push(error) });
  const begun: string[] = [];
  const ends = new Map<string, { resolve: (again?: WaitingJob) => void; reject: (error: unknown) => void }>();
  const work = () =>
    queue.work(({ sessionId }) => {
      begun.push(sessionId);
      return new Promise((resolve, reject) => ends.set(sessionId, { resolve, reject }));
    });
  const end = async (id: string, again?: WaitingJob) => {
    ends.get(id)?.resolve(again);
    await turn();
  };
  return {
    queue,
    begun,
    errors,
    conditions,
    work,
    end,
    ends,
    waiting: () => queue.line().waiting.map(({ sessionId }) => sessionId),
  };
}

describe('the line in memory', () => {
  it('takes the best first: by priority, then by age, whenever it was added', async () => {
    const { queue, begun, work, end, waiting } = rig(1);
    for (const one of [job('low', 1, 'low'), job('b', 3), job('urgent', 5, 'urgent'), job('a', 2), job('high', 4, 'high')])
      queue.add(one);
    expect(waiting()).toEqual(['urgent', 'high', 'a', 'b', 'low']);
    work();
    for (let n = 0; n < 5; n++) await end(begun.at(-1) ?? '');
    expect(begun).toEqual(['urgent', 'high', 'a', 'b', 'low']);
  });

  it('counts what was taken up before it works, and admits nobody in its place', async () => {
    const { queue, begun, work, end } = rig(1);
    queue.add(job('left', 1), 'adopt');
    queue.add(job('next', 2));
    await turn();
    expect(begun).toEqual([]);
    work();
    expect(begun).toEqual(['left']);
    await end('left');
    expect(begun).toEqual(['left', 'next']);
  });

  it('never has more active than the cap, also when it is raised and lowered', async () => {
    const { queue, begun, work, end, conditions } = rig(2);
    work();
    for (let n = 0; n < 7; n++) queue.add(job(`s${n}`, n));
    expect(begun).toEqual(['s0', 's1']);
    conditions.cap = 4;
    queue.admit();
    await turn();
    expect(begun).toHaveLength(4);
    conditions.cap = 1;
    for (const id of ['s0', 's1', 's2']) await end(id);
    expect(begun).toHaveLength(4);
    await end('s3');
    expect(begun).toEqual(['s0', 's1', 's2', 's3', 's4']);
  });

  it('lets a waiting job be taken out, once', async () => {
    const { queue, begun, work, end } = rig(1);
    work();
    for (const [seq, one] of ['a', 'b', 'c'].entries()) queue.add(job(one, seq));
    expect([queue.remove('b'), queue.remove('b'), queue.remove('a')]).toEqual([true, false, false]);
    await end('a');
    expect(begun).toEqual(['a', 'c']);
  });

  it('calls the handler of runs found alive at once, and starts nothing until there is room', async () => {
    const { queue, begun, work, end } = rig(2);
    work();
    for (const one of ['x', 'y', 'z']) queue.add(job(one, 1), 'adopt');
    queue.add(job('a', 2));
    expect(begun).toEqual(['x', 'y', 'z']);
    expect(activeCount(queue.line())).toBe(3);
    await end('x');
    expect(begun).toHaveLength(3);
    await end('y');
    expect(begun).toEqual(['x', 'y', 'z', 'a']);
  });

  it('lends the slot of a run to its descendants, as often as it waits, until the last wait is over', async () => {
    const { queue, begun, work, end } = rig(1);
    work();
    queue.add(job('parent', 1));
    queue.add(job('stranger', 2, 'high'));
    queue.add({ ...job('child', 3), ancestors: ['parent'] });
    const [first, second] = [queue.lend('parent'), queue.lend('parent')];
    await turn();
    expect(begun).toEqual(['parent', 'child']);
    first();
    first();
    expect(activeCount(queue.line())).toBe(1);
    second();
    expect(activeCount(queue.line())).toBe(2);
    await end('child');
    expect(begun).toHaveLength(2);
    await end('parent');
    expect(begun).toEqual(['parent', 'child', 'stranger']);
  });

  it('puts what a handler resolves with into the line again, with its slot free before', async () => {
    const { queue, begun, work, end, waiting, conditions } = rig(1);
    work();
    queue.add(job('a', 1));
    queue.add(job('b', 2));
    await end('a', { ...job('a', 3), notBefore: 100 });
    expect(begun).toEqual(['a', 'b']);
    expect(waiting()).toEqual(['a']);
    await end('b');
    expect(begun).toHaveLength(2);
    conditions.now = 100;
    queue.admit();
    expect(begun).toEqual(['a', 'b', 'a']);
  });

  it('tells of a handler that fails and frees its slot', async () => {
    const { queue, begun, errors, work, ends } = rig(1);
    work();
    queue.add(job('a', 1));
    queue.add(job('b', 2));
    ends.get('a')?.reject(new Error('a bug'));
    await turn();
    expect(errors).toEqual([new Error('a bug')]);
    expect(begun).toEqual(['a', 'b']);
  });

  it('admits nothing while it is paused, or once it is closed', async () => {
    const { queue, begun, work, end, conditions } = rig(1);
    conditions.isPaused = true;
    work();
    queue.add(job('a', 1));
    queue.add(job('b', 2));
    await turn();
    expect(begun).toEqual([]);
    conditions.isPaused = false;
    queue.admit();
    expect(begun).toEqual(['a']);
    queue.close();
    await end('a');
    expect(begun).toEqual(['a']);
  });
});
