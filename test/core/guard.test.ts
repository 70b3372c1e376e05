import { describe, expect, it } from 'vitest';
import { Config } from '../../core/config.ts';
import { EXPECTED_BYTES, MEASURING } from '../../core/guard.ts';
import { done, GB, MB, open, queued, ROOMY, running } from './guard-rig.ts';

describe('sampling', () => {
  it('happens only while something runs or waits', async () => {
    const rig = open();
    const guard = rig.make();
    await rig.pass(60_000);
    expect(rig.asked).toEqual([]);
    await queued(rig.ledger, 'a');
    await rig.settle();
    expect(rig.asked).toEqual([[]]);
    await running(rig.ledger, 'b');
    await rig.pass(2000);
    await rig.pass(2000);
    expect(rig.asked.slice(1)).toEqual([['b 1'], ['b 1']]);
    await done(rig.ledger, 'b');
    await running(rig.ledger, 'a');
    await done(rig.ledger, 'a');
    await rig.pass(2000);
    const { length } = rig.asked;
    await rig.pass(60_000);
    expect(rig.asked).toHaveLength(length);
    await guard.close();
  });

  it('begins at once when a hub finds sessions', async () => {
    const rig = open();
    await running(rig.ledger, 'a');
    rig.use('a', GB);
    const guard = rig.make();
    await rig.settle();
    expect(guard.usage('a')).toEqual({ memoryBytes: GB, cpu: 0, processes: 3 });
    expect(guard.usage('b')).toBeUndefined();
    await guard.close();
  });

  it('ends with close, which waits for the sample under way', async () => {
    const rig = open();
    await running(rig.ledger, 'a');
    rig.use('a', 100 * GB);
    const release = rig.block();
    const guard = rig.make();
    await rig.settle();
    let isClosed = false;
    const closing = guard.close().then(() => {
      isClosed = true;
    });
    await rig.settle();
    expect(isClosed).toBe(false);
    release();
    await closing;
    expect(rig.stops).toEqual([]);
    await queued(rig.ledger, 'b');
    guard.holdReason();
    await rig.pass(60_000);
    expect(rig.asked).toHaveLength(1);
  });

  it('is sooner when a run grows fast, but not without end', async () => {
    const rig = open({ maxMemoryPerSession: '1GB', sampleIntervalMs: 2000 });
    await running(rig.ledger, 'a');
    const guard = rig.make();
    await rig.settle();
    rig.use('a', 600 * MB);
    await rig.pass(2000);
    // 600 MB in 2 s: the other 424 MB take 1.4 s
    await rig.pass(700);
    expect(rig.asked).toHaveLength(2);
    rig.use('a', 1020 * MB);
    await rig.pass(10);
    expect(rig.asked).toHaveLength(3);
    await rig.pass(249);
    expect(rig.asked).toHaveLength(3);
    await rig.pass(1);
    expect(rig.asked).toHaveLength(4);
    await guard.close();
  });

  it('is sooner while a run uses more than half of its limit', async () => {
    const rig = open({ maxMemoryPerSession: '1GB', sampleIntervalMs: 2000 });
    await running(rig.ledger, 'a');
    rig.use('a', 513 * MB);
    const guard = rig.make();
    await rig.settle();
    await rig.pass(999);
    expect(rig.asked).toHaveLength(1);
    await rig.pass(1);
    expect(rig.asked).toHaveLength(2);
    rig.use('a', 512 * MB);
    await rig.pass(1000);
    await rig.pass(1999);
    expect(rig.asked).toHaveLength(3);
    await rig.pass(1);
    expect(rig.asked).toHaveLength(4);
    await guard.close();
  });

  it('comes in time although the one before took long', async () => {
    const rig = open({ sampleIntervalMs: 2000 });
    await running(rig.ledger, 'a');
    const release = rig.block();
    const guard = rig.make();
    await rig.pass(1500);
    release();
    await rig.settle();
    expect(rig.asked).toHaveLength(1);
    await rig.pass(500);
    expect(rig.asked).toHaveLength(2);
    await guard.close();
  });
});

