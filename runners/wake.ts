// Sleeps until something changes in a folder, or some time has passed.
import { watch } from 'node:fs';
import type { Clock } from '../core/ports.ts';

export interface Wake {
  /** Resolves at the next change in the folder (one since the last call counts), at `nudge`, or after `ms`. */
  next(ms: number): Promise<void>;
  nudge(): void;
  close(): void;
}

/** Shortest sleep on average, so that a chatty writer does not keep us busy. */
const LEAST_MS = 4;
/** So many wakes in a row may do without: a result comes right behind other lines, and is waited for. */
const AT_ONCE = 8;

export function openWake(folder: string, clock: Clock): Wake {
  let changed = false;
  let resume: (() => void) | undefined;
  let credit = AT_ONCE;
  let earnedAt = clock.elapsed();
  const earn = () => {
    const now = clock.elapsed();
    credit = Math.min(AT_ONCE, credit + (now - earnedAt) / LEAST_MS);
    earnedAt = now;
  };
  const nudge = () => {
    changed = true;
    resume?.();
  };
  const watcher = openWatcher(folder, nudge);

  return {
    async next(ms) {
      earn();
      const spacing = credit < 1 ? Math.min((1 - credit) * LEAST_MS, ms) : 0;
      if (spacing > 0) await pause(clock, spacing);
      earn();
      // a timer may be a little early, which the next sleep makes up for
      credit = Math.max(-1, credit - 1);
      if (!changed && ms > spacing) {
        await new Promise<void>((resolve) => {
          const cancel = clock.after(ms - spacing, resolve);
          resume = () => {
            cancel();
            resolve();
          };
        });
      }
      resume = undefined;
      changed = false;
    },
    nudge,
    close: () => watcher?.close(),
  };
}

/** Resolves after so many milliseconds. */
export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}

/** Undefined when the folder cannot be watched (gone, or no watches left): then only time wakes. */
function openWatcher(folder: string, onChange: () => void) {
  try {
    const watcher = watch(folder, { persistent: false }, onChange);
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
