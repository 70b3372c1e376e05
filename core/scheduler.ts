// Who may start next, and for what the others wait: pure decisions over the line and what runs.
//
// Order. A job's key is the time it was queued, moved forward by the weight of its priority: one rank is worth `agingMs` of waiting. So the
// order of two jobs never changes while they wait, jobs of one priority go first in first out, and a low job is overtaken only by higher ones
// queued within (difference of ranks) × agingMs after it. Urgent jobs go before all others. A job whose own time has not come stands in nobody's
// way: it is shown behind the others, and takes its place among them when that time comes.
//
// Slots. At most `cap` runs are active. A run that waits for its own descendants lends its slot: it does not count as active, and while none
// of its descendants runs, its slot is kept free for them alone. When its wait ends early it goes on in debt: active may then exceed the cap,
// and nothing is admitted until it is below again.
import type { BudgetHold } from './budget.ts';
import type { Config } from './config.ts';
import type { Priority } from './priority.ts';
import { iso } from './time.ts';

export interface WaitingJob {
  readonly sessionId: string;
  readonly priority: Priority;
  /** Place in the order: lower goes first, ties by seq. From `orderKey`, or set by a move. */
  readonly key: number;
  readonly seq: number;
  readonly taskId: string;
  /** True: may run beside another session on its task. */
  readonly concurrent: boolean;
  /** True: a person may sit at it; such runs have a cap of their own besides. */
  readonly isInteractive?: boolean | undefined;
  /** Session ids from its parent up. */
  readonly ancestors: readonly string[];
  /** Not to be started before this time, in milliseconds since the epoch. */
  readonly notBefore?: number | undefined;
}

export interface ActiveRun {
  readonly sessionId: string;
  readonly taskId: string;
  readonly ancestors: readonly string[];
  readonly isInteractive?: boolean | undefined;
  /** It waits for its own descendants. */
  readonly isLent: boolean;
}

/** Under which conditions jobs are admitted. */
export interface Conditions {
  /** How many runs may be active at once. */
  readonly cap: number;
  /** How many of them may be interactive; undefined where that is not limited. */
  readonly interactiveCap?: number | undefined;
  readonly now: number;
  readonly isPaused: boolean;
  /** What the guard holds everything back for, in words; undefined when the machine has room. */
  readonly guard?: string | undefined;
  /** True when the machine really is short of something, not only unmeasured. */
  readonly isShort?: boolean | undefined;
  /** The earliest start of a job by its kind of agent, in milliseconds since the epoch: some must not start at the same moment. */
  readonly startAfter?: ((job: WaitingJob) => number | undefined) | undefined;
  /** What holds one job back for want of money. */
  readonly hold?: ((job: WaitingJob) => BudgetHold | undefined) | undefined;
}

export interface Line extends Conditions {
  /** Best first. */
  readonly waiting: readonly WaitingJob[];
  readonly active: readonly ActiveRun[];
}

export type Hold =
  | { readonly kind: 'paused' }
  | { readonly kind: 'slot'; readonly active: number; readonly cap: number }
  | { readonly kind: 'interactive'; readonly active: number; readonly cap: number }
  | { readonly kind: 'time'; readonly at: number }
  | { readonly kind: 'task'; readonly sessionId: string }
  | { readonly kind: 'guard'; readonly reason: string }
  | ({ readonly kind: 'budget' } & BudgetHold);

/** Where a job queued at `queuedAt` stands in the order. */
export function orderKeyOf({ queue }: Pick<Config, 'queue'>, priority: Priority, queuedAt: number): number {
  return queuedAt - (queue.enablePriorities ? queue.priorityWeights[priority] : 0) * queue.agingMs;
}

/** Order of the line. */
export function compareWaiting(a: WaitingJob, b: WaitingJob): number {
  return Number(b.priority === 'urgent') - Number(a.priority === 'urgent') || a.key - b.key || a.seq - b.seq;
}

/** The waiting jobs as they may start: those whose time has come in their order, behind them the others by their time. */
export function asTheyMayStart({ waiting, now }: Pick<Line, 'waiting' | 'now'>): readonly WaitingJob[] {
  return waiting.some((job) => !mayStartBy(job, now)) ? waiting.toSorted((a, b) => compareStarts(a, b, now)) : waiting;
}

