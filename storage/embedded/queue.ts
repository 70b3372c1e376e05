// The line in memory, on p-queue: it runs what is admitted and tells when a run is over; core/scheduler decides who is next.
// Filled again from the ledger at each start.
import PQueue, { type Queue, type QueueAddOptions } from 'p-queue';
import { fail } from '../../core/errors.ts';
import type { JobQueue } from '../../core/ports.ts';
import { type Conditions, type Line, nextJob, placeOf, type WaitingJob } from '../../core/scheduler.ts';

type Start = () => Promise<unknown>;
interface LineOptions extends QueueAddOptions {
  readonly job?: WaitingJob;
}

export interface EmbeddedQueueOptions {
  /** Under which conditions jobs are admitted now. */
  readonly conditions: () => Conditions;
  /** Told of each job in the moment it is admitted, before the next one is looked at. */
  readonly onAdmitted?: (job: WaitingJob) => void;
  /** Told when a handler fails, which it must not. */
  readonly onError: (error: unknown) => void;
}

export function createEmbeddedQueue({ conditions, onAdmitted, onError }: EmbeddedQueueOptions): JobQueue {
  const waiting: WaitingJob[] = [];
  const starts = new Map<string, Start>();
  const active = new Map<string, WaitingJob>();
  const lent = new Map<string, number>();
  /** Jobs of sessions whose run is just being let go: one and the same session is never both in the line and active. */
  const afterwards = new Map<string, WaitingJob>();
  let handler: ((job: WaitingJob) => Promise<WaitingJob | undefined>) | undefined;
  /** Runs that were taken up before it was said what is done with them. */
  let early: WaitingJob[] = [];

  const line = (): Line => ({
    ...conditions(),
    waiting,
    active: [...active.values()].map(({ sessionId, taskId, ancestors, isInteractive }) => ({
      sessionId,
      isInteractive,
      taskId,
      ancestors,
      isLent: lent.has(sessionId),
    })),
  });
  /** Out of the line, whose end is looked at first: what is cancelled came last more often than not. */
  const take = (sessionId: string, at = waiting.findLastIndex((job) => job.sessionId === sessionId)): Start | undefined => {
    if (at >= 0) waiting.splice(at, 1);
    const start = starts.get(sessionId);
    starts.delete(sessionId);
    return start;
  };

  /** What p-queue sees: as many jobs as may start now, none or one, and that one when it asks for it. */
  class Admitted implements Queue<Start, LineOptions> {
    get size(): number {
      return handler && waiting.length > 0 && nextJob(line()) ? 1 : 0;
    }

    enqueue(start: Start, options?: Partial<LineOptions>): void {
      const job = options?.job ?? fail('INTERNAL', 'A job of the line names no session.');
      waiting.splice(placeOf(job, waiting), 0, job);
      starts.set(job.sessionId, start);
    }

    dequeue(): Start | undefined {
      const next = nextJob(line());
      if (!next) return undefined;
      active.set(next.sessionId, next);
      onAdmitted?.(next);
      return take(next.sessionId, waiting.indexOf(next));
    }

    filter(): Start[] {
      return [...starts.values()];
    }

    setPriority(): void {
      fail('INTERNAL', 'The line orders by its jobs, not by numbers.');
    }
  }
  const queue = new PQueue<Admitted, LineOptions>({ queueClass: Admitted });

  const deed = async (job: WaitingJob) => {
    let again: WaitingJob | undefined;
    try {
      again = await (handler ?? fail('INTERNAL', 'The line was given work before it was told what to do.'))(job);
    } catch (error) {
      onError(error);
    }
    active.delete(job.sessionId);
    const next = again ?? afterwards.get(job.sessionId);
    afterwards.delete(job.sessionId);
    if (next) add(next);
  };
  const add = (job: WaitingJob) => void queue.add(() => deed(job), { job });
  const admit = () => {
    queue.pause();
    queue.start();
  };

  return {
    add(job, adopt) {
      if (!adopt) return active.has(job.sessionId) ? void afterwards.set(job.sessionId, job) : add(job);
      active.set(job.sessionId, job);
      if (handler) void deed(job).finally(admit);
      else early.push(job);
    },
    remove: (sessionId) => afterwards.delete(sessionId) || take(sessionId) !== undefined,
    line,
    lend(sessionId) {
      lent.set(sessionId, (lent.get(sessionId) ?? 0) + 1);
      admit();
      let isOpen = true;
      return () => {
        if (!isOpen) return;
        isOpen = false;
        const left = (lent.get(sessionId) ?? 0) - 1;
        if (left > 0) lent.set(sessionId, left);
        else lent.delete(sessionId);
      };
    },
    work(deedOf) {
      handler = deedOf;
      for (const job of early) void deed(job).finally(admit);
      early = [];
      admit();
    },
    admit,
    close() {
      handler = undefined;
    },
  };
}
