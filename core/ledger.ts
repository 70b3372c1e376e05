// The ledger: every fact in order. A fact changes the state at once, is told to listeners when it is durable, and is never taken back.
import { isActive, isSettled, type Session, apply } from './session.ts';
import { type EventDraft, type StoredEvent, sessionOf } from './events.ts';
import type { Clock, Journal } from './ports.ts';

/** The log of a session grew: told to listeners, not journaled. */
export interface SpokeSignal {
  readonly name: 'session.spoke';
  readonly sessionId: string;
  readonly bytes: number;
}

/** What `requestKey` was used for. */
export interface UsedKey {
  readonly sessionId: string;
  readonly digest: string;
}

export type Listener = (event: StoredEvent | SpokeSignal) => void;

export interface Ledger {
  /** Adds a fact. It counts at once for whoever reads the state; the promise resolves with its number when it is on disk. */
  record(draft: EventDraft): Promise<number>;
  /** Tells listeners something that is not kept. */
  publish(signal: SpokeSignal): void;
  /** Calls back for each durable fact and each signal, in order; the returned function ends it. A listener that throws is reported and the others go on. */
  subscribe(listener: Listener): () => void;
  session(id: string): Session | undefined;
  sessions(): Iterable<Session>;
  requestKey(key: string): UsedKey | undefined;
  /** Number of the newest fact. */
  readonly seq: number;
  /** Facts kept in memory for event_list, oldest first. */
  recent(): readonly StoredEvent[];
  counts(): { readonly queued: number; readonly active: number; readonly settled: number };
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
}

/** Reads the journal and gives back the ledger as it was left. */
export async function openLedger({ journal, clock, node, keep = 10_000, onListenerError }: LedgerOptions): Promise<Ledger> {
  const sessions = new Map<string, Session>();
  const keys = new Map<string, UsedKey>();
  const listeners = new Set<Listener>();
  let recent: StoredEvent[] = [];
  let seq = 0;
  let newest = 0;

  const fold = (event: StoredEvent) => {
    const sessionId = sessionOf(event);
    if (sessionId !== undefined) sessions.set(sessionId, apply(sessions.get(sessionId), event));
    if (event.name === 'session.queued' && event.data.requestKey) {
      keys.set(event.data.requestKey, { sessionId: event.data.sessionId, digest: event.data.digest ?? '' });
    }
    seq = event.seq;
    newest = event.at;
    recent.push(event);
    if (recent.length > keep * 1.1) recent = recent.slice(-keep);
  };
  const tell = (event: StoredEvent | SpokeSignal) => {
    for (const listener of [...listeners]) {
      try {
        listener(event);
      } catch (error) {
        onListenerError(error);
      }
    }
  };

  for await (const event of journal.read()) fold(event);

  return {
    async record(draft) {
      // time never goes backwards in the ledger, whatever the machine's clock does
      const event: StoredEvent = { seq: seq + 1, at: Math.max(newest, clock.now()), node, ...draft };
      fold(event);
      await journal.append(event);
      tell(event);
      return event.seq;
    },
    publish: tell,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    session: (id) => sessions.get(id),
    sessions: () => sessions.values(),
    requestKey: (key) => keys.get(key),
    get seq() {
      return seq;
    },
    recent: () => recent,
    counts() {
      const all = [...sessions.values()];
      return {
        queued: all.filter((session) => session.status === 'queued').length,
        active: all.filter(isActive).length,
        settled: all.filter(isSettled).length,
      };
    },
  };
}
