// The line and the slots in memory: p-queue holds the slots, the line beside it holds the order. Filled again from the ledger at each start.
// A run found alive after a restart takes a slot whatever the cap says; then nothing is started until enough of them are done.
import PQueue, { type Queue, type QueueAddOptions } from 'p-queue';
import { fail } from '../../core/errors.ts';
import type { Job, JobQueue } from '../../core/ports.ts';
import { compareJobs } from '../../core/priority.ts';

type Start = () => Promise<unknown>;
interface LineOptions extends QueueAddOptions {
  readonly job?: Job;
}

/** The waiting jobs in their order; p-queue takes the first. */
class Line implements Queue<Start, LineOptions> {
  readonly waiting: { readonly start: Start; readonly job: Job }[] = [];

  get size(): number {
    return this.waiting.length;
  }

  enqueue(start: Start, options?: Partial<LineOptions>): void {
    const job = options?.job ?? fail('INTERNAL', 'A job of the line names no session.');
    const at = this.waiting.findLastIndex((other) => compareJobs(other.job, job) <= 0);
    this.waiting.splice(at + 1, 0, { start, job });
  }

  dequeue(): Start | undefined {
    return this.waiting.shift()?.start;
  }

  filter(): Start[] {
    return this.waiting.map(({ start }) => start);
  }

  setPriority(): void {
    fail('INTERNAL', 'The line orders by its jobs, not by numbers.');
  }
}

export interface EmbeddedQueueOptions {
  /** How many jobs may be under way at once. */
  readonly slots: number;
  /** Told when a handler fails, which it must not. */
  readonly onError: (error: unknown) => void;
}

export function createEmbeddedQueue({ slots, onError }: EmbeddedQueueOptions): JobQueue {
  const line = new Line();
  // p-queue makes its queue itself; this way it makes the one we hold
  const SharedLine = class extends Line {
    constructor() {
      super();
      // biome-ignore lint/correctness/noConstructorReturn: the only way to hand p-queue a queue that exists
      return line;
    }
  };
  const queue = new PQueue<Line, LineOptions>({ concurrency: slots, queueClass: SharedLine, autoStart: false });
  let adopted = 0;
  let handler: ((job: Job) => Promise<void>) | undefined;

  const deed = async (job: Job) => {
    try {
      await (handler ?? fail('INTERNAL', 'The line was given work before it was told what to do.'))(job);
    } catch (error) {
      onError(error);
    }
  };
  const admit = () => {
    if (!handler || adopted >= slots) return queue.pause();
    queue.concurrency = slots - adopted;
    queue.start();
  };

  return {
    add(job) {
      void queue.add(() => deed(job), { job });
    },
    adopt(job) {
      adopted++;
      admit();
      void deed(job).finally(() => {
        adopted--;
        admit();
      });
    },
    remove(sessionId) {
      const at = line.waiting.findIndex(({ job }) => job.sessionId === sessionId);
      if (at >= 0) line.waiting.splice(at, 1);
      return at >= 0;
    },
    list: () => line.waiting.map(({ job }) => job),
    slots: () => ({ total: slots, taken: queue.pending + adopted }),
    work(job) {
      handler = job;
      admit();
    },
    close() {
      handler = undefined;
      queue.pause();
    },
  };
}
