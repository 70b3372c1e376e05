// Watches what one run says: an agent that fell silent, never spoke, or floods its log is asked to stop.
//
// Silence is judged only where output is a sign of life: of agents that speak stream-json. Others may print at their end alone, or to standard
// error. From `watch` on, the first output has `startTimeoutMs`, each further one `idleTimeoutMs`. Timers count time that passed for this process,
// not clock readings, so that a machine that slept or a clock that was set kills nobody.
//
// The log, standard error with it, is judged of every agent: by its size, and by its growth in each minute. A run that was found after a restart is read again from its
// beginning, so its first minute tells nothing about growth.
//
// A run is asked to stop at most once. `done` ends the watch.

import type { EndCause } from './ending.ts';
import type { Clock, Settings } from './ports.ts';
import { bytesOf, sizeText } from './size.ts';

export interface WatchdogParts {
  readonly clock: Clock;
  readonly settings: Pick<Settings, 'current'>;
  readonly stop: (sessionId: string, cause: EndCause) => Promise<void>;
  /** True while silence of this session means nothing, such as when it waits for a person. */
  readonly mayBeQuiet?: (sessionId: string) => boolean;
  /** Told when a stop fails. */
  readonly onError: (error: unknown) => void;
}

export interface WatchedRun {
  readonly sessionId: string;
  readonly output: 'stream-json' | 'text';
  /** True: found alive after a restart of the hub. */
  readonly isFound: boolean;
}

export interface Watch {
  /** So many bytes came from it to now. */
  spoke(bytes: number): void;
  /** The same on standard error: it fills the disk too, but is no sign of life. */
  complained(bytes: number): void;
  done(): void;
}

export interface Watchdog {
  watch(run: WatchedRun): Watch;
}

const MINUTE_MS = 60_000;
/** So often within its time it is asked whether a silent run may be quiet; whenever it may, its time begins anew. */
const SLICES = 10;
/** Most that a log may grow within one minute, in bytes. */
export const FLOOD_BYTES = 100 * 1024 ** 2;

export function createWatchdog({ clock, settings, stop, mayBeQuiet = () => false, onError }: WatchdogParts): Watchdog {
  return {
    watch({ sessionId, output, isFound }) {
      let isOver = false;
      let disarm = () => {};
      let [said, complained] = [0, 0];
      let minute = { from: clock.elapsed(), bytes: 0, counts: !isFound };

      const end = (cause: EndCause) => {
        over();
        stop(sessionId, cause).catch(onError);
      };
      const over = () => {
        isOver = true;
        disarm();
      };
      const arm = (ms: number, reason: string, slices = SLICES) => {
        disarm();
        if (output === 'text' || ms === 0) return;
        disarm = clock.after(Math.ceil(ms / SLICES), () => {
          const left = mayBeQuiet(sessionId) ? SLICES : slices - 1;
          if (left > 0) arm(ms, reason, left);
          else end({ kind: 'idle_timeout', reason });
        });
      };

      /** Ends the run when its log is too much; `before` is how much it was until now. */
      const judge = (before: number) => {
        const most = bytesOf(settings.current().storage.maxLogBytes);
        const bytes = said + complained;
        if (clock.elapsed() - minute.from >= MINUTE_MS) minute = { from: clock.elapsed(), bytes: before, counts: true };
        if (most > 0 && bytes > most)
          return end({ kind: 'log_flood', reason: `its log has ${sizeText(bytes)}; at most ${sizeText(most)} are kept` });
        const growth = bytes - minute.bytes;
        if (!minute.counts || growth <= FLOOD_BYTES) return;
        const reason = `its log grew by ${sizeText(growth)} within a minute; at most ${sizeText(FLOOD_BYTES)} may`;
        end({ kind: 'log_flood', reason });
      };

      const { startTimeoutMs } = settings.current().resources;
      arm(startTimeoutMs, `it said nothing within ${startTimeoutMs} ms of its start`);
      return {
        spoke(size) {
          if (isOver) return;
          const before = said + complained;
          said = size;
          judge(before);
          const { idleTimeoutMs } = settings.current().resources;
          if (!isOver) arm(idleTimeoutMs, `it said nothing for ${idleTimeoutMs} ms`);
        },
        complained(size) {
          if (isOver) return;
          const before = said + complained;
          complained = size;
          judge(before);
        },
        done: over,
      };
    },
  };
}
