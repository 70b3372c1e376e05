// The line and the slots: order, cap, taking out, and runs that are found alive.
import { describe, expect, it } from 'vitest';
import type { Job } from '../../core/ports.ts';
import type { Priority } from '../../core/priority.ts';
import { createEmbeddedQueue } from '../../storage/embedded/queue.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));
const job = (sessionId: string, seq: number, priority: Priority = 'medium'): Job => ({ sessionId, seq, priority });

function rig(slots: number) {
  const errors: unknown[] = [];
  const queue = createEmbeddedQueue({ slots, onError: (error) => errors.push(error) });
  const begun: string[] = [];
  const ends = new Map<string, (error?: unknown) => void>();
  const work = () =>
    queue.work(({ sessionId }) => {
      begun.push(sessionId);
      return new Promise((resolve, reject) => ends.set(sessionId, (error) => (error === undefined ? resolve() : reject(error))));
    });
  return { queue, begun, errors, work, end: (id: string, error?: unknown) => ends.get(id)?.(error) };
}

describe('the line in memory', () => {
  it('takes the best first: by priority, then by age, whenever it was added', async () => {
    const { queue, begun, work, end } = rig(1);
    for (const one of [job('low', 1, 'low'), job('b', 3), job('urgent', 5, 'urgent'), job('a', 2), job('high', 4, 'high')]) queue.add(one);
    expect(queue.list().map(({ sessionId }) => sessionId)).toEqual(['urgent', 'high', 'a', 'b', 'low']);
    work();
    for (let n = 0; n < 5; n++) {
      await turn();
      end(begun.at(-1) ?? '');
    }
    await turn();
    expect(begun).toEqual(['urgent', 'high', 'a', 'b', 'low']);
  });

  it('never has more under way than there are slots', async () => {
    const { queue, begun, work, end } = rig(2);
    work();
    for (let n = 0; n < 5; n++) queue.add(job(`s${n}`, n));
    expect(begun).toEqual(['s0', 's1']);
    expect(queue.slots()).toEqual({ total: 2, taken: 2 });
    end('s0');
    await turn();
    expect(begun).toEqual(['s0', 's1', 's2']);
  });

  it('lets a waiting job be taken out, once', async () => {
    const { queue, begun, work, end } = rig(1);
    work();
    for (const one of ['a', 'b', 'c']) queue.add(job(one, 1));
    expect(queue.remove('b')).toBe(true);
    expect(queue.remove('b')).toBe(false);
    expect(queue.remove('a')).toBe(false);
    end('a');
    await turn();
    expect(begun).toEqual(['a', 'c']);
  });

  it('gives runs that were found alive a slot whatever the cap says, and starts nothing until there is room', async () => {
    const { queue, begun, work, end } = rig(2);
    work();
    for (const one of ['x', 'y', 'z']) queue.adopt(job(one, 1));
    queue.add(job('a', 2));
    expect(begun).toEqual(['x', 'y', 'z']);
    expect(queue.slots()).toEqual({ total: 2, taken: 3 });
    end('x');
    await turn();
    expect(begun).toHaveLength(3);
    end('y');
    await turn();
    expect(begun).toEqual(['x', 'y', 'z', 'a']);
    expect(queue.slots()).toEqual({ total: 2, taken: 2 });
  });

  it('tells of a handler that fails and frees its slot', async () => {
    const { queue, begun, errors, work, end } = rig(1);
    work();
    queue.add(job('a', 1));
    queue.add(job('b', 2));
    end('a', new Error('a bug'));
    await turn();
    expect(errors).toEqual([new Error('a bug')]);
    expect(begun).toEqual(['a', 'b']);
  });

  it('starts nothing more once it is closed', async () => {
    const { queue, begun, work, end } = rig(1);
    work();
    queue.add(job('a', 1));
    queue.add(job('b', 2));
    queue.close();
    end('a');
    await turn();
    expect(begun).toEqual(['a']);
  });
});
