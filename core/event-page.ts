// Pages of the ledger's facts for whoever asks, by name, session, task, time and number.
import { fail, nearest } from './errors.ts';
import { EVENTS, matchesName, type StoredEvent, sessionOf } from './events.ts';
import type { Ledger } from './ledger.ts';

export interface EventQuery {
  /** Names, or their beginnings with a star. */
  readonly types?: readonly string[] | undefined;
  readonly sessionId?: string | undefined;
  readonly taskId?: string | undefined;
  /** Only facts about these sessions; those about none are left out. */
  readonly within?: ReadonlySet<string> | undefined;
  /** Milliseconds since the epoch: recorded at or after it. */
  readonly since?: number | undefined;
  /** The first ones with a number above it; without it the newest ones. */
  readonly after?: number | undefined;
  readonly limit: number;
}

export interface EventPage {
  /** Oldest first. */
  readonly events: readonly StoredEvent[];
  /** How many match, above `after` where that is given. */
  readonly total: number;
}

/** The facts that match, as far back as they are kept. Fails with INVALID_INPUT on a name of no event, with STORAGE_CORRUPT when the journal is damaged there. */
export async function eventPage(ledger: Ledger, query: EventQuery): Promise<EventPage> {
  const { types, since, after, limit } = query;
  for (const filter of types ?? []) expectName(filter);
  const isPlain = [types, since, query.sessionId, query.taskId, query.within].every((filter) => filter === undefined);
  // without a filter the numbers themselves say how many there are
  if (isPlain) {
    const newest = ledger.recent().at(-1)?.seq ?? ledger.seq;
    const from = Math.max(after ?? newest - limit, ledger.first - 1);
    return {
      events: await firstOf(ledger.history(from), limit),
      total: Math.max(0, newest - Math.max(after ?? 0, ledger.first - 1)),
    };
  }
  const sessions = sessionsOf(ledger, query);
  const range = rangeOf(ledger, query, sessions);
  const page: StoredEvent[] = [];
  let total = 0;
  for await (const event of ledger.history(range.from)) {
    if (event.seq > range.to) break;
    if (!matches(event, query, sessions)) continue;
    total++;
    if (after === undefined || page.length < limit) page.push(event);
    if (page.length > limit) page.shift();
  }
  return { events: page, total };
}

function expectName(filter: string): void {
  const names = Object.keys(EVENTS);
  if (names.some((name) => matchesName(name, filter))) return;
  const groups = [...new Set(names.map((name) => name.replace(/\..*/, '.*')))];
  const near =
    groups.find((group) => group === `${filter}.*`) ??
    names.find((name) => name.endsWith(`.${filter}`)) ??
    nearest(filter, filter.endsWith('*') ? groups : names);
  fail(
    'INVALID_INPUT',
    `There is no event "${filter}".${near ? ` Did you mean "${near}"?` : ` Kinds are: ${groups.join(', ')}.`}`,
  );
}

/** Ids the events must be about; undefined when any will do. */
function sessionsOf(ledger: Ledger, { sessionId, taskId, within }: EventQuery): ReadonlySet<string> | undefined {
  const onTask = () => [...ledger.sessions()].filter((session) => session.taskId === taskId).map(({ id }) => id);
  const named = sessionId === undefined ? within : [sessionId];
  const ids = taskId === undefined ? named : onTask();
  if (ids === undefined) return undefined;
  return new Set([...ids].filter((id) => (within?.has(id) ?? true) && (sessionId === undefined || id === sessionId)));
}

/** Between which numbers the events can be: those of known sessions lie between their first and their last one. */
function rangeOf(
  ledger: Ledger,
  { after = 0 }: EventQuery,
  sessions: ReadonlySet<string> | undefined,
): { readonly from: number; readonly to: number } {
  const all = { from: after, to: Number.POSITIVE_INFINITY };
  if (sessions === undefined) return all;
  const known = [...sessions].map((id) => ledger.session(id));
  if (known.some((session) => session === undefined)) return all;
  const first = known.reduce((least, session) => Math.min(least, session?.createdSeq ?? 0), Number.POSITIVE_INFINITY);
  const last = known.reduce((most, session) => Math.max(most, session?.seq ?? 0), 0);
  return { from: Math.max(after, first - 1), to: last };
}

function matches(event: StoredEvent, { types, since }: EventQuery, sessions: ReadonlySet<string> | undefined): boolean {
  if (since !== undefined && event.at < since) return false;
  if (sessions !== undefined && !sessions.has(sessionOf(event) ?? '')) return false;
  return types === undefined || types.some((filter) => matchesName(event.name, filter));
}

async function firstOf(events: AsyncIterable<StoredEvent>, limit: number): Promise<StoredEvent[]> {
  const first: StoredEvent[] = [];
  for await (const event of events) {
    first.push(event);
    if (first.length === limit) break;
  }
  return first;
}
