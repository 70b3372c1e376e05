// A clock that moves only when told to.
import type { Clock } from '../../core/ports.ts';

export interface FakeClock extends Clock {
  /** Moves the time on and runs what was due, in order. */
  advance(ms: number): void;
  /** The machine's clock is set back; what is due in a while stays due in that while. */
  setBack(ms: number): void;
}

export function fakeClock(start = Date.parse('2026-01-02T03:04:05Z')): FakeClock {
  let now = start;
  let back = 0;
  /** The next one first. */
  const timers: { readonly at: number; readonly callback: () => void }[] = [];
  return {
    now: () => now - back,
    elapsed: () => now - start,
    after(ms, callback) {
      const timer = { at: now + ms, callback };
      const place = timers.findIndex((other) => other.at > timer.at);
      timers.splice(place < 0 ? timers.length : place, 0, timer);
      return () => {
        const at = timers.indexOf(timer);
        if (at >= 0) timers.splice(at, 1);
      };
    },
    advance(ms) {
      const until = now + ms;
      for (let [due] = timers; due && due.at <= until; [due] = timers) {
        timers.shift();
        now = due.at;
        due.callback();
      }
      now = until;
    },
    setBack(ms) {
      back += ms;
    },
  };
}
