// The ledger: every fact in order. A fact counts at once for whoever reads the state, and is told to listeners when it is on disk.
//
// There are two states: `latest` with all facts, and `durable` with those on disk. The journal takes facts in order and refuses all behind one
// that it could not write, so when it refuses one, `latest` is `durable` again: nothing stays in memory that is not on disk, and whoever recorded
// one of the refused facts is told. On a full disk (STORAGE_FULL) what becomes of a fact depends on its kind, see `full-disk.ts`.
import { fail, ScopecraftError } from './errors.ts';
import { EVENTS, type EventDraft, type StoredEvent } from './events.ts';
import { isNewWork, mostTries } from './full-disk.ts';
import { readState } from './ledger-open.ts';
import { type Change, type Counts, changeOf, copyOf, countsOf, take, type UsedKey } from './ledger-state.ts';
import type { Clock, Journal, Room, Snapshot } from './ports.ts';
import type { RuleTally } from './rule-tally.ts';
import type { Session } from './session.ts';
import { createSnapshots } from './snapshots.ts';
import type { Overrides } from './tuning.ts';

export type { UsedKey } from './ledger-state.ts';

/** The log of a session grew: told to listeners, not journaled. */
export interface SpokeSignal {
  readonly name: 'session.spoke';
  readonly sessionId: string;
  readonly bytes: number;
}

export type Listener = (event: StoredEvent | SpokeSignal) => void;

export interface Ledger {
  /**
   * Adds a fact. It counts at once for whoever reads the state; the promise resolves with its number when it is on disk. When it rejects with
   * STORAGE_FULL or STORAGE_FAILED the fact does not count, and the state is as if it had never been recorded.
   */
  record(draft: EventDraft): Promise<number>;
  /** Tells listeners something that is not kept. */
  publish(signal: SpokeSignal): void;
  /** Calls back for each durable fact and each signal, in order; the returned function ends it. A listener that throws is reported and the others go on. */
  subscribe(listener: Listener): () => void;
  session(id: string): Session | undefined;
  /** What is on disk: of it one may tell the world that it is so. */
  readonly durable: { readonly seq: number; session(id: string): Session | undefined };
  /** Resolves when every fact that counts now is on disk or was taken back. */
  written(): Promise<void>;
  sessions(): Iterable<Session>;
  /** What a session started and is still there, oldest first. */
  childrenOf(id: string): readonly Session[];
  requestKey(key: string): UsedKey | undefined;
  /** Every used request key. */
  keys(): Iterable<readonly [string, UsedKey]>;
  /** The key may be used again. Not a fact: it may come back with a start of the hub. */
  forgetKey(key: string): void;
  /** What came of the sessions of a rule, by `tallyKey`. */
  tally(key: string): RuleTally | undefined;
  tallies(): Iterable<RuleTally>;
  /** Settings changed by calls. */
  readonly overrides: Overrides;
  /** True between `queue.paused` and `queue.resumed`. */
  readonly isPaused: boolean;
  /** What was said when the line was paused. */
  readonly pauseReason: string | undefined;
  /** Number and time of the newest fact. */
  readonly seq: number;
  readonly newest: number;
  /** Number of the oldest fact that can still be read. */
  readonly first: number;
  /** Durable facts kept in memory, oldest first. */
  recent(): readonly StoredEvent[];
  /** Durable facts with a number above `after`, oldest first, from memory or from disk. */
  history(after: number): AsyncIterable<StoredEvent>;
  counts(): Counts;
  /** Why no new work is taken, in a sentence; undefined when it is. */
  roomProblem(): string | undefined;
  /** Fails with STORAGE_FULL when no new work is taken. */
  expectRoom(): void;
  /** Saves the state for the next start; nothing is recorded any more. */
  close(): Promise<void>;
}

export interface LedgerOptions {
  readonly journal: Journal;
  readonly clock: Clock;
  /** `<host>/<epoch>`. */
  readonly node: string;
  /** How many of the newest facts stay in memory. */
  readonly keep?: number;
  /** Told of a listener's failure. */
  readonly onListenerError: (error: unknown) => void;
  /** Where the state is saved, so that a start need not read all facts. */
  readonly snapshot?: Snapshot;
  /** So many of the newest facts stay on disk at least; without a snapshot all do. */
  readonly historyLimit?: () => number;
  /** Told when the state could not be saved; facts are safe. */
  readonly onSnapshotError?: (error: unknown) => void;
  readonly room?: Room;
  /** Takes secrets out of a fact before it is recorded. */
  readonly mask?: <Value>(value: Value) => Value;
}

const RETRY_MS = 1_000;

