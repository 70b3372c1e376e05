// How a new hub comes to the state the last one left: the snapshot, and the facts of the journal behind it. Nothing that is missing is taken for empty.
import { fail, ScopecraftError } from './errors.ts';
import type { StoredEvent } from './events.ts';
import { type Change, changeOf, emptyState, type LedgerState, restoredState, take } from './ledger-state.ts';
import type { Journal, Snapshot } from './ports.ts';

export interface LeftState {
  readonly state: LedgerState;
  /** Number of the newest fact in the snapshot; 0 where there was none. */
  readonly snapshotSeq: number;
}

/** The state as it was left. `onEvent` is told of each event that was read. Fails with STORAGE_CORRUPT or HUB_VERSION. */
export async function readState(
  journal: Journal,
  snapshot: Snapshot | undefined,
  onEvent: (event: StoredEvent) => void,
): Promise<LeftState> {
  const state = await startingState(journal, snapshot);
  const snapshotSeq = state.seq;
  for await (const event of journal.read(snapshotSeq)) {
    take(state, replayed(state, event));
    onEvent(event);
  }
  return { state, snapshotSeq };
}

async function startingState(journal: Journal, snapshot: Snapshot | undefined): Promise<LedgerState> {
  const saved = (await snapshot?.load()) ?? 'none';
  const { first, last } = journal.extent();
  const isEmpty = last < first;
  if (typeof saved !== 'string') {
    if (!isEmpty && saved.seq + 1 < first)
      fail('STORAGE_CORRUPT', `The journal lacks the events ${saved.seq + 1} to ${first - 1}, which follow on the snapshot.`);
    if (!isEmpty && saved.seq > last)
      fail('STORAGE_CORRUPT', `The journal ends at event ${last}, but the snapshot already knows event ${saved.seq}.`);
    return restoredState(saved);
  }
  if (saved === 'unreadable' && isEmpty)
    fail('STORAGE_CORRUPT', 'The snapshot cannot be read and the journal is empty: what the state was is not known.');
  if (!isEmpty && first > 1) {
    const is = saved === 'none' ? 'There is no snapshot' : 'The snapshot cannot be read';
    fail('STORAGE_CORRUPT', `${is} and the journal begins with event ${first}: what the state was before is not known.`);
  }
  return emptyState();
}

function replayed(state: LedgerState, event: StoredEvent): Change {
  try {
    return changeOf(state, event);
  } catch (error) {
    if (!(error instanceof ScopecraftError)) throw error;
    return fail('STORAGE_CORRUPT', `Event ${event.seq} of the journal cannot follow on those before it: ${error.message}`);
  }
}
