// What a new hub does with what the last one left: active sessions are taken up at once, queued ones stand in the line again.
import { ancestorsOf } from './delegation.ts';
import type { Ledger } from './ledger.ts';
import type { JobQueue } from './ports.ts';
import type { WaitingJob } from './scheduler.ts';
import { isActive, type Session } from './session.ts';

/** Fills the queue from the ledger, before it works: it would look at the line with each job. Answers how many sessions were taken up and how many stand in the line. */
export function recover(ledger: Ledger, queue: JobQueue): { readonly adopted: number; readonly queued: number } {
  const sessions = [...ledger.sessions()];
  const active = sessions.filter(isActive);
  const queued = sessions.filter((session) => session.status === 'queued');
  for (const session of active) queue.add(jobOf(ledger, session), 'adopt');
  for (const session of queued) queue.add(jobOf(ledger, session));
  return { adopted: active.length, queued: queued.length };
}

/** The session as the line sees it. */
export function jobOf(
  ledger: Ledger,
  session: Pick<
    Session,
    'id' | 'type' | 'priority' | 'orderKey' | 'orderSeq' | 'taskId' | 'concurrent' | 'parentId' | 'notBefore'
  >,
): WaitingJob {
  return {
    sessionId: session.id,
    priority: session.priority,
    key: session.orderKey,
    seq: session.orderSeq,
    taskId: session.taskId,
    concurrent: session.concurrent ?? false,
    isInteractive: session.type === 'interactive',
    ancestors: ancestorsOf(ledger, session).map(({ id }) => id),
    notBefore: session.notBefore,
  };
}
