// Sleeps until something changes in a folder, or some time has passed.
import { watch } from 'node:fs';
import type { Clock } from '../core/ports.ts';

export interface Wake {
  /** Resolves at the next change in the folder (one since the last call counts), at `nudge`, or after `ms`. */
  next(ms: number): Promise<void>;
  nudge(): void;
  close(): void;
}

/** Shortest sleep, so that a chatty writer does not keep us busy. */
const LEAST_MS = 4;

export function openWake(folder: string, clock: Clock): Wake {
  let changed = false;
  let resume: (() => void) | undefined;
  let lastAt = 0;
  const nudge = () => {
    changed = true;
    resume?.();
  };
  const watcher = openWatcher(folder, nudge);

  return {
    async next(ms) {
      const least = Math.min(LEAST_MS, ms);
      const spacing = Math.min(Math.max(0, least - (clock.now() - lastAt)), least);
      if (spacing > 0) await pause(clock, spacing);
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
      lastAt = clock.now();
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
