// When a session is tried again: pauses that grow, apart by chance, and never before the reset that the agent told.
import { describe, expect, it } from 'vitest';
import { Config } from '../../core/config.ts';
import { type Failure, retryAt } from '../../core/retry.ts';

const NOW = Date.parse('2026-01-02T03:04:05Z');
const { retryPolicy } = Config.parse({
  queue: { retryPolicy: { attempts: 4, minDelayMs: 8000, factor: 2, maxDelayMs: 20_000, retryOn: ['rate_limited', 'killed'] } },
}).queue;

const failure = (more: Partial<Failure> = {}): Failure => ({ cause: { kind: 'killed' }, runs: 1, ...more });
const limited = (resetsAt: string) => failure({ cause: { kind: 'rate_limited', resetsAt } });
/** Milliseconds from now to the next try. */
function pause(of: Failure, random = 0.5): number | undefined {
  const at = retryAt(of, retryPolicy, NOW, random);
  return at === undefined ? undefined : at - NOW;
}

describe('the next try', () => {
  it('comes after pauses that grow up to the longest, as often as there may be', () => {
    expect([1, 2, 3, 4].map((runs) => pause(failure({ runs })))).toEqual([8000, 16_000, 20_000, undefined]);
  });

  it('is an eighth sooner or later by chance, so that sessions that failed together do not come back together', () => {
    expect(pause(failure(), 0)).toBe(7000);
    expect(pause(failure(), 0.99)).toBeCloseTo(8980);
  });

  it('waits for the reset, but not shorter than the pause', () => {
    expect(pause(limited('2026-01-02T08:04:05Z'))).toBe(5 * 3_600_000);
    expect(pause(limited('2026-01-02T03:04:06Z'))).toBe(8000);
    expect(pause(limited('at noon'))).toBe(8000);
  });

  it('is none for what the policy leaves out', () => {
    expect(pause(failure({ cause: { kind: 'agent_error' } }))).toBeUndefined();
  });
});
