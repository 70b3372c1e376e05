// When a queued session may start: from how long sessions like those before it took.
import type { Ledger } from './ledger.ts';
import { activeCount, type Line } from './scheduler.ts';
import type { Session } from './session.ts';

const SAMPLES = 20;

/** Median duration in milliseconds of the newest completed sessions by agent and task type, by agent alone, or of all; undefined without any. */
export function typicalDuration(ledger: Ledger, { agent, taskType }: Pick<Session, 'agent' | 'taskType'>): number | undefined {
  const done = [...ledger.sessions()]
    .filter((session) => session.status === 'completed')
    .sort((a, b) => (b.settledAt ?? 0) - (a.settledAt ?? 0));
  const alike = [
    done.filter((one) => one.agent === agent && one.taskType === taskType),
    done.filter((one) => one.agent === agent),
    done,
  ];
  const durations = (alike.find((some) => some.length > 0) ?? [])
    .slice(0, SAMPLES)
    .map(({ startedAt, settledAt }) => (settledAt ?? 0) - (startedAt ?? settledAt ?? 0));
  return durations.sort((a, b) => a - b)[Math.floor(durations.length / 2)];
}

/** The estimated start of a waiting session in milliseconds since the epoch; undefined when there is nothing to tell it from, or the line is paused. */
export function estimatedStart(ledger: Ledger, line: Line, sessionId: string): number | undefined {
  const ahead = line.waiting.findIndex((job) => job.sessionId === sessionId);
  if (ahead < 0 || line.isPaused) return undefined;
  const known = new Map<string, number | undefined>();
  const duration = (id: string): number | undefined => {
    const session = ledger.session(id);
    if (!session) return undefined;
    const kind = `${session.agent}\0${session.taskType ?? ''}`;
    if (!known.has(kind)) known.set(kind, typicalDuration(ledger, session));
    return known.get(kind);
  };
  const free: number[] = Array.from({ length: Math.max(0, line.cap - activeCount(line)) }, () => line.now);
  for (const run of line.active.filter(({ isLent }) => !isLent)) {
    const length = duration(run.sessionId);
    if (length === undefined) return undefined;
    free.push(Math.max(line.now, (ledger.session(run.sessionId)?.runStartedAt ?? line.now) + length));
  }
  for (const job of line.waiting.slice(0, ahead)) {
    const length = duration(job.sessionId);
    if (length === undefined) return undefined;
    free.sort((a, b) => a - b);
    free.push(Math.max(free.shift() ?? line.now, job.notBefore ?? 0) + length);
  }
  return Math.max(Math.min(...free), line.waiting[ahead]?.notBefore ?? 0);
}
