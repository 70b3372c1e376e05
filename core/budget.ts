// Money: what sessions cost by their agents' own records, and who may not start for want of it. In US dollars.
import type { Config } from './config.ts';
import { ancestorsOf, descendantsOf } from './delegation.ts';
import type { Ledger } from './ledger.ts';
import type { Session } from './session.ts';

const DAY_MS = 86_400_000;
/** What a run may cost at least: nothing at all is no limit to agents. */
const LEAST_USD = 0.01;

/** What the session's whole tree, from its root down, has cost. */
export function treeCost(ledger: Ledger, session: Pick<Session, 'id' | 'parentId'>): number {
  const root = ancestorsOf(ledger, session).at(-1) ?? ledger.session(session.id);
  return root ? costFrom(ledger, root) : 0;
}

/** What the session and all that came of it has cost. */
function costFrom(ledger: Ledger, session: Session): number {
  return [session, ...descendantsOf(ledger, session.id)].reduce((sum, one) => sum + (one.spentUsd ?? 0), 0);
}

/** What all sessions have cost whose last run began or ended in the last 24 hours, or which wait for the next one. */
export function dayCost(ledger: Ledger, now: number): number {
  let sum = 0;
  for (const { settledAt, spentUsd, runStartedAt, queuedAt } of ledger.sessions())
    if ((settledAt ?? runStartedAt ?? queuedAt) > now - DAY_MS) sum += spentUsd ?? 0;
  return sum;
}

export interface BudgetHold {
  readonly reason: string;
  /** True when waiting does not help. */
  readonly isFinal: boolean;
}

/** Why sessions may not start for want of money, as of now: to be made once per look at the line. Undefined when nothing is limited. */
export function budgetHolds(
  ledger: Ledger,
  { maxCostPerTree, maxCostPerDay }: Config['budget'],
  now: number,
): ((job: { readonly sessionId: string; readonly ancestors: readonly string[] }) => BudgetHold | undefined) | undefined {
  if (maxCostPerTree === 0 && maxCostPerDay === 0) return undefined;
  let day: number | undefined;
  let trees: ReadonlyMap<string, number> | undefined;
  return ({ ancestors }) => {
    const root = ancestors.at(-1);
    if (maxCostPerTree > 0 && root !== undefined) {
      trees ??= costsByRoot(ledger);
      const spent = trees.get(root) ?? 0;
      if (spent >= maxCostPerTree)
        return { reason: `its tree of sessions has cost $${spent.toFixed(2)} of $${maxCostPerTree.toFixed(2)}`, isFinal: true };
    }
    if (maxCostPerDay === 0) return undefined;
    day ??= dayCost(ledger, now);
    if (day < maxCostPerDay) return undefined;
    return { reason: `$${day.toFixed(2)} of $${maxCostPerDay.toFixed(2)} were spent in the last 24 hours`, isFinal: false };
  };
}

/** Root session → what its tree has cost; one pass, whatever the number of trees. */
function costsByRoot(ledger: Ledger): ReadonlyMap<string, number> {
  const costs = new Map<string, number>();
  for (const session of ledger.sessions()) {
    if (session.spentUsd === undefined) continue;
    const root = ancestorsOf(ledger, session).at(-1)?.id ?? session.id;
    costs.set(root, (costs.get(root) ?? 0) + session.spentUsd);
  }
  return costs;
}

/** The most one run may cost: what was asked for, the session's limit, and what its tree and its ancestors have left; undefined when nothing limits it. */
export function costLimit(ledger: Ledger, session: Session, budget: Config['budget']): number | undefined {
  const limits = [
    session.maxCostUsd === undefined ? undefined : Math.max(LEAST_USD, session.maxCostUsd - (session.spentUsd ?? 0)),
    budget.maxCostPerSession > 0 ? budget.maxCostPerSession : undefined,
    budget.maxCostPerTree > 0 ? Math.max(LEAST_USD, budget.maxCostPerTree - treeCost(ledger, session)) : undefined,
    ...ancestorsOf(ledger, session).map((one) =>
      one.maxCostUsd === undefined ? undefined : Math.max(LEAST_USD, one.maxCostUsd - costFrom(ledger, one)),
    ),
  ].filter((limit) => limit !== undefined);
  return limits.length > 0 ? Math.min(...limits) : undefined;
}