/** Reads what is on disk and gives back the ledger as it was left. Fails with STORAGE_CORRUPT or HUB_VERSION. */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  const {
    journal,
    clock,
    node,
    keep = 1_000,
    onListenerError,
    snapshot,
    historyLimit = () => 10_000,
    onSnapshotError = onListenerError,
    room,
    mask = (value) => value,
  } = options;
  const listeners = new Set<Listener>();
  let recent: StoredEvent[] = [];
  const remember = (event: StoredEvent) => {
    recent.push(event);
    if (recent.length > keep * 1.1) recent = recent.slice(-keep);
  };
  const { state: durable, snapshotSeq } = await readState(journal, snapshot, remember);
  const snapshots =
    snapshot && createSnapshots({ snapshot, journal, seq: snapshotSeq, history: historyLimit, onTrouble: onSnapshotError });
  let latest = copyOf(durable);
  /** Counts the times that facts were taken back: those of an earlier one are refused already. */
  let age = 0;
  let isClosed = false;
  let newestWrite = Promise.resolve(0);

  const tell = (event: StoredEvent | SpokeSignal) => {
    for (const listener of [...listeners]) {
      try {
        listener(event);
      } catch (error) {
        onListenerError(error);
      }
    }
  };
  const confirm = (change: Change) => {
    take(durable, change);
    remember(change.event);
    tell(change.event);
    snapshots?.consider(durable);
  };
  const roomProblem = () => room?.problem();
  const expectRoom = () => {
    const problem = roomProblem();
    if (problem !== undefined) fail('STORAGE_FULL', problem);
  };

  const recordOnce = async (draft: EventDraft): Promise<number> => {
    if (isClosed) fail('STORAGE_FAILED', 'The hub is leaving; nothing is recorded any more.');
    // time never goes backwards in the ledger, whatever the machine's clock does
    const event: StoredEvent = { seq: latest.seq + 1, at: Math.max(latest.at, clock.now()), node, ...draft };
    const change = changeOf(latest, event);
    take(latest, change);
    const mine = age;
    try {
      await journal.append(event);
    } catch (error) {
      if (mine === age) {
        age++;
        latest = copyOf(durable);
      }
      throw error;
    }
    confirm(change);
    return event.seq;
  };

  return {
    async record(given) {
      const draft = mask(given);
      expectForm(draft);
      if (isNewWork(draft.name)) expectRoom();
      for (let tries = 1; ; tries++) {
        try {
          newestWrite = recordOnce(draft);
          return await newestWrite;
        } catch (error) {
          const isFull = error instanceof ScopecraftError && error.code === 'STORAGE_FULL';
          if (isFull) await room?.giveReserve();
          if (!isFull || tries >= mostTries(draft.name) || isClosed) throw error;
          if (tries > 1) await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
        }
      }
    },
    publish: tell,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    session: (id) => latest.sessions.get(id),
    durable: {
      get seq() {
        return durable.seq;
      },
      session: (id) => durable.sessions.get(id),
    },
    written: () => newestWrite.then(() => {}).catch(() => {}),
    sessions: () => latest.sessions.values(),
    childrenOf: (id) => Array.from(latest.children.get(id) ?? [], (child) => latest.sessions.get(child)).filter((one) => !!one),
    requestKey: (key) => latest.keys.get(key),
    keys: () => latest.keys.entries(),
    forgetKey(key) {
      for (const state of [latest, durable]) state.keys.delete(key);
    },
    tally: (key) => latest.tallies.get(key),
    tallies: () => latest.tallies.values(),
    get overrides() {
      return latest.overrides;
    },
    get isPaused() {
      return latest.isPaused;
    },
    get pauseReason() {
      return latest.pauseReason;
    },
    get seq() {
      return latest.seq;
    },
    get first() {
      return journal.extent().first;
    },
    get newest() {
      return latest.at;
    },
    recent: () => recent,
    async *history(after) {
      const kept = recent;
      if ((kept[0]?.seq ?? durable.seq + 1) > after + 1) return yield* journal.read(after);
      for (const event of kept) if (event.seq > after) yield event;
    },
    counts: () => countsOf(latest),
    roomProblem,
    expectRoom,
    async close() {
      isClosed = true;
      await snapshots?.close(durable);
    },
  };
}

/** A fact that could not be read again would keep the whole journal from being read. */
function expectForm({ name, data }: EventDraft): void {
  const problem = EVENTS[name].data.safeParse(data).error?.issues[0];
  if (problem)
    fail('INTERNAL', `A ${name} was not recorded: its ${problem.path.join('.')} has a form that could not be read again.`);
}
