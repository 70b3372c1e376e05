// What a process really takes of the memory: its proportional set size, from which pages shared by several processes are counted once in all.
//
// The kernel walks all pages of a process to tell it (about 1 ms for 100 MB), far too dear for every process in every sample. So it is asked
// seldom, and in between the figure moves with the resident size: what a process takes or gives back since then is its own, as a rule. Each
// round asks for those that may be wrong by most bytes, as long as there is credit; a round that took longer is paid for by the next ones.
// Who is urgent, because its run is near its limit, is asked always.
import { readFile } from 'node:fs/promises';

export interface ResidentProcess {
  readonly pid: number;
  readonly startedAt: string;
  /** Resident set size in bytes. */
  readonly residentBytes: number;
}

export interface MemoryShares {
  /** The figure of a process by what is known now; its resident size when nothing is. */
  estimate(process: ResidentProcess): number;
  /** Brings the figures up to date, those of `urgent` in any case; forgets all that are not named. */
  refresh(processes: readonly ResidentProcess[], urgent: ReadonlySet<number>): Promise<void>;
}

interface Share {
  readonly startedAt: string;
  readonly bytes: number;
  readonly residentBytes: number;
  /** Number of the round that asked. */
  readonly round: number;
}

/** After so many rounds a figure is wholly in doubt. */
const OLD_ROUNDS = 60;
/** Doubt below this is no reason to ask. */
const LEAST_DOUBT_BYTES = 1024 ** 2;
const MOST_DEBT_ROUNDS = 20;

export interface MemoryShareOptions {
  /** Milliseconds of asking that each round adds to the credit. */
  readonly budgetMs: number;
  /** Proportional set size in bytes, or undefined where it cannot be read. */
  readonly read?: (pid: number) => Promise<number | undefined>;
  /** Milliseconds of a clock that never jumps. */
  readonly elapsed?: () => number;
}

export function createMemoryShares({
  budgetMs,
  read = proportionalBytes,
  elapsed = () => performance.now(),
}: MemoryShareOptions): MemoryShares {
  let shares = new Map<number, Share>();
  let round = 0;
  let creditMs = 0;

  const known = ({ pid, startedAt }: ResidentProcess) => {
    const share = shares.get(pid);
    return share?.startedAt === startedAt ? share : undefined;
  };
  const doubt = (process: ResidentProcess) => {
    const share = known(process);
    if (!share) return process.residentBytes;
    return Math.abs(process.residentBytes - share.residentBytes) + (process.residentBytes * (round - share.round)) / OLD_ROUNDS;
  };
  const ask = async (process: ResidentProcess) => {
    const from = elapsed();
    const { startedAt, residentBytes } = process;
    const bytes = (await read(process.pid)) ?? residentBytes;
    shares.set(process.pid, { startedAt, bytes, residentBytes, round });
    creditMs -= elapsed() - from;
  };

  return {
    estimate(process) {
      const share = known(process);
      if (!share) return process.residentBytes;
      return Math.min(process.residentBytes, Math.max(0, share.bytes + process.residentBytes - share.residentBytes));
    },
    async refresh(processes, urgent) {
      round++;
      shares = new Map(processes.flatMap((process) => entryOf(process.pid, known(process))));
      creditMs = Math.max(Math.min(creditMs, 0) + budgetMs, -MOST_DEBT_ROUNDS * budgetMs);
      for (const process of processes) if (urgent.has(process.pid)) await ask(process);
      const doubtful = processes
        .filter(({ pid }) => !urgent.has(pid))
        .map((process) => ({ process, bytes: doubt(process) }))
        .filter(({ bytes }) => bytes >= LEAST_DOUBT_BYTES)
        .sort((a, b) => b.bytes - a.bytes);
      for (const { process } of doubtful) {
        if (creditMs <= 0) break;
        await ask(process);
      }
    },
  };
}

function entryOf(pid: number, share: Share | undefined): [number, Share][] {
  return share ? [[pid, share]] : [];
}

/** Proportional set size from /proc; undefined where the kernel does not tell it or the process is gone or another user's. */
async function proportionalBytes(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
  const [, kilobytes] = /^Pss:\s+(\d+) kB$/m.exec(text) ?? [];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}
