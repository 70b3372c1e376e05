// A clock that moves only when told to.
import type { Clock } from '../../core/ports.ts';

export interface FakeClock extends Clock {
  /** Moves the time on and runs what was due, in order. */
  advance(ms: number): void;
}

export function fakeClock(start = Date.parse('2026-01-02T03:04:05Z')): FakeClock {
  let now = start;
  let timers: { readonly at: number; readonly callback: () => void }[] = [];
  return {
    now: () => now,
    after(ms, callback) {
      const timer = { at: now + ms, callback };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    advance(ms) {
      const until = now + ms;
      for (;;) {
        const due = timers.reduce<(typeof timers)[number] | undefined>(
          (first, timer) => (first && first.at <= timer.at ? first : timer),
          undefined,
        );
        if (!due || due.at > until) break;
        now = due.at;
        timers = timers.filter((other) => other !== due);
        due.callback();
      }
      now = until;
    },
  };
}
