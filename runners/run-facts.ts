// What a run's output says about the run itself: its result, whether the agent is done, and what it was told.
import type { AgentResult } from '../core/ending.ts';
import { afterTurn } from './agent-result.ts';
import { watchBackgroundTasks } from './background-tasks.ts';
import { type Reading, readLine } from './transcript.ts';

export interface RunFacts {
  /** Takes in one line of output; answers with the message received, the permission asked for or the call to the hub that it tells of, if it does. */
  take(line: string, elapsed: number): Pick<Reading, 'received' | 'asks' | 'withdrawn' | 'calls'>;
  /** The result of the last turn, with the work of all, with the time the quota resets where that was told apart. */
  readonly result: AgentResult | undefined;
  /**
   * When the agent said its result, or that it has nothing to do, unless it has gone on working since. Where tasks in the background may
   * have it go on by itself, it is a time to come, at which it is taken to be done if it says nothing before.
   */
  readonly doneAt: number | undefined;
  /** From here on the result stays as it is: an agent that is taken down for hanging reports an interruption. */
  freeze(): void;
}

const TELLING = [
  '"result"',
  '"isReplay"',
  '"init"',
  '"rate_limit_event"',
  '"control_request"',
  '"control_cancel_request"',
  '"task_started"',
  '"task_notification"',
  '"background_tasks_changed"',
];

export function createRunFacts(output: 'stream-json' | 'text'): RunFacts {
  let result: AgentResult | undefined;
  let resetsAt: string | undefined;
  let saidAt: number | undefined;
  let heardAt = 0;
  const background = watchBackgroundTasks();
  let hasBegun = false;
  let frozen = false;

  return {
    take(line, elapsed) {
      if (!frozen) heardAt = elapsed;
      // most lines tell nothing, and long ones are slow to parse; after a result every line may mean that it goes on
      if (output === 'text' || (saidAt === undefined && !TELLING.some((word) => line.includes(word)))) return {};
      const { works, begins, received, quota, result: said, asks, withdrawn, calls, task } = readLine(line, output);
      if (frozen) return received === undefined ? {} : { received };
      if (quota) resetsAt = quota.resetsAt;
      if (begins) hasBegun = true;
      if (task) background.take(task);
      if (begins) background.take({ kind: 'told' });
      if (works) saidAt = undefined;
      // a message it knows from an earlier run is acknowledged, and nothing begins
      if (said || (received !== undefined && !hasBegun)) saidAt = elapsed;
      if (said) {
        result = afterTurn(result, said);
        background.turnEnded();
      }
      return {
        ...(received !== undefined && { received }),
        ...(asks && { asks }),
        ...(withdrawn !== undefined && { withdrawn }),
        ...(calls && { calls }),
      };
    },
    get result() {
      const needsTime = result?.errorKind === 'rate_limited' && result.resetsAt === undefined && resetsAt !== undefined;
      return result && needsTime ? { ...result, resetsAt } : result;
    },
    get doneAt() {
      const { patienceMs } = background;
      return saidAt === undefined || patienceMs === 0 ? saidAt : heardAt + patienceMs;
    },
    freeze() {
      frozen = true;
    },
  };
}