/** How many may start before a job, which may be in the line itself. */
export function aheadOf(job: WaitingJob, { waiting, now }: Pick<Line, 'waiting' | 'now'>): number {
  let ahead = 0;
  for (const other of waiting) if (compareStarts(other, job, now) < 0) ahead++;
  return ahead;
}

/** True when its own time has come by then. */
export function mayStartBy({ notBefore = 0 }: WaitingJob, time: number): boolean {
  return notBefore <= time;
}

/** Where a job belongs in the order of those that wait, by halving: the line may be long. */
export function placeOf(job: WaitingJob, waiting: readonly WaitingJob[]): number {
  let [low, high] = [0, waiting.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = waiting[middle];
    if (other && compareWaiting(other, job) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function compareStarts(a: WaitingJob, b: WaitingJob, now: number): number {
  return Math.max(a.notBefore ?? 0, now) - Math.max(b.notBefore ?? 0, now) || compareWaiting(a, b);
}

/** The job to start now, or undefined when none may. The waiting jobs must stand in their order. */
export function nextJob(line: Line): WaitingJob | undefined {
  if (line.isPaused || line.guard !== undefined || activeCount(line) >= line.cap) return undefined;
  return line.waiting.find((job) => !holdOf(job, line));
}

/** What keeps a job from starting now; undefined when nothing does. */
export function holdOf(job: WaitingJob, line: Line): Hold | undefined {
  if (line.isPaused) return { kind: 'paused' };
  const at = Math.max(job.notBefore ?? 0, line.startAfter?.(job) ?? 0);
  if (at > line.now) return { kind: 'time', at };
  const holder = job.concurrent ? undefined : line.active.find((run) => run.taskId === job.taskId);
  if (holder) return { kind: 'task', sessionId: holder.sessionId };
  const budget = line.hold?.(job);
  if (budget) return { kind: 'budget', ...budget };
  if (activeCount(line) + keptFree(line, job) >= line.cap) return { kind: 'slot', active: activeCount(line), cap: line.cap };
  const { interactiveCap = Number.POSITIVE_INFINITY } = line;
  // who waits for this very job does not stand in its way
  const lenders = line.active.filter((run) => run.isLent && job.ancestors.includes(run.sessionId));
  const people = line.active.filter((run) => run.isInteractive && !lenders.includes(run)).length;
  if (job.isInteractive && people >= interactiveCap) return { kind: 'interactive', active: people, cap: interactiveCap };
  return line.guard === undefined ? undefined : { kind: 'guard', reason: line.guard };
}

/** Runs that count against the cap. */
export function activeCount({ active }: Pick<Line, 'active'>): number {
  return active.filter((run) => !run.isLent).length;
}

/** Slots lent by runs that no descendant uses yet, and that are not for this job. */
function keptFree({ active }: Line, job: WaitingJob): number {
  return active.filter(
    (lender) =>
      lender.isLent &&
      !job.ancestors.includes(lender.sessionId) &&
      !active.some((run) => run.ancestors.includes(lender.sessionId)),
  ).length;
}

/** What a job waits for, in words for people and agents. */
export function holdText(hold: Hold | undefined, ahead: number): string {
  const others = ahead > 0 ? ` and ${ahead} ahead of it` : '';
  if (!hold) return ahead > 0 ? `waits for its turn: ${ahead} ahead of it` : 'is about to start';
  switch (hold.kind) {
    case 'paused':
      return 'waits while the line is paused';
    case 'time':
      return `waits until ${iso(hold.at)}`;
    case 'task':
      return `waits for session ${hold.sessionId}, which works on the same task`;
    case 'slot':
      return `waits for a slot: ${hold.active} of ${hold.cap} taken${others}`;
    case 'interactive':
      return `waits for an interactive slot: ${hold.active} of ${hold.cap} taken${others}`;
    case 'guard':
    case 'budget':
      return `waits: ${hold.reason}`;
  }
}
