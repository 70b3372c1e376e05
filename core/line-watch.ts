// What happens to those who wait without anybody calling: their time comes, their patience ends, the machine has room again.
import type { Ledger } from './ledger.ts';
import type { Clock, JobQueue, Settings } from './ports.ts';
import { jobOf } from './recovery.ts';
import { activeCount, holdOf, type Line, type WaitingJob } from './scheduler.ts';

export interface LineWatchParts {
  readonly queue: JobQueue;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly settings: Settings;
  readonly onError: (error: unknown) => void;
}

/** Looks at the line every `queue.processingIntervalMs`. The returned function ends it. */
export function watchLine({ queue, ledger, clock, settings, onError }: LineWatchParts): () => void {
  let stop = () => {};
  /** When this watch began, or the clock was last set back: whoever seems to have come later has waited since then. */
  let floor = clock.now();
  let lookedAt = floor;

  const giveUp = (sessionId: string, kind: 'queue_timeout' | 'budget', reason: string) => {
    const run = ledger.session(sessionId)?.run ?? 0;
    if (!queue.remove(sessionId)) return;
    ledger.record({ name: 'session.failed', data: { sessionId, run, cause: { kind, reason } } }).catch((error: unknown) => {
      const left = ledger.session(sessionId);
      if (left?.status === 'queued') queue.add(jobOf(ledger, left));
      onError(error);
    });
  };
  const look = () => {
    const { timeoutMs, processingIntervalMs } = settings.current().queue;
    const line = queue.line();
    if (line.now < lookedAt) floor = line.now;
    lookedAt = line.now;
    const mayEnd = timeoutMs > 0 || line.isShort || line.hold !== undefined;
    for (const job of mayEnd ? [...line.waiting] : []) {
      const queuedAt = ledger.session(job.sessionId)?.queuedAt ?? line.now;
      const waitedMs = line.now - Math.max(queuedAt > line.now ? floor : queuedAt, job.notBefore ?? 0);
      const hold = holdOf(job, line);
      if (timeoutMs > 0 && waitedMs > timeoutMs && !line.isPaused)
        giveUp(job.sessionId, 'queue_timeout', `it waited longer than ${timeoutMs} ms`);
      // somebody waits for it and nothing else runs: what holds it back will not pass by waiting
      else if (hold?.kind === 'guard' && line.isShort && isAwaited(job, line) && activeCount(line) === 0)
        giveUp(job.sessionId, 'queue_timeout', hold.reason);
      else if (hold?.kind === 'budget' && hold.isFinal) giveUp(job.sessionId, 'budget', hold.reason);
    }
    if (line.waiting.length > 0) queue.admit();
    stop = clock.after(processingIntervalMs, look);
  };
  stop = clock.after(settings.current().queue.processingIntervalMs, look);
  return () => stop();
}

/** True when a run is blocked until this job has settled, or another one of its tree. */
function isAwaited(job: WaitingJob, { active }: Line): boolean {
  return active.some((run) => run.isLent && job.ancestors.includes(run.sessionId));
}
