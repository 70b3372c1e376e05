// Whether a run that ended badly is tried again, and when.
import type { Config } from './config.ts';
import type { AgentResult, EndCause } from './ending.ts';

export type RetryPolicy = Config['queue']['retryPolicy'];

export interface Failure {
  readonly cause: EndCause;
  readonly result?: AgentResult | undefined;
  /** How many runs there were. */
  readonly runs: number;
}

/** The time of the next try in milliseconds since the epoch, or undefined when there is none. `random` is in [0, 1). */
export function retryAt({ cause, result, runs }: Failure, policy: RetryPolicy, now: number, random: number): number | undefined {
  if (runs >= policy.attempts) return undefined;
  const kind = cause.kind === 'agent_error' && result?.isTransient ? 'api_error' : cause.kind;
  if (!policy.retryOn.some((one) => one === kind)) return undefined;
  const reset = cause.resetsAt === undefined ? Number.NaN : Date.parse(cause.resetsAt);
  const pause = Math.min(policy.maxDelayMs, policy.minDelayMs * policy.factor ** (runs - 1));
  // jitter of a quarter: sessions that failed together shall not come back together
  const backoff = now + pause * (0.875 + random / 4);
  return Number.isNaN(reset) ? backoff : Math.max(reset, backoff);
}
