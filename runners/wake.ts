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

/** Wakes on changes in this folder; at once, however many there were, where the file of this name is among them. */
export function openWake(folder: string, clock: Clock, urgentFile: string): Wake {
  let changed = false;
  let isUrgent = false;
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
  const watcher = openWatcher(folder, (name) => {
    if (name === urgentFile) isUrgent = true;
    nudge();
  });

  /** Sleeps for so long, or until a change is enough. */
  async function sleep(ms: number, isEnough: () => boolean): Promise<void> {
    if (ms <= 0 || isEnough()) return;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(ms, resolve);
      resume = () => {
        if (!isEnough()) return;
        cancel();
        resolve();
      };
    });
    resume = undefined;
  }

  return {
    async next(ms) {
      earn();
      const spacing = credit < 1 ? Math.min((1 - credit) * LEAST_MS, ms) : 0;
      await sleep(spacing, () => isUrgent);
      earn();
      // a timer may be a little early, which the next sleep makes up for
      credit = Math.max(-1, credit - 1);
      await sleep(ms - spacing, () => changed);
      changed = false;
      isUrgent = false;
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
function openWatcher(folder: string, onChange: (name: string | null) => void) {
  try {
    const watcher = watch(folder, { persistent: false }, (_event, name) => onChange(name));
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
