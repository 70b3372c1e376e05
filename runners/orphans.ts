// Ends what runs that are over have left on the machine: processes with the mark of a run of this workspace that nobody looks after any more.
//
// A hub takes down what its runs leave when they end. What escapes that is what was left when no hub was there: its run ended or was lost, or its
// session is not known any more. Only the mark counts, never a name. Spared are hubs and keepers, and whoever has a living run among its
// descendants, such as a terminal server that a run started and others use.
import type { Clock } from '../core/ports.ts';
import type { ProcessRef } from '../core/session.ts';
import { argvOf, isAlive, isEnded, markOf, type ProcessEntry, processTable, signalProcess } from './process.ts';
import { pause } from './wake.ts';

export interface OrphanSweep {
  /** What all marks of this workspace begin with. */
  readonly place: string;
  /** True while somebody looks after this run; without a number, after any of the session, as the setup of its worktree belongs to none. */
  readonly isActive: (sessionId: string, run: number | undefined) => boolean;
  /** Scripts whose processes are spared. */
  readonly spared: readonly string[];
  readonly clock: Clock;
}

const GRACE_MS = 2000;
const KILL_LIMIT_MS = 2000;

/** Ends them, gently first. Resolves with how many there were when they are gone. */
export async function endOrphans(sweep: OrphanSweep): Promise<number> {
  const orphans = orphansIn(await processTable(), sweep);
  for (const [signal, ms] of [['SIGTERM', GRACE_MS] as const, ['SIGKILL', KILL_LIMIT_MS] as const]) {
    for (const orphan of orphans) signalProcess(orphan, signal);
    for (const until = sweep.clock.elapsed() + ms; orphans.some(isAlive) && sweep.clock.elapsed() < until; )
      await pause(sweep.clock, 50);
  }
  return orphans.length;
}

function orphansIn(table: readonly ProcessEntry[], { place, isActive, spared }: OrphanSweep): readonly ProcessRef[] {
  const byPid = new Map(table.map((entry) => [entry.pid, entry]));
  const left: ProcessEntry[] = [];
  const kept = new Set([process.pid, process.ppid]);
  for (const entry of table) {
    const run = isEnded(entry) ? undefined : runOf(markOf(entry.pid), place);
    if (!run) continue;
    if (!isActive(run.sessionId, run.run)) left.push(entry);
    else for (let pid = entry.pid; pid > 1 && !kept.has(pid); pid = byPid.get(pid)?.ppid ?? 0) kept.add(pid);
  }
  return left.filter(({ pid }) => !kept.has(pid) && !spared.includes(argvOf(pid)[1] ?? ''));
}

/** The run a mark names, when it is one of this workspace. */
function runOf(
  mark: string | undefined,
  place: string,
): { readonly sessionId: string; readonly run: number | undefined } | undefined {
  const [, sessionId = '', run] = new RegExp(`^${place}/(.+)/(\\d+|worktree)$`).exec(mark ?? '') ?? [];
  if (run === undefined) return undefined;
  return { sessionId, run: run === 'worktree' ? undefined : Number(run) };
}
