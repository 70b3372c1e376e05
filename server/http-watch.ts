// Looks once a second at the answers that are under way: one whose token is good no more is ended, and one that its client does not read.
import type { ServerResponse } from 'node:http';

const PERIOD_MS = 1_000;

export interface AnswerWatch {
  /** Watches an answer until it is done. `isGood` tells whether its caller may still have it. */
  add(response: ServerResponse, isGood: () => Promise<boolean>): void;
  size(): number;
  close(): void;
}

interface Watched {
  readonly isGood: () => Promise<boolean>;
  /** Since when its client has not taken what was sent; undefined while it does. */
  stalledSince: number | undefined;
}

export function watchAnswers(stalledMs: number): AnswerWatch {
  const watched = new Map<ServerResponse, Watched>();
  let timer: NodeJS.Timeout | undefined;

  const look = async (response: ServerResponse, answer: Watched): Promise<void> => {
    answer.stalledSince = response.writableNeedDrain ? (answer.stalledSince ?? performance.now()) : undefined;
    const isStalled = answer.stalledSince !== undefined && performance.now() - answer.stalledSince >= stalledMs;
    if (isStalled || !(await answer.isGood().catch(() => false))) response.destroy();
  };
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
  };
  return {
    add(response, isGood) {
      watched.set(response, { isGood, stalledSince: undefined });
      response.once('close', () => {
        watched.delete(response);
        if (watched.size === 0) stop();
      });
      timer ??= setInterval(() => {
        for (const [open, answer] of watched) void look(open, answer);
      }, PERIOD_MS).unref();
    },
    size: () => watched.size,
    close: stop,
  };
}
