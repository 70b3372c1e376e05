import { describe, expect, it } from 'vitest';
import { createAttribution, type MarkedRun } from '../../runners/attribution.ts';
import type { ProcessEntry } from '../../runners/process.ts';

describe('sorting processes to runs', () => {
  const entry = (pid: number, ppid: number, more: Partial<ProcessEntry> = {}): ProcessEntry => ({
    pid,
    ppid,
    pgid: pid,
    sid: pid,
    state: 'S',
    startedAt: `${pid}`,
    ...more,
  });
  const run = (key: string, pid: number, mark = `m/${key}`): MarkedRun => ({
    key,
    mark,
    supervisor: { pid, startedAt: `${pid}` },
  });
  const pids = (sorted: ReadonlyMap<string, readonly ProcessEntry[]>) =>
    Object.fromEntries([...sorted].map(([key, entries]) => [key, entries.map(({ pid }) => pid)]));

  it('follows parents, marks, and what was known before, in one pass', () => {
    const marks = new Map([
      [300_005, 'm/b'],
      [300_006, 'elsewhere'],
      [300_008, 'm/a'],
    ]);
    const attribution = createAttribution((pid) => marks.get(pid));
    const runs = [run('a', 300_001), run('b', 300_003)];
    // 300,003 is the supervisor of b, started by a hub inside a; 300,006 belongs to another workspace
    const table = [
      entry(300_004, 300_003),
      entry(300_002, 300_001),
      entry(300_001, 1),
      entry(300_003, 300_002),
      entry(300_005, 300_002),
      entry(300_006, 300_002),
      entry(300_007, 300_006),
      entry(300_008, 1),
      entry(300_009, 300_002, { state: 'Z' }),
      entry(300_010, 300_009),
    ];
    expect(pids(attribution.sort(table, runs))).toEqual({ a: [300_002, 300_001, 300_008], b: [300_004, 300_003, 300_005] });
    const orphaned = [entry(300_002, 1), entry(300_004, 1, { startedAt: 'another' })];
    expect(pids(attribution.sort(orphaned, runs))).toEqual({ a: [300_002] });
    expect(pids(attribution.sort(orphaned, [run('b', 300_003)]))).toEqual({});
  });

  it('leaves out this hub, its keeper, and what descends from them', () => {
    const attribution = createAttribution(() => undefined);
    const table = [
      entry(300_001, 1),
      entry(process.ppid, 300_001),
      entry(process.pid, process.ppid),
      entry(300_002, process.pid),
    ];
    expect(pids(attribution.sort(table, [run('a', 300_001)]))).toEqual({ a: [300_001] });
  });

  // elsewhere looking costs a program, and is done of orphans only
  it.runIf(process.platform === 'linux')(
    'looks at an environment twice at most, and never at what is older than all runs',
    () => {
      const looked: number[] = [];
      const attribution = createAttribution((pid) => {
        looked.push(pid);
        return pid === 300_003 ? 'm/a' : undefined;
      });
      const table = [entry(200_000, 1), entry(300_002, 1), entry(300_003, 1)];
      for (let round = 0; round < 5; round++) attribution.sort(table, [run('a', 300_001)]);
      expect(looked).toEqual([300_002, 300_003, 300_002]);
      attribution.sort([entry(300_002, 1, { startedAt: '300100' })], [run('a', 300_001)]);
      expect(looked).toHaveLength(4);
    },
  );
});
