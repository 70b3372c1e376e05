// When queued sessions may start: from how long sessions like those before them took. What waits for anything but slots, tasks and its time
// cannot be told: nobody knows when the machine has room again, when a budget allows more, or when one ends that has outlasted its like.
import type { Ledger } from './ledger.ts';
import { activeCount, asTheyMayStart, type Line } from './scheduler.ts';
import type { Session } from './session.ts';
import { spentOf } from './spent.ts';

const SAMPLES = 20;
/** Further back in the line nothing is told: it would be guesswork, and every answer to a start would go through the whole line for it. */
const MOST = 500;

/** Estimated starts of the first `most` waiting sessions as they may start, up to 500, in milliseconds since the epoch; shorter where nothing tells the next one, empty while the line is paused or the machine is short of something. */
export function estimatedStarts(ledger: Ledger, line: Line, most: number): readonly number[] {
  const isHeld = line.isPaused || (line.guard !== undefined && line.isShort === true);
  if (isHeld || most === 0 || line.waiting.length === 0) return [];
  const typical = typicalDurations(ledger);
  const duration = (id: string): number | undefined => {
    const session = ledger.session(id);
    return session && typical(session);
  };
  const free: number[] = Array.from({ length: Math.max(0, line.cap - activeCount(line)) }, () => line.now);
  /** Task → when the last of those that are known to work on it has ended. */
  const tasks = new Map<string, number>();
  for (const { sessionId, taskId, isLent } of line.active) {
    const length = duration(sessionId);
    const end = (ledger.session(sessionId)?.runStartedAt ?? line.now) + (length ?? 0);
    // what takes longer than its like did may end at any time
    if (length === undefined || end < line.now) {
      if (isLent) continue;
      return [];
    }
    tasks.set(taskId, Math.max(end, tasks.get(taskId) ?? 0));
    if (!isLent) free.push(end);
  }
  const starts: number[] = [];
  for (const job of asTheyMayStart(line).slice(0, Math.min(most, MOST))) {
    if (line.hold?.(job)) break;
    const earliest = Math.max(job.notBefore ?? 0, job.concurrent ? 0 : (tasks.get(job.taskId) ?? 0));
    if (free.length > 1) free.sort((a, b) => a - b);
    // of the slots that are free by then the one that became so last: others start in the ones before it
    const slot =
      free.splice(
        Math.max(
          0,
          free.findLastIndex((at) => at <= earliest),
        ),
        1,
      )[0] ?? line.now;
    const start = Math.max(slot, earliest);
    starts.push(start);
    const length = duration(job.sessionId);
    if (length === undefined) break;
    free.push(start + length);
    tasks.set(job.taskId, Math.max(start + length, tasks.get(job.taskId) ?? 0));
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
  const durations = sessions.map((session) => spentOf(session, session.settledAt ?? 0).durationMs ?? 0);
  return durations.sort((a, b) => a - b)[Math.floor(durations.length / 2)] ?? 0;
}
