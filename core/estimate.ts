// When queued sessions may start: from how long sessions like those before them took.
import type { Ledger } from './ledger.ts';
import { activeCount, type Line } from './scheduler.ts';
import type { Session } from './session.ts';

const SAMPLES = 20;
/** Further back in the line nothing is told: it would be guesswork, and every answer to a start would go through the whole line for it. */
const MOST = 500;

/** Estimated starts of the first `most` waiting sessions in their order, up to 500, in milliseconds since the epoch; shorter where nothing tells the next one, empty while the line is paused. */
export function estimatedStarts(ledger: Ledger, line: Line, most: number): readonly number[] {
  if (line.isPaused || most === 0 || line.waiting.length === 0) return [];
  const typical = typicalDurations(ledger);
  const duration = (id: string): number | undefined => {
    const session = ledger.session(id);
    return session && typical(session);
  };
  const free: number[] = Array.from({ length: Math.max(0, line.cap - activeCount(line)) }, () => line.now);
  for (const run of line.active.filter(({ isLent }) => !isLent)) {
    const length = duration(run.sessionId);
    if (length === undefined) return [];
    free.push(Math.max(line.now, (ledger.session(run.sessionId)?.runStartedAt ?? line.now) + length));
  }
  const starts: number[] = [];
  for (const { sessionId, notBefore = 0 } of line.waiting.slice(0, Math.min(most, MOST))) {
    free.sort((a, b) => a - b);
    const start = Math.max(free.shift() ?? line.now, notBefore);
    starts.push(start);
    const length = duration(sessionId);
    if (length === undefined) break;
    free.push(start + length);
  }
  return starts;
}

/** The same of the one at a place, 0 being next; undefined where it cannot be told. */
export function estimatedStart(ledger: Ledger, line: Line, at: number): number | undefined {
  return at < 0 || at >= MOST ? undefined : estimatedStarts(ledger, line, at + 1)[at];
}

/** How long a session like this one takes, in milliseconds: median of the newest completed ones by agent and task type, by agent alone, or of all; undefined without any. */
function typicalDurations(ledger: Ledger): (session: Pick<Session, 'agent' | 'taskType'>) => number | undefined {
  const newest = new Map<string, Session[]>();
  for (const session of ledger.sessions()) {
    if (session.status !== 'completed') continue;
    for (const kind of kindsOf(session)) keepNewest(newest, kind, session);
  }
  const medians = new Map([...newest].map(([kind, sessions]) => [kind, medianDuration(sessions)]));
  return (session) => kindsOf(session).flatMap((kind) => medians.get(kind) ?? [])[0];
}

/** From what is most alike to what is least. */
function kindsOf({ agent, taskType }: Pick<Session, 'agent' | 'taskType'>): readonly string[] {
  return [`${agent}\0${taskType ?? ''}`, agent, ''];
}

/** Keeps the session with those of its kind that settled last, newest first. */
function keepNewest(newest: Map<string, Session[]>, kind: string, session: Session): void {
  const kept = newest.get(kind) ?? [];
  newest.set(kind, kept);
  const at = kept.findLastIndex((one) => (one.settledAt ?? 0) >= (session.settledAt ?? 0)) + 1;
  if (at >= SAMPLES) return;
  kept.splice(at, 0, session);
  kept.length = Math.min(kept.length, SAMPLES);
}

function medianDuration(sessions: readonly Session[]): number {
  const durations = sessions.map(({ startedAt, settledAt }) => (settledAt ?? 0) - (startedAt ?? settledAt ?? 0));
  return durations.sort((a, b) => a - b)[Math.floor(durations.length / 2)] ?? 0;
}
