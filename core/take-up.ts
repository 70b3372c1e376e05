// What goes wrong while one run is followed must not end the hub, and with it all other runs: the run is taken up again, as the next hub would do.
//
//   carried ──► over
//      │  ▲
//      ▼  │ after a rest that doubles, or when it is hurried
//   resting ──► given up   (ten times in a row something else went wrong than that the machine had no room)
//
// What the ledger does not take is no matter of one run, and goes on to the caller.
import { ScopecraftError } from './errors.ts';
import type { Clock } from './ports.ts';

export interface TakeUp {
  /** Does the deed until it is over; false when it was given up. Fails with STORAGE_FAILED. */
  carry(sessionId: string, deed: () => Promise<void>): Promise<boolean>;
  /** Ends the rest of a session that is resting. */
  hurry(sessionId: string): void;
}

const [FIRST_MS, LONGEST_MS] = [200, 60_000];
const MOST_FAULTS = 10;
/** The machine has no room, or no file or process left, for now. */
const SHORTAGES = ['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'STORAGE_FULL'];

export function createTakeUp({ clock, onError }: { readonly clock: Clock; readonly onError: (error: unknown) => void }): TakeUp {
  const resting = new Map<string, () => void>();

  async function rest(sessionId: string, ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = clock.after(ms, resolve);
      resting.set(sessionId, () => {
        cancel();
        resolve();
      });
    });
    resting.delete(sessionId);
  }

  return {
    async carry(sessionId, deed) {
      let faults = 0;
      for (let pauseMs = FIRST_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_MS)) {
        const begunAt = clock.elapsed();
        try {
          await deed();
          return true;
        } catch (error) {
          if (error instanceof ScopecraftError && error.code === 'STORAGE_FAILED') throw error;
          onError(error);
          // one that went well for long begins to count anew
          if (clock.elapsed() - begunAt > LONGEST_MS) [faults, pauseMs] = [0, FIRST_MS];
          faults = isShortage(error) ? 0 : faults + 1;
          if (faults === MOST_FAULTS) return false;
        }
        await rest(sessionId, pauseMs);
      }
    },
    hurry: (sessionId) => resting.get(sessionId)?.(),
  };
}

/** True for what may be otherwise in a moment, and is no fault of the session. */
export function isShortage(error: unknown): boolean {
  return error instanceof Error && 'code' in error && SHORTAGES.includes(String(error.code));
}