describe('the reason to wait', () => {
  it('after a rest is that the machine is measured, until it is', async () => {
    const rig = open();
    const guard = rig.make();
    expect(guard.holdReason()).toBe(MEASURING);
    expect(guard.shortOf()).toEqual([]);
    expect(guard.machine()).toEqual([]);
    await rig.settle();
    expect(rig.state.changes).toBe(1);
    expect(guard.holdReason()).toBeUndefined();
    expect(guard.machine().map(({ resourceType }) => resourceType)).toEqual(['free_memory', 'cpu_load', 'memory_pressure']);
    await rig.pass(3000);
    expect(guard.holdReason()).toBeUndefined();
    await rig.pass(3000);
    expect(guard.holdReason()).toBe(MEASURING);
    await rig.settle();
    expect(rig.state.changes).toBe(2);
    await guard.close();
  });

  it('after a rest is that again, also where the clock was set back meanwhile', async () => {
    const rig = open();
    const guard = rig.make();
    guard.holdReason();
    await rig.settle();
    await rig.pass(60_000);
    rig.clock.setBack(3_600_000);
    expect(guard.holdReason()).toBe(MEASURING);
    await guard.close();
  });

  it.each([
    ['memory', { ...ROOMY, freeMemoryBytes: 300 * MB }, '300 MB of memory are free, 512 MB must stay free', 'free_memory'],
    ['the processor', { ...ROOMY, cpuLoad: 5.25 }, 'the load is 5.3 per core, at most 4 to start', 'cpu_load'],
    [
      'memory pressure',
      { ...ROOMY, memoryPressure: 0.62 },
      'programs stood waiting for memory 62 % of the time, at most 50 % to start',
      'memory_pressure',
    ],
  ])('is %s where the machine is short of it', async (_, machine, reason, type) => {
    const rig = open();
    rig.state.machine = machine;
    const guard = rig.make();
    guard.holdReason();
    await rig.settle();
    expect(guard.holdReason()).toBe(reason);
    expect(guard.shortOf()).toEqual([type]);
    expect(rig.state.changes).toBe(0);
    await guard.close();
  });

  it('is none where the limits are off or the kernel tells no pressure', async () => {
    const rig = open({ minFreeMemory: '0', maxCpuLoad: 0, maxMemoryPressure: 0 });
    rig.state.machine = { freeMemoryBytes: 0, cpuLoad: 99, memoryPressure: 1 };
    const guard = rig.make();
    guard.holdReason();
    await rig.settle();
    guard.admitted('a', 'demo');
    expect(guard.machine().map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/of memory are free$/),
      'the load is 99.0 per core',
      'programs stood waiting for memory 100 % of the time',
    ]);
    expect(guard.holdReason()).toBeUndefined();
    rig.state.machine = { freeMemoryBytes: 0, cpuLoad: 0 };
    await queued(rig.ledger, 'a');
    await rig.pass(2000);
    expect(guard.machine()).toHaveLength(2);
    await guard.close();
  });

  it('counts what was admitted a moment ago and has not grown yet', async () => {
    const rig = open();
    rig.state.machine = { ...ROOMY, freeMemoryBytes: 512 * MB + EXPECTED_BYTES };
    const guard = rig.make();
    guard.holdReason();
    await rig.settle();
    guard.admitted('a', 'demo');
    expect(guard.holdReason()).toBeUndefined();
    guard.admitted('b', 'demo');
    expect(guard.holdReason()).toBe(
      '768 MB of memory are free, 512 MB set aside for sessions just started, 512 MB must stay free',
    );
    expect(guard.shortOf()).toEqual([]);
    await running(rig.ledger, 'a');
    await running(rig.ledger, 'b');
    rig.use('a', EXPECTED_BYTES);
    await rig.pass(2000);
    expect(guard.holdReason()).toBeUndefined();
    expect(rig.state.changes).toBe(2);
    guard.admitted('c', 'demo');
    expect(guard.holdReason()).toContain('set aside');
    await running(rig.ledger, 'c');
    await done(rig.ledger, 'c');
    expect(guard.holdReason()).toBeUndefined();
    guard.admitted('d', 'demo');
    expect(guard.holdReason()).toContain('set aside');
    await rig.pass(2000);
    await rig.pass(2000);
    await rig.pass(2000);
    expect(guard.holdReason()).toBeUndefined();
    expect(rig.state.changes).toBe(3);
    await guard.close();
  });

  it('is none when the machine cannot be measured, and that is told', async () => {
    const rig = open();
    rig.state.machine = { ...ROOMY, freeMemoryBytes: 0 };
    await queued(rig.ledger, 'a');
    const guard = rig.make();
    await rig.settle();
    expect(guard.holdReason()).toContain('of memory are free');
    rig.state.fails = true;
    await rig.pass(2000);
    expect(guard.holdReason()).toBeUndefined();
    expect(guard.shortOf()).toEqual([]);
    expect(rig.state.changes).toBe(1);
    expect(rig.errors).toEqual([new Error('no /proc')]);
    await guard.close();
  });

  it('is none any more when measuring takes too long', async () => {
    const rig = open();
    const release = rig.block();
    const guard = rig.make();
    expect(guard.holdReason()).toBe(MEASURING);
    await rig.pass(9999);
    expect(guard.holdReason()).toBe(MEASURING);
    await rig.pass(1);
    expect(guard.holdReason()).toBeUndefined();
    expect(rig.asked).toHaveLength(1);
    release();
    await guard.close();
  });
});

