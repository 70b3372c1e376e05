// What the facts add up to: sessions and used request keys, as of one fact.
import { type StoredEvent, sessionOf } from './events.ts';
import type { SavedState } from './ports.ts';
import { type RuleTally, tallied, tallyKey } from './rule-tally.ts';
import { isActive, isSettled, type Session } from './session.ts';
import { apply } from './session-fold.ts';
import type { Overrides } from './tuning.ts';

/** What `requestKey` was used for, and when. */
export interface UsedKey {
  /** Empty where the call was about no single session. */
  readonly sessionId: string;
  readonly digest: string;
  readonly at: number;
  /** Number of the fact; not there where it was saved before that was kept. */
  readonly seq?: number | undefined;
}

export interface LedgerState {
  readonly sessions: Map<string, Session>;
  /** Ids of what each session started, oldest first; none of a session that started nothing. */
  readonly children: Map<string, Set<string>>;
  readonly keys: Map<string, UsedKey>;
  /** What came of the rules, by `tallyKey`; those that nothing happened to for longest first. */
  readonly tallies: Map<string, RuleTally>;
  /** Number and time of the newest fact in it. */
  seq: number;
  at: number;
  isPaused: boolean;
  /** What was said when the line was paused. */
  pauseReason: string | undefined;
  /** Settings changed by calls: path → value. */
  overrides: Overrides;
}

/** What one fact makes of a state. */
export interface Change {
  readonly event: StoredEvent;
  readonly sessionId: string | undefined;
  /** The session as it is then; undefined when it is gone. */
  readonly session: Session | undefined;
  /** The tally of its rule, where that changes. */
  readonly tally?: RuleTally | undefined;
}

/** Rules and versions of which a tally is kept; those that nothing happened to for longest go first. */
const MOST_TALLIES = 1000;

export function emptyState(): LedgerState {
  return restoredState({ sessions: [], keys: [], rules: [], seq: 0, at: 0, isPaused: false, overrides: {} });
}

export function restoredState({ sessions, keys, rules, seq, at, isPaused, pauseReason, overrides }: SavedState): LedgerState {
  const state: LedgerState = {
    sessions: new Map(sessions.map((session) => [session.id, session])),
    children: new Map(),
    keys: new Map(keys.map(({ key, ...used }) => [key, used])),
    tallies: new Map(rules.map((tally) => [tallyKey(tally), tally])),
    seq,
    at,
    isPaused,
    pauseReason,
    overrides,
  };
  for (const session of sessions) adopt(state, session);
  return state;
}

/** A state of its own that holds the same. */
export function copyOf({ sessions, children, keys, tallies, ...rest }: LedgerState): LedgerState {
  return {
    ...rest,
    sessions: new Map(sessions),
    children: new Map(Array.from(children, ([id, ids]) => [id, new Set(ids)])),
    keys: new Map(keys),
    tallies: new Map(tallies),
  };
}

export function savedState({ sessions, children: _children, keys, tallies, ...rest }: LedgerState): SavedState {
  return {
    ...rest,
    sessions: [...sessions.values()],
    keys: Array.from(keys, ([key, used]) => ({ key, ...used })),
    rules: [...tallies.values()],
  };
}

/** How many sessions there are of each kind. */
export interface Counts {
  readonly queued: number;
  readonly active: number;
  readonly settled: number;
}

export function countsOf({ sessions }: LedgerState): Counts {
  let [queued, active, settled] = [0, 0, 0];
  for (const session of sessions.values()) {
    if (session.status === 'queued') queued++;
    else if (isActive(session)) active++;
    else if (isSettled(session)) settled++;
  }
  return { queued, active, settled };
}

/** What the event would make of the state; the state stays as it is. Fails with INTERNAL on an event that cannot follow. */
export function changeOf(state: LedgerState, event: StoredEvent): Change {
  const sessionId = sessionOf(event);
  const isGone = sessionId === undefined || event.name === 'session.removed';
  if (isGone) return { event, sessionId, session: undefined };
  const before = state.sessions.get(sessionId);
  const session = apply(before, event);
  const known = session.rule && state.tallies.get(tallyKey(session.rule));
  return { event, sessionId, session, tally: tallied(known, session, before, event) };
}

/** Makes the change. */
export function take(state: LedgerState, { event, sessionId, session, tally }: Change): void {
  if (session) {
    if (!state.sessions.has(session.id)) adopt(state, session);
    state.sessions.set(session.id, session);
  } else if (sessionId !== undefined) remove(state, sessionId);
  if (tally) takeTally(state.tallies, tally);
  if ('requestKey' in event.data && event.data.requestKey) {
    const { requestKey, digest = '' } = event.data;
    state.keys.set(requestKey, { sessionId: sessionId ?? '', digest, at: event.at, seq: event.seq });
  }
  if (event.name === 'queue.paused' || event.name === 'queue.resumed') {
    state.isPaused = event.name === 'queue.paused';
    state.pauseReason = event.name === 'queue.paused' ? event.data.reason : undefined;
  }
  if (event.name === 'config.changed') state.overrides = changed(state.overrides, event.data);
  state.seq = event.seq;
  state.at = event.at;
}

/** Puts a session that is new to the state among the children of its parent. */
function adopt({ children }: LedgerState, { id, parentId }: Session): void {
  if (parentId === undefined) return;
  const siblings = children.get(parentId);
  if (siblings) siblings.add(id);
  else children.set(parentId, new Set([id]));
}

function remove({ sessions, children }: LedgerState, sessionId: string): void {
  const parentId = sessions.get(sessionId)?.parentId;
  sessions.delete(sessionId);
  const siblings = parentId === undefined ? undefined : children.get(parentId);
  if (parentId === undefined || !siblings?.delete(sessionId)) return;
  if (siblings.size === 0) children.delete(parentId);
}

function takeTally(tallies: Map<string, RuleTally>, tally: RuleTally): void {
  const key = tallyKey(tally);
  tallies.delete(key);
  tallies.set(key, tally);
  if (tallies.size <= MOST_TALLIES) return;
  for (const oldest of tallies.keys()) {
    tallies.delete(oldest);
    break;
  }
}

function changed(
  overrides: Overrides,
  { set, reset }: { readonly set: Overrides; readonly reset: readonly string[] },
): Overrides {
  return { ...Object.fromEntries(Object.entries(overrides).filter(([path]) => !reset.includes(path))), ...set };
}
