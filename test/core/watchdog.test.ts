import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { Config } from '../../core/config.ts';
import type { EndCause } from '../../core/ending.ts';
import { createWatchdog, FLOOD_BYTES } from '../../core/watchdog.ts';
import { fakeClock } from '../support/fake-clock.ts';

const MB = 1024 ** 2;

function open(config: z.input<typeof Config> = {}) {
  const clock = fakeClock();
  const stops: (EndCause & { readonly sessionId: string })[] = [];
  const errors: unknown[] = [];
  const quiet = new Set<string>();
  const parsed = Config.parse(config);
  const watchdog = createWatchdog({
    clock,
    settings: { current: () => parsed },
    stop: async (sessionId, cause) => {
      stops.push({ sessionId, ...cause });
      if (sessionId === 'unstoppable') throw new Error('it does not stop');
    },
    mayBeQuiet: (sessionId) => quiet.has(sessionId),
    onError: (error) => errors.push(error),
  });
  const watch = (sessionId = 'a', output: 'stream-json' | 'text' = 'stream-json', isFound = false) =>
    watchdog.watch({ sessionId, output, isFound });
  return { clock, stops, errors, quiet, watch };
}

describe('silence', () => {
  it('after the start ends a run that speaks stream-json', () => {
    const { clock, stops, watch } = open({ resources: { startTimeoutMs: 60_000 } });
    watch();
    clock.advance(59_999);
    expect(stops).toEqual([]);
    clock.advance(1);
    expect(stops).toEqual([{ sessionId: 'a', kind: 'idle_timeout', reason: 'it said nothing within 60000 ms of its start' }]);
  });

  it('later on ends it when it lasts too long, each word beginning it anew', () => {
    const { clock, stops, watch } = open({ resources: { startTimeoutMs: 60_000, idleTimeoutMs: 600_000 } });
    const run = watch();
    for (let size = 1; size < 10; size++) {
      clock.advance(size === 1 ? 59_999 : 599_999);
      run.spoke(size);
    }
    clock.advance(599_999);
    expect(stops).toEqual([]);
    clock.advance(1);
    expect(stops).toEqual([{ sessionId: 'a', kind: 'idle_timeout', reason: 'it said nothing for 600000 ms' }]);
    clock.advance(10_000_000);
    run.spoke(100_000 * MB);
    expect(stops).toHaveLength(1);
  });

  it('is not ended by what comes on standard error', () => {
    const { clock, stops, watch } = open({ resources: { startTimeoutMs: 60_000 } });
    const run = watch();
    clock.advance(59_999);
    run.complained(5);
    clock.advance(1);
    expect(stops).toMatchObject([{ kind: 'idle_timeout' }]);
  });

  it('says nothing about an agent that prints plain text', () => {
    const { clock, stops, watch } = open();
    const run = watch('a', 'text');
    clock.advance(86_400_000);
    run.spoke(1);
    clock.advance(86_400_000);
    expect(stops).toEqual([]);
  });

  it('may last for ever where the limits are off', () => {
    const { clock, stops, watch } = open({ resources: { startTimeoutMs: 0, idleTimeoutMs: 0 } });
    const run = watch();
    clock.advance(86_400_000);
    run.spoke(1);
    clock.advance(86_400_000);
    expect(stops).toEqual([]);
  });

  it('is excused as long as the session may be quiet, and then counts from the beginning, whenever that was', () => {
    const { clock, stops, quiet, watch } = open({ resources: { idleTimeoutMs: 1000 } });
    watch().spoke(1);
    quiet.add('a');
    // answered just before its time would have been over again
    clock.advance(10_990);
    quiet.delete('a');
    clock.advance(900);
    expect(stops).toEqual([]);
    clock.advance(100);
    expect(stops).toHaveLength(1);
  });

  it('ends nothing that is done', () => {
    const { clock, stops, watch } = open();
    const run = watch();
    run.spoke(1);
    run.done();
    clock.advance(86_400_000);
    run.spoke(100_000 * MB);
    expect(stops).toEqual([]);
  });

  it('is judged for each run by itself', () => {
    const { clock, stops, watch } = open({ resources: { startTimeoutMs: 1000, idleTimeoutMs: 5000 } });
    watch('a');
    watch('b').spoke(1);
    clock.advance(1000);
    expect(stops.map(({ sessionId }) => sessionId)).toEqual(['a']);
  });
});

