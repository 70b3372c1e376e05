import { describe, expect, it } from 'vitest';
import { createMemoryShares } from '../../runners/memory-share.ts';

const MB = 1024 ** 2;

describe('proportional sizes', () => {
  const process = (pid: number, mb: number, startedAt = 'x') => ({ pid, startedAt, residentBytes: mb * MB });

  function open(budgetMs: number, costMs: number) {
    const asked: number[] = [];
    let now = 0;
    const sizes = new Map<number, number | undefined>();
    const read = async (pid: number) => {
      asked.push(pid);
      now += costMs;
      return sizes.get(pid);
    };
    return { asked, sizes, shares: createMemoryShares({ budgetMs, read, elapsed: () => now }) };
  }

  it('are asked of those most in doubt as long as there is credit, and debt is paid back', async () => {
    const { asked, sizes, shares } = open(10, 15);
    for (const pid of [1, 2, 3]) sizes.set(pid, 50 * MB);
    const all = [process(1, 100), process(2, 300), process(3, 200)];
    await shares.refresh(all, new Set());
    expect(asked).toEqual([2]);
    await shares.refresh(all, new Set());
    await shares.refresh(all, new Set());
    expect(asked).toEqual([2, 3]);
    await shares.refresh(all, new Set());
    expect(asked).toEqual([2, 3, 1]);
    expect(all.map((one) => shares.estimate(one))).toEqual([50 * MB, 50 * MB, 50 * MB]);
  });

  it('move with the resident size in between, and belong to one process only', async () => {
    const { sizes, shares } = open(10, 1);
    sizes.set(1, 40 * MB);
    await shares.refresh([process(1, 100)], new Set());
    expect([100, 130, 70, 10].map((mb) => shares.estimate(process(1, mb)) / MB)).toEqual([40, 70, 10, 0]);
    expect(shares.estimate(process(1, 100, 'y'))).toBe(100 * MB);
    await shares.refresh([], new Set());
    expect(shares.estimate(process(1, 100))).toBe(100 * MB);
  });

  it('of the urgent are asked always, of the small and unchanged seldom, and are resident sizes where the kernel is silent', async () => {
    const { asked, shares } = open(1, 100);
    for (let round = 0; round < 3; round++) await shares.refresh([process(1, 100), process(2, 0.5)], new Set([1]));
    expect(asked).toEqual([1, 1, 1]);
    expect(shares.estimate(process(1, 100))).toBe(100 * MB);
  });
});
