// When the state is saved, and what of the journal is trimmed after it.
//
// A snapshot is due after 1,000 events or 1 MB of journal, whichever comes first, but not before the journal grew by half the size of the
// last snapshot: so saving writes at most about twice what the journal does. The journal is trimmed behind the snapshot before the last
// one, because that is what a start falls back on, and only so far that the asked number of events stays.
import { type LedgerState, savedState } from './ledger-state.ts';
import type { Journal, Snapshot } from './ports.ts';

const EVENTS = 1_000;
const BYTES = 1024 * 1024;

export interface SnapshotsOptions {
  readonly snapshot: Snapshot;
  readonly journal: Journal;
  /** Number of the newest fact in the last snapshot, 0 for none. */
  readonly seq: number;
  /** So many of the newest events stay in the journal at least. */
  readonly history: () => number;
  /** Told when the state could not be saved; it is tried again later, and the journal holds everything. */
  readonly onTrouble: (error: unknown) => void;
}

export interface Snapshots {
  /** Saves the state if it is time; it may change at once after the call. */
  consider(state: LedgerState): void;
  /** Waits for a save under way, then saves the state if it is newer. */
  close(state: LedgerState): Promise<void>;
}

export function createSnapshots({ snapshot, journal, seq, history, onTrouble }: SnapshotsOptions): Snapshots {
  let savedSeq = seq;
  /** The last try, also one that failed: so that a full disk is not tried with each event. */
  let tried = { seq, bytes: journal.extent().bytes };
  let size = 0;
  let underway: Promise<void> | undefined;

  const save = async (state: LedgerState): Promise<void> => {
    const { seq: now } = state;
    tried = { seq: now, bytes: journal.extent().bytes };
    try {
      size = await snapshot.save(savedState(state));
      const before = savedSeq;
      savedSeq = now;
      await journal.trim(Math.min(before, now - history()));
    } catch (error) {
      onTrouble(error);
    }
  };

  return {
    consider(state) {
      const bytes = journal.extent().bytes - tried.bytes;
      const isDue = state.seq - tried.seq >= EVENTS || bytes >= BYTES;
      if (underway || !isDue || bytes < size / 2) return;
      underway = save(state).finally(() => {
        underway = undefined;
      });
    },
    async close(state) {
      await underway;
      if (state.seq > savedSeq) await save(state);
    },
  };
}