describe('a log', () => {
  it('that is too large ends its run, whatever the agent speaks', () => {
    const { stops, watch } = open({ storage: { maxLogBytes: '10MB' } });
    const run = watch('a', 'text');
    run.spoke(10 * MB);
    expect(stops).toEqual([]);
    run.spoke(10 * MB + 1);
    run.spoke(11 * MB);
    expect(stops).toEqual([{ sessionId: 'a', kind: 'log_flood', reason: 'its log has 10 MB; at most 10 MB are kept' }]);
  });

  it('that grows too fast ends its run, one that grows as much in more time does not', () => {
    const { clock, stops, watch } = open();
    const steady = watch('steady');
    const fast = watch('fast', 'text');
    for (let minute = 1; minute <= 9; minute++) {
      clock.advance(60_000);
      steady.spoke(minute * FLOOD_BYTES);
    }
    expect(stops).toEqual([]);
    fast.spoke(5);
    clock.advance(59_999);
    fast.spoke(FLOOD_BYTES + 6);
    expect(stops).toMatchObject([
      { sessionId: 'fast', kind: 'log_flood', reason: 'its log grew by 100 MB within a minute; at most 100 MB may' },
    ]);
  });

  it('is what comes on both outputs together', () => {
    const { clock, stops, watch } = open({ storage: { maxLogBytes: '300MB' } });
    const quiet = watch('quiet', 'text');
    quiet.complained(FLOOD_BYTES);
    quiet.spoke(1);
    expect(stops).toMatchObject([{ sessionId: 'quiet', reason: 'its log grew by 100 MB within a minute; at most 100 MB may' }]);
    const both = watch('both');
    for (let minute = 1; minute <= 3; minute++) {
      both.complained(minute * 70 * MB);
      clock.advance(60_000);
      both.spoke(minute * 30 * MB);
      clock.advance(60_000);
    }
    expect(stops).toHaveLength(1);
    both.complained(210 * MB + 1);
    expect(stops[1]).toEqual({ sessionId: 'both', kind: 'log_flood', reason: 'its log has 300 MB; at most 300 MB are kept' });
  });

  it('has no limit but its growth where that is off', () => {
    const { clock, stops, watch } = open({ storage: { maxLogBytes: '0' } });
    const run = watch();
    for (let minute = 1; minute <= 50; minute++) {
      clock.advance(60_000);
      run.spoke(minute * FLOOD_BYTES);
    }
    expect(stops).toEqual([]);
  });

  it('that is read again after a restart has not grown', () => {
    const { clock, stops, watch } = open();
    const run = watch('a', 'stream-json', true);
    run.spoke(500 * MB);
    run.spoke(900 * MB);
    clock.advance(60_000);
    run.spoke(900 * MB + 1);
    expect(stops).toEqual([]);
    run.spoke(901 * MB + FLOOD_BYTES);
    expect(stops).toMatchObject([{ kind: 'log_flood' }]);
  });

  it('is judged by the time that passed, also where the clock was set back', () => {
    const { clock, stops, watch } = open({ storage: { maxLogBytes: '0' } });
    const run = watch('a', 'text');
    run.spoke(FLOOD_BYTES);
    clock.setBack(3_600_000);
    clock.advance(59_000);
    run.spoke(FLOOD_BYTES + 1);
    expect(stops).toMatchObject([{ kind: 'log_flood' }]);
  });
});

it('a stop that fails is told', async () => {
  const { clock, errors, watch } = open();
  watch('unstoppable');
  clock.advance(86_400_000);
  await Promise.resolve();
  await Promise.resolve();
  expect(errors).toEqual([new Error('it does not stop')]);
});
