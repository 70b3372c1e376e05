// To which run each process of the machine belongs, found for all runs in one pass over one process table.
//
// In this order: it is the run's supervisor; its environment carries the mark of a run (of ours, or of somebody else's: then it is none of
// ours); it was found to belong to the run before; its parent belongs to the run. This very hub and its keeper belong to no run, even where
// they were started from inside one, and neither does what descends from them otherwise.
//
// Marks are looked up once in the life of a process: twice at most, since a process just forked still shows what its parent had, and only of
// processes younger than the oldest run. Where looking costs a program (no /proc), only of those that lost their parent.
import type { ProcessRef } from '../core/session.ts';
import { isEnded, markOf, type ProcessEntry } from './process.ts';

export interface MarkedRun {
  /** Tells it from all other runs. */
  readonly key: string;
  /** Value of the environment mark, where it is known. */
  readonly mark: string | undefined;
  readonly supervisor: ProcessRef | undefined;
}

export interface Attribution {
  /** The living processes of each run that has any, by the run's key. */
  sort(table: readonly ProcessEntry[], runs: readonly MarkedRun[]): ReadonlyMap<string, readonly ProcessEntry[]>;
}

interface Known {
  readonly startedAt: string;
  mark: string | undefined;
  looks: number;
  key: string | undefined;
}

const MOST_LOOKS = 2;
const hasProc = process.platform === 'linux';

/** `lookUp` reads the mark of a process. */
export function createAttribution(lookUp: (pid: number) => string | undefined = markOf): Attribution {
  let known = new Map<number, Known>();

  return {
    sort(table, runs) {
      const living = new Map(table.filter((entry) => !isEnded(entry)).map((entry) => [entry.pid, entry]));
      const keys = new Set(runs.map(({ key }) => key));
      const byMark = new Map(runs.flatMap(({ mark, key }) => (mark === undefined ? [] : [[mark, key]])));
      const bySupervisor = new Map(runs.flatMap(({ supervisor, key }) => (supervisor ? [[refText(supervisor), key]] : [])));
      const oldest = Math.min(...runs.flatMap(({ supervisor }) => (supervisor ? [ageOrder(supervisor)] : [])));
      const seen = new Map<number, Known>();

      const look = (entry: ProcessEntry, { mark, looks }: Pick<Known, 'mark' | 'looks'>): Pick<Known, 'mark' | 'looks'> => {
        const isDone = mark !== undefined || looks >= MOST_LOOKS;
        if (isDone || ageOrder(entry) < oldest || (!hasProc && entry.ppid !== 1)) return { mark, looks };
        return { mark: lookUp(entry.pid), looks: looks + 1 };
      };
      const identify = (entry: ProcessEntry): Known => {
        const done = seen.get(entry.pid);
        if (done) return done;
        const last = known.get(entry.pid);
        const before = last?.startedAt === entry.startedAt ? last : undefined;
        const found: Known = {
          startedAt: entry.startedAt,
          ...look(entry, before ?? { mark: undefined, looks: 0 }),
          key: undefined,
        };
        seen.set(entry.pid, found);
        found.key = keyFor(entry, found.mark, before?.key);
        return found;
      };
      const keyFor = (entry: ProcessEntry, mark: string | undefined, before: string | undefined): string | undefined => {
        const supervised = bySupervisor.get(refText(entry));
        if (supervised !== undefined) return supervised;
        if (mark !== undefined) return byMark.get(mark);
        if (entry.pid === 1 || entry.pid === process.pid || entry.pid === process.ppid) return undefined;
        if (before !== undefined && keys.has(before)) return before;
        const parent = living.get(entry.ppid);
        return parent && identify(parent).key;
      };

      const sorted = new Map<string, ProcessEntry[]>();
      for (const entry of living.values()) {
        const { key } = identify(entry);
        if (key === undefined) continue;
        const members = sorted.get(key);
        if (members) members.push(entry);
        else sorted.set(key, [entry]);
      }
      known = seen;
      return sorted;
    },
  };
}

function refText({ pid, startedAt }: ProcessRef): string {
  return `${pid} ${startedAt}`;
}

/** Lower is older: clock ticks since boot, or milliseconds since the epoch where start times are dates. */
function ageOrder({ startedAt }: ProcessRef): number {
  return hasProc ? Number(startedAt) : Date.parse(startedAt);
}