describe('the facts', () => {
  it('are recorded once when the machine becomes short, and once when it is well over the limit again', async () => {
    const rig = open();
    await queued(rig.ledger, 'second');
    await queued(rig.ledger, 'first');
    await running(rig.ledger, 'busy');
    const guard = rig.make();
    const at = async (freeMb: number) => {
      rig.state.machine = { ...ROOMY, freeMemoryBytes: freeMb * MB };
      await rig.pass(2000);
    };
    await rig.settle();
    await at(500);
    await at(400);
    const exhausted = {
      name: 'resource.exhausted',
      resourceType: 'free_memory',
      currentUsage: 500 * MB,
      limit: 512 * MB,
      affectedSessions: ['second', 'first'],
    };
    expect(rig.facts()).toEqual([exhausted]);
    guard.holdReason();
    // a tenth over the limit is 563.2 MB
    await at(560);
    expect(rig.facts()).toHaveLength(1);
    expect(guard.holdReason()).toContain('560 MB of memory are free');
    await at(564);
    await at(520);
    expect(rig.facts()).toEqual([exhausted, { ...exhausted, name: 'resource.recovered', currentUsage: 564 * MB }]);
    expect(rig.state.changes).toBe(1);
    await at(511);
    expect(rig.facts()).toHaveLength(3);
    await guard.close();
  });

  it('name each resource by itself, and the first hundred that wait', async () => {
    const rig = open();
    for (let at = 0; at < 105; at++) await queued(rig.ledger, `s${at}`);
    rig.state.machine = { freeMemoryBytes: 0, cpuLoad: 4.1, memoryPressure: 0.6 };
    const guard = rig.make();
    await rig.settle();
    rig.state.machine = { freeMemoryBytes: 0, cpuLoad: 3.5, memoryPressure: 0.46 };
    await rig.pass(2000);
    expect(rig.facts().map((fact) => `${fact.name} ${'resourceType' in fact && fact.resourceType}`)).toEqual([
      'resource.exhausted free_memory',
      'resource.exhausted cpu_load',
      'resource.exhausted memory_pressure',
      'resource.recovered cpu_load',
    ]);
    expect(rig.facts()[0]).toMatchObject({ affectedSessions: Array.from({ length: 100 }, (_, at) => `s${at}`) });
    await guard.close();
  });
});

describe('a run that uses too much memory', () => {
  it('is stopped, once in each run, and nothing else is', async () => {
    const rig = open({ maxMemoryPerSession: '2GB' });
    await running(rig.ledger, 'big');
    await running(rig.ledger, 'small');
    rig.use('big', 2 * GB);
    rig.use('small', GB);
    const guard = rig.make();
    await rig.settle();
    expect(rig.stops).toEqual([]);
    rig.use('big', 2.5 * GB, 7);
    for (let round = 0; round < 5; round++) await rig.pass(2000);
    expect(rig.stops).toEqual([
      { sessionId: 'big', cause: { kind: 'memory', reason: 'its 7 processes used 2.5 GB; at most 2 GB are allowed' } },
    ]);
    await done(rig.ledger, 'big');
    await rig.pass(2000);
    await running(rig.ledger, 'big', 2);
    await rig.pass(2000);
    expect(rig.stops).toHaveLength(2);
    await guard.close();
  });

  it('may do so without a limit, and a stop that fails is told', async () => {
    const rig = open({ maxMemoryPerSession: '0' });
    await running(rig.ledger, 'unstoppable');
    rig.use('unstoppable', 900 * GB);
    const guard = rig.make();
    await rig.settle();
    await rig.pass(2000);
    expect(rig.stops).toEqual([]);
    rig.settings.config = Config.parse({ resources: { maxMemoryPerSession: '4GB' } });
    await rig.pass(2000);
    expect(rig.stops).toHaveLength(1);
    expect(rig.errors).toEqual([new Error('it does not stop')]);
    await guard.close();
  });
});

describe('starts', () => {
  it('of Claude Code are staggered, others are not', async () => {
    const rig = open({ staggerMs: 800 });
    const guard = rig.make();
    expect(guard.staggeredUntil('claude')).toBeUndefined();
    guard.admitted('a', 'demo');
    expect(guard.staggeredUntil('claude')).toBeUndefined();
    const startedAt = rig.clock.now();
    guard.admitted('b', 'claude');
    rig.clock.advance(799);
    expect(guard.staggeredUntil('claude')).toBe(startedAt + 800);
    expect(guard.staggeredUntil('demo')).toBeUndefined();
    rig.clock.advance(1);
    expect(guard.staggeredUntil('claude')).toBeUndefined();
    await guard.close();
  });

  it('are not staggered when that is off', async () => {
    const rig = open({ staggerMs: 0 });
    const guard = rig.make();
    guard.admitted('a', 'claude');
    expect(guard.staggeredUntil('claude')).toBeUndefined();
    await guard.close();
  });
});
