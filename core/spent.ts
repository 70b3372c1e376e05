// What a session took: money, turns, tokens and time, summed over its runs alike.
import type { AgentResult } from './ending.ts';
import { isActive, type Session } from './session.ts';

/** What all runs took that are over. */
export interface Spent {
  readonly spentUsd?: number | undefined;
  /** Of the agent. */
  readonly spentTurns?: number | undefined;
  /** In and out together. */
  readonly spentTokens?: number | undefined;
  /** From the start of each run to its end. */
  readonly ranMs?: number | undefined;
}

type Ran = Spent & Pick<Session, 'status' | 'startedAt' | 'runStartedAt' | 'settledAt' | 'result'>;

/** The same when one more run is over, or one that never began. */
export function spentWith(session: Ran, result: AgentResult | undefined, at: number): Spent {
  const { spentUsd, spentTurns, spentTokens } = session;
  return {
    spentUsd: sum(spentUsd, result?.costUsd),
    spentTurns: sum(spentTurns, result?.turns),
    spentTokens: sum(spentTokens, tokensOf(result)),
    ranMs: sum(session.ranMs, runningMs(session, at)),
  };
}

/** What it took until now; undefined where nothing was told. */
export function spentOf(session: Ran, now: number) {
  const { spentUsd, spentTurns, spentTokens, ranMs, startedAt, settledAt, result } = session;
  // what an earlier version saved has no sums
  const before = ranMs ?? (startedAt !== undefined && settledAt !== undefined ? settledAt - startedAt : undefined);
  return {
    costUsd: spentUsd ?? result?.costUsd,
    turns: spentTurns ?? result?.turns,
    tokens: spentTokens ?? tokensOf(result),
    durationMs: sum(before, runningMs(session, now)),
  };
}

function tokensOf(result: AgentResult | undefined): number | undefined {
  return result?.inputTokens === undefined ? undefined : result.inputTokens + (result.outputTokens ?? 0);
}

/** How long the run that is under way has been; the machine's clock may have been set back meanwhile. */
function runningMs(session: Ran, at: number): number | undefined {
  const { runStartedAt } = session;
  return isActive(session) && runStartedAt !== undefined ? Math.max(0, at - runStartedAt) : undefined;
}

function sum(before: number | undefined, more: number | undefined): number | undefined {
  return more === undefined ? before : (before ?? 0) + more;
}
