// Finding and ending the processes of one test: those whose environment names its folder, and no others. Needs /proc; elsewhere it finds none.
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

export interface MarkedProcess {
  readonly pid: number;
  /** Clock ticks from boot to its start; with the pid its identity. */
  readonly startedAt: string;
  readonly parentPid: number;
  readonly command: string;
}

/** All living processes with the folder `marker` in their environment, without this one. */
export async function processesMarked(marker: string): Promise<readonly MarkedProcess[]> {
  const entries = await readdir('/proc').catch(() => []);
  const pids = entries.filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.map((pid) => markedProcess(pid, marker)));
  return found.filter((entry) => entry !== undefined).filter((entry) => entry.pid !== process.pid);
}

/** Ends the processes: TERM, after `graceMs` KILL. Comes back when they are gone. */
export async function endProcesses(processes: readonly MarkedProcess[], marker: string, graceMs = 2000): Promise<void> {
  await signalThose(processes, marker, 'SIGTERM');
  if (await areGone(processes, marker, graceMs)) return;
  await killProcesses(processes, marker);
}

/** Kills the processes. Comes back when they are gone. */
export async function killProcesses(processes: readonly MarkedProcess[], marker: string): Promise<void> {
  await signalThose(processes, marker, 'SIGKILL');
  if (!(await areGone(processes, marker, 5000))) throw new Error(`These processes cannot be ended: ${listed(processes)}.`);
}

/** Waits until no process has the marker; answers with those that still have it after `graceMs`. */
export async function processesLeft(marker: string, graceMs: number): Promise<readonly MarkedProcess[]> {
  const until = Date.now() + graceMs;
  let left = await processesSurely(marker);
  while (left.length > 0 && Date.now() < until) {
    await delay(50);
    left = await processesSurely(marker);
  }
  return left;
}

/** Looks twice before it says that there is none: a process that starts another one and ends, as a supervisor does with a keeper, can hide both from one look. */
async function processesSurely(marker: string): Promise<readonly MarkedProcess[]> {
  const seen = await processesMarked(marker);
  if (seen.length > 0) return seen;
  await delay(50);
  return processesMarked(marker);
}

/** Ends everything with the marker, also what is started meanwhile. */
export async function endAllMarked(marker: string): Promise<void> {
  for (let round = 0; round < 10; round += 1) {
    const left = await processesSurely(marker);
    if (left.length === 0) return;
    await endProcesses(left, marker, 1000);
  }
  throw new Error(`Processes with ${marker} in their environment come back again and again.`);
}

/** The processes as words for a message. */
export function listed(processes: readonly MarkedProcess[]): string {
  return processes.map(({ pid, command }) => `${pid} (${command.slice(0, 120)})`).join(', ');
}

async function markedProcess(pid: number, marker: string): Promise<MarkedProcess | undefined> {
  try {
    const environment = await readFile(`/proc/${pid}/environ`, 'latin1');
    if (!environment.includes(`=${marker}`)) return undefined;
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
    // the name in parentheses may hold spaces and parentheses
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ').trim();
    return { pid, startedAt: fields[19] ?? '', parentPid: Number(fields[1]), command };
  } catch {
    // gone meanwhile, or somebody else's
    return undefined;
  }
}

async function signalThose(processes: readonly MarkedProcess[], marker: string, signal: NodeJS.Signals): Promise<void> {
  for (const { pid } of await stillThere(processes, marker)) {
    try {
      process.kill(pid, signal);
    } catch {
      // gone since we looked
    }
  }
}

async function areGone(processes: readonly MarkedProcess[], marker: string, withinMs: number): Promise<boolean> {
  const until = Date.now() + withinMs;
  while ((await stillThere(processes, marker)).length > 0) {
    if (Date.now() >= until) return false;
    await delay(20);
  }
  return true;
}

async function stillThere(processes: readonly MarkedProcess[], marker: string): Promise<readonly MarkedProcess[]> {
  const now = await Promise.all(processes.map(({ pid }) => markedProcess(pid, marker)));
  return now
    .filter((entry) => entry !== undefined)
    .filter((entry) => processes.some((before) => before.pid === entry.pid && before.startedAt === entry.startedAt));
}

/** Signals one process, where it is still there; false when it is not. Fails on what is no process: 0, which an empty answer reads as, would be all of this test's group. */
export function kill(pid: number | undefined, signal: NodeJS.Signals): boolean {
  if (pid === undefined || !(pid > 1)) throw new Error(`There is no process ${pid} to be told ${signal}.`);
  try {
    return process.kill(pid, signal);
  } catch {
    // it is gone already
    return false;
  }
}
