// Who may start next, and for what the others wait: pure decisions over the line and what runs.
//
// Order. A job's key is the time it was queued, moved forward by the weight of its priority: one rank is worth `agingMs` of waiting. So the
// order of two jobs never changes while they wait, jobs of one priority go first in first out, and a low job is overtaken only by higher ones
// queued within (difference of ranks) × agingMs after it. Urgent jobs go before all others.
//
// Slots. At most `cap` runs are active. A run that waits for its own descendants lends its slot: it does not count as active, and while none
// of its descendants runs, its slot is kept free for them alone. When its wait ends early it goes on in debt: active may then exceed the cap,
// and nothing is admitted until it is below again.
import type { Priority } from './priority.ts';

export interface WaitingJob {
  readonly sessionId: string;
  readonly priority: Priority;
  /** Place in the order: lower goes first, ties by seq. From `orderKey`, or set by a move. */
  readonly key: number;
  readonly seq: number;
  readonly taskId: string;
  /** True: may run beside another session on its task. */
  readonly concurrent: boolean;
  /** Session ids from its parent up. */
  readonly ancestors: readonly string[];
  /** Not to be started before this time, in milliseconds since the epoch. */
  readonly notBefore?: number | undefined;
}

export interface ActiveRun {
  readonly sessionId: string;
  readonly taskId: string;
  readonly ancestors: readonly string[];
  /** It waits for its own descendants. */
  readonly isLent: boolean;
}

export interface Line {
  readonly waiting: readonly WaitingJob[];
  readonly active: readonly ActiveRun[];
  readonly cap: number;
  readonly now: number;
  readonly isPaused: boolean;
  /** What the guard holds everything back for, in words; undefined when the machine has room. */
  readonly guard?: string | undefined;
  /** What holds one job back besides, such as its budget, in words. */
  readonly hold?: ((job: WaitingJob) => string | undefined) | undefined;
}

export type Hold =
  | { readonly kind: 'paused' | 'slot' }
  | { readonly kind: 'time'; readonly at: number }
  | { readonly kind: 'task'; readonly sessionId: string }
  | { readonly kind: 'guard' | 'budget'; readonly reason: string };

/** Where a job queued at `queuedAt` stands in the order. */
export function orderKey(priority: Priority, queuedAt: number, { weights, agingMs }: { readonly weights: Readonly<Record<Priority, number>>; readonly agingMs: number }): number {
  return queuedAt - weights[priority] * agingMs;
}

/** Order of the line. */
export function compareWaiting(a: WaitingJob, b: WaitingJob): number {
  return Number(b.priority === 'urgent') - Number(a.priority === 'urgent') || a.key - b.key || a.seq - b.seq;
}

/** The job to start now, or undefined when none may. */
export function nextJob(line: Line): WaitingJob | undefined {
  return line.waiting.toSorted(compareWaiting).find((job) => !holdOf(job, line));
}

/** What keeps a job from starting now; undefined when nothing does. */
export function holdOf(job: WaitingJob, line: Line): Hold | undefined {
  if (line.isPaused) return { kind: 'paused' };
  if (job.notBefore !== undefined && job.notBefore > line.now) return { kind: 'time', at: job.notBefore };
  const holder = job.concurrent ? undefined : line.active.find((run) => run.taskId === job.taskId);
  if (holder) return { kind: 'task', sessionId: holder.sessionId };
  const reason = line.hold?.(job);
  if (reason !== undefined) return { kind: 'budget', reason };
  if (activeCount(line) + keptFree(line, job) >= line.cap) return { kind: 'slot' };
  return line.guard === undefined ? undefined : { kind: 'guard', reason: line.guard };
}

/** Runs that count against the cap. */
export function activeCount({ active }: Pick<Line, 'active'>): number {
  return active.filter((run) => !run.isLent).length;
}

/** Slots lent by runs that no descendant uses yet, and that are not for this job. */
function keptFree({ active }: Line, job: WaitingJob): number {
  return active.filter((lender) => lender.isLent && !job.ancestors.includes(lender.sessionId) && !active.some((run) => run.ancestors.includes(lender.sessionId))).length;
}
