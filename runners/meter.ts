// Measures all runs with one look at the process table: which processes are whose, what they take of memory and processor, and the machine.
//
// Memory is the sum of proportional set sizes where the kernel tells them, else of resident sizes. Processor time is the difference to the
// sample before, over the processes that were in both: the first sample of a process tells nothing, and one that lived only between two
// samples is not seen.
import pidusage from 'pidusage';
import type { Meter, RunUsage } from '../core/meter-ports.ts';
import type { ProcessRef } from '../core/session.ts';
import { createAttribution, type MarkedRun } from './attribution.ts';
import { measureMachine } from './machine.ts';
import { createMemoryShares, type ResidentProcess } from './memory-share.ts';
import { type ProcessEntry, processTable, type Used } from './process.ts';
import { readClaim, readSpec, runFolder } from './run-folder.ts';

export interface MeterOptions {
  readonly stateDir: string;
  /** Runs that use more bytes than this are measured exactly in every sample. */
  readonly exactAbove?: () => number;
  /** Milliseconds of each sample to spend on bringing the other runs' figures up to date. */
  readonly budgetMs?: number;
}

interface Spent {
  readonly startedAt: string;
  readonly cpuMs: number;
  readonly atMs: number;
}

interface MeasuredProcess extends ResidentProcess {
  /** Cores it kept busy since the sample before; 0 in its first. */
  readonly cpu: number;
}

export function createMeter({ stateDir, exactAbove = () => Number.POSITIVE_INFINITY, budgetMs = 5 }: MeterOptions): Meter {
  const attribution = createAttribution();
  const shares = createMemoryShares({ budgetMs });
  let runs = new Map<string, MarkedRun>();
  let spent = new Map<number, Spent>();

  function marked(sessionId: string, run: number): MarkedRun {
    const key = keyOf(sessionId, run);
    const before = runs.get(key);
    if (before?.mark !== undefined && before.supervisor) return before;
    const folder = runFolder(stateDir, sessionId, run);
    const claim = readClaim(folder);
    return { key, mark: readSpec(folder)?.mark, supervisor: claim === 'fenced' ? undefined : claim };
  }

  /** Resident size and processor share of the processes that are still there. */
  async function measured(entries: readonly ProcessEntry[], readAtMs: number): Promise<ReadonlyMap<number, MeasuredProcess>> {
    const asked = entries.filter(({ used }) => used === undefined);
    const stats = await statsOf(asked);
    const atMs = asked.length > 0 ? performance.now() : readAtMs;
    const now = new Map<number, Spent>();
    const processes = new Map<number, MeasuredProcess>();
    for (const { pid, startedAt, used = stats.get(pid) } of entries) {
      if (!used) continue;
      const last = spent.get(pid);
      const before = last?.startedAt === startedAt ? last : undefined;
      const cpu = before && atMs > before.atMs ? Math.max(0, used.cpuMs - before.cpuMs) / (atMs - before.atMs) : 0;
      now.set(pid, { startedAt, cpuMs: used.cpuMs, atMs });
      processes.set(pid, { pid, startedAt, residentBytes: used.residentBytes, cpu });
    }
    spent = now;
    return processes;
  }

  return {
    async sample(asked) {
      const machine = measureMachine();
      const found = asked.map(({ sessionId, run }) => marked(sessionId, run));
      runs = new Map(found.map((run) => [run.key, run]));
      const table = asked.length === 0 ? [] : await processTable();
      const readAtMs = performance.now();
      const members = attribution.sort(table, found);
      const processes = await measured([...members.values()].flat(), readAtMs);
      const groups = [...members].map(([key, refs]) => ({ key, processes: refs.flatMap(({ pid }) => processes.get(pid) ?? []) }));
      const near = groups.filter((group) => memoryOf(group.processes) > exactAbove());
      await shares.refresh([...processes.values()], new Set(near.flatMap((group) => group.processes.map(({ pid }) => pid))));
      const answer = new Map<string, RunUsage>();
      for (const { sessionId, run } of asked) {
        const group = groups.find(({ key }) => key === keyOf(sessionId, run));
        if (group && group.processes.length > 0) answer.set(sessionId, usageOf(group.processes));
      }
      return { machine: await machine, runs: answer };
    },
  };

  function memoryOf(processes: readonly MeasuredProcess[]): number {
    return processes.reduce((sum, process) => sum + shares.estimate(process), 0);
  }

  function usageOf(processes: readonly MeasuredProcess[]): RunUsage {
    return {
      memoryBytes: memoryOf(processes),
      cpu: processes.reduce((sum, { cpu }) => sum + cpu, 0),
      processes: processes.length,
    };
  }
}

function keyOf(sessionId: string, run: number): string {
  return `${sessionId} ${run}`;
}

/** What pidusage knows of these processes, by their pid; those that are gone are missing. It asks `ps`: of /proc it would keep files open. */
async function statsOf(refs: readonly ProcessRef[]): Promise<ReadonlyMap<number, Used>> {
  if (refs.length === 0) return new Map();
  const options = { usePs: true };
  // it fails when none of them is there any more
  const stats = await pidusage(
    refs.map(({ pid }) => pid),
    options,
  ).catch((): Record<string, pidusage.Status | undefined> => ({}));
  return new Map(
    Object.values(stats).flatMap((stat) =>
      stat ? [[stat.pid, { cpuMs: stat.ctime, residentBytes: stat.memory }] as const] : [],
    ),
  );
}
