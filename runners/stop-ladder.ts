// Takes down a run's processes, gently first: the ladder of its agent kind, then KILL until none is left.
//
//   claude          INT to the agent (3 s; it ends its own tools) ─► TERM to all (2 s) ─► KILL to all
//   command, demo                                                   TERM to all (2 s) ─► KILL to all
//   leftovers of an ended run                                       TERM to all (2 s) ─► KILL to all
//
// A step is left early when nobody it was sent to lives any more, or when it has become urgent (memory): then KILL at once.
// Before each step the members are looked up again. KILL is repeated for at most 5 s and is done when two looks find nobody.
import type { AgentEntry } from '../core/agent.ts';
import type { ProcessRef } from '../core/session.ts';
import { isAlive, signalProcess } from './process.ts';
import type { ProcessTree } from './process-tree.ts';

export interface Step {
  readonly signal: 'SIGINT' | 'SIGTERM';
  readonly to: 'agent' | 'all';
  readonly graceMs: number;
}

const TERM: Step = { signal: 'SIGTERM', to: 'all', graceMs: 2000 };

/** The gentle steps by agent kind. */
export const LADDERS = {
  claude: [{ signal: 'SIGINT', to: 'agent', graceMs: 3000 }, TERM],
  command: [TERM],
  demo: [TERM],
} as const satisfies Record<AgentEntry['kind'], readonly Step[]>;

/** Of interactive ones. Claude Code leaves in good order on TERM; INT would only break off what it does. It leaves its tools to us. */
export const INTERACTIVE_LADDERS = {
  claude: [{ signal: 'SIGTERM', to: 'agent', graceMs: 3000 }, TERM],
  command: [TERM],
  demo: [TERM],
} as const satisfies Record<AgentEntry['kind'], readonly Step[]>;

/** For what a run left behind that has ended itself. */
export const LEFTOVERS: readonly Step[] = [TERM];

const KILL_LIMIT_MS = 5000;

export interface TakeDown {
  readonly tree: ProcessTree;
  readonly steps: readonly Step[];
  readonly agent: () => ProcessRef | undefined;
  /** True when nothing may be waited for any more. */
  readonly isUrgent: () => boolean;
  readonly pause: (ms: number) => Promise<void>;
  readonly elapsed: () => number;
}

/** True when no process is left; false when some could not be killed in time. */
export async function takeDown({ tree, steps, agent, isUrgent, pause, elapsed }: TakeDown): Promise<boolean> {
  for (const { signal, to, graceMs } of steps) {
    const members = await tree.members();
    if (isUrgent() || members.length === 0) break;
    const root = agent();
    const aimed = to === 'all' ? members : members.filter(({ pid }) => pid === root?.pid);
    for (const member of aimed) signalProcess(member, signal);
    const until = elapsed() + graceMs;
    for (let ms = 1; elapsed() < until && !isUrgent() && aimed.some(isAlive); ms = Math.min(2 * ms, 20)) await pause(ms);
  }
  const until = elapsed() + KILL_LIMIT_MS;
  for (let quiet = 0; elapsed() < until; ) {
    const members = await tree.members();
    quiet = members.length === 0 ? quiet + 1 : 0;
    if (quiet === 2) return true;
    for (const member of members) signalProcess(member, 'SIGKILL');
    await pause(10);
  }
  return false;
}
