// Which processes belong to a run: the agent, what descends from it, what shares its groups and sessions, and what carries its mark.
import type { ProcessRef } from '../core/session.ts';
import { isEnded, markOf, type ProcessEntry, processTable } from './process.ts';

export interface RunRoots {
  /** Value of the environment mark. */
  readonly mark: string;
  /** Never counted: it has to live to write down the exit. */
  readonly supervisor: ProcessRef | undefined;
  readonly agent: ProcessRef | undefined;
}

export interface ProcessTree {
  /** The living processes of the run now. What was seen once stays known, so that it is found again after it lost its parent. */
  members(): Promise<readonly ProcessEntry[]>;
}

/** Watches over the processes of one run. `roots` is asked on each look, because they become known one after the other. */
export function createProcessTree(roots: () => RunRoots): ProcessTree {
  const known = new Set<string>();
  const groups = new Set<number>();

  return {
    async members() {
      const { mark, supervisor, agent } = roots();
      const table = (await processTable()).filter((entry) => !isEnded(entry));
      const children = childrenOf(table);
      const supervisorLives = supervisor && table.some((entry) => same(entry, supervisor));
      if (supervisorLives) groups.add(supervisor.pid);
      const floor = Number(supervisor?.startedAt ?? agent?.startedAt);
      const marks = new Map<number, string | undefined>();
      const markAt = (pid: number) => {
        if (!marks.has(pid)) marks.set(pid, markOf(pid));
        return marks.get(pid);
      };

      const isSpared = (entry: ProcessEntry): boolean => {
        if (entry.pid === 1 || entry.pid === process.pid || (supervisor && same(entry, supervisor))) return true;
        // whoever was there before the run is none of it
        if (Number(entry.startedAt) < floor) return true;
        // the supervisor's own `rm`, or the keeper it starts
        return supervisorLives === true && agent !== undefined && entry.ppid === supervisor.pid && !same(entry, agent);
      };
      const candidates = table.filter((entry) => !isSpared(entry));
      const found = new Map<number, ProcessEntry>();
      const queue: ProcessEntry[] = [];
      const add = (entry: ProcessEntry) => {
        // another run's process below ours: started by a hub that was itself started from here
        const foreign = markAt(entry.pid) !== undefined && markAt(entry.pid) !== mark;
        if (found.has(entry.pid) || foreign || isOurKeeper(entry, markAt)) return;
        found.set(entry.pid, entry);
        queue.push(entry);
      };

      for (const entry of candidates) {
        if (known.has(keyOf(entry)) || (agent && same(entry, agent)) || markAt(entry.pid) === mark) add(entry);
      }
      const mayJoin = new Set(candidates);
      for (let grown = true; grown; ) {
        for (let entry = queue.pop(); entry; entry = queue.pop()) {
          if (entry.pid === entry.pgid || entry.pid === entry.sid) groups.add(entry.pid);
          for (const child of children.get(entry.pid) ?? []) if (mayJoin.has(child)) add(child);
        }
        for (const entry of candidates) if (groups.has(entry.pgid) || groups.has(entry.sid)) add(entry);
        grown = queue.length > 0;
      }
      for (const entry of found.values()) known.add(keyOf(entry));
      return [...found.values()];
    },
  };
}

function childrenOf(table: readonly ProcessEntry[]): ReadonlyMap<number, readonly ProcessEntry[]> {
  const children = new Map<number, ProcessEntry[]>();
  for (const entry of table) {
    const siblings = children.get(entry.ppid);
    if (siblings) siblings.push(entry);
    else children.set(entry.ppid, [entry]);
  }
  return children;
}

function same(entry: ProcessRef, ref: ProcessRef): boolean {
  return entry.pid === ref.pid && entry.startedAt === ref.startedAt;
}

function keyOf({ pid, startedAt }: ProcessRef): string {
  return `${pid} ${startedAt}`;
}

/** The keeper of this very hub may descend from an agent whose door started it; it carries no mark. */
function isOurKeeper(entry: ProcessEntry, markAt: (pid: number) => string | undefined): boolean {
  return entry.pid === process.ppid && markAt(entry.pid) === undefined;
}
