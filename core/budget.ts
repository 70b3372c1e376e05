// Money: what sessions cost by their agents' own records, and who may not start for want of it. In US dollars.
import type { Config } from './config.ts';
import { ancestorsOf, descendantsOf } from './delegation.ts';
import type { Ledger } from './ledger.ts';
import type { Session } from './session.ts';

const DAY_MS = 86_400_000;

/** What the session's whole tree, from its root down, has cost. */
export function treeCost(ledger: Ledger, session: Pick<Session, 'id' | 'parentId'>): number {
  const root = ancestorsOf(ledger, session).at(-1) ?? ledger.session(session.id);
  if (!root) return 0;
  return [root, ...descendantsOf(ledger, root.id)].reduce((sum, one) => sum + (one.spentUsd ?? 0), 0);
}

/** What all sessions whose last run began or ended in the last 24 hours have cost. */
export function dayCost(ledger: Ledger, now: number): number {
  let sum = 0;
  for (const { settledAt, spentUsd, runStartedAt } of ledger.sessions())
    if ((settledAt ?? runStartedAt ?? 0) > now - DAY_MS) sum += spentUsd ?? 0;
  return sum;
}

export interface BudgetHold {
  readonly reason: string;
  /** True when waiting does not help. */
  readonly isFinal: boolean;
}

/** Why a session may not start for want of money; undefined when it may. */
export function budgetHold(ledger: Ledger, session: Session, budget: Config['budget'], now: number): BudgetHold | undefined {
  const { maxCostPerTree, maxCostPerDay } = budget;
  if (maxCostPerTree > 0 && session.parentId !== undefined) {
    const spent = treeCost(ledger, session);
    if (spent >= maxCostPerTree)
      return { reason: `its tree of sessions has cost $${spent.toFixed(2)} of $${maxCostPerTree.toFixed(2)}`, isFinal: true };
  }
  if (maxCostPerDay === 0) return undefined;
  const spent = dayCost(ledger, now);
  return spent >= maxCostPerDay
    ? { reason: `$${spent.toFixed(2)} of $${maxCostPerDay.toFixed(2)} were spent in the last 24 hours`, isFinal: false }
    : undefined;
}

/** The most one run may cost: what was asked for, the session's limit, and what its tree has left; undefined when nothing limits it. */
export function costLimit(ledger: Ledger, session: Session, budget: Config['budget']): number | undefined {
  const limits = [
    session.maxCostUsd,
    budget.maxCostPerSession > 0 ? budget.maxCostPerSession : undefined,
    budget.maxCostPerTree > 0 ? Math.max(0.01, budget.maxCostPerTree - treeCost(ledger, session)) : undefined,
    ...ancestorsOf(ledger, session).map((one) =>
      one.maxCostUsd === undefined ? undefined : Math.max(0.01, one.maxCostUsd - treeCost(ledger, session)),
    ),
  ].filter((limit) => limit !== undefined);
  return limits.length > 0 ? Math.min(...limits) : undefined;
}
