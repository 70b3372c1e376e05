// Deeds one after the other: in the order in which they were asked for, with one key or all.
import { describe, expect, it } from 'vitest';
import { inTurn, oneAfterTheOther } from '../../core/in-turn.ts';

const turns = new Map<string, Promise<unknown>>();

describe.each([
  ['all', oneAfterTheOther()],
  ['those with one key', <Answer>(deed: () => Promise<Answer>) => inTurn(turns, 'key', deed)],
])('%s', (_which, next) => {
  it('begin when the one before has ended, also where that one fails', async () => {
    const done: string[] = [];
    let end = () => {};
    const first = next(async () => {
      await new Promise<void>((resolve) => (end = resolve));
      done.push('first');
      throw new Error('first');
    });
    const second = next(async () => {
      done.push('second');
      return 2;
    });
    for (let tick = 0; tick < 5; tick++) await Promise.resolve();
    expect(done).toEqual([]);
    end();
    await expect(first).rejects.toThrow('first');
    expect(await second).toBe(2);
    expect(done).toEqual(['first', 'second']);
  });
});

it('those with another key do not wait, and what is over is forgotten', async () => {
  const hanging = inTurn(turns, 'a', () => new Promise<void>(() => {}));
  expect(await inTurn(turns, 'b', async () => 'done')).toBe('done');
  expect([...turns.keys()]).toEqual(['a']);
  void hanging;
});
