// What a run's output says about the run itself: its result, whether the agent is done, and its failed calls.
import type { AgentResult } from '../core/ending.ts';
import { type Reading, readLine } from './transcript.ts';

export interface RunFacts {
  /** Takes in one line of output; answers with the failed call it tells of, if it does. */
  take(line: string, now: number): Reading['retry'];
  /** The last result, with the time the quota resets where that was told apart. */
  readonly result: AgentResult | undefined;
  /** When the agent said its result, unless it has gone on working since. */
  readonly doneAt: number | undefined;
  /** From here on the result stays as it is: an agent that is taken down for hanging reports an interruption. */
  freeze(): void;
}

const TELLING = ['"result"', '"api_retry"', '"rate_limit_event"'];

export function createRunFacts(output: 'stream-json' | 'text'): RunFacts {
  let result: AgentResult | undefined;
  let resetsAt: string | undefined;
  let doneAt: number | undefined;
  let frozen = false;

  return {
    take(line, now) {
      // most lines tell nothing, and long ones are slow to parse; after a result every line may mean that it goes on
      if (output === 'text' || frozen || (doneAt === undefined && !TELLING.some((word) => line.includes(word)))) return undefined;
      const reading = readLine(line, output);
      if (reading.quota) resetsAt = reading.quota.resetsAt;
      if (reading.works) doneAt = undefined;
      if (reading.result) {
        result = reading.result;
        doneAt = now;
      }
      return reading.retry;
    },
    get result() {
      const needsTime = result?.errorKind === 'rate_limited' && result.resetsAt === undefined && resetsAt !== undefined;
      return result && needsTime ? { ...result, resetsAt } : result;
    },
    get doneAt() {
      return doneAt;
    },
    freeze() {
      frozen = true;
    },
  };
}
