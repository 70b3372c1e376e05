// What a new hub does with what the last one left: active sessions are taken up at once, queued ones stand in the line again.
import type { Ledger } from './ledger.ts';
import type { JobQueue } from './ports.ts';
import { isActive, type Session } from './session.ts';

/** Fills the queue from the ledger. Answers how many sessions were taken up and how many stand in the line. */
export function recover(ledger: Ledger, queue: JobQueue): { readonly adopted: number; readonly queued: number } {
  const sessions = [...ledger.sessions()];
  const active = sessions.filter(isActive);
  const queued = sessions.filter((session) => session.status === 'queued');
  for (const session of active) queue.adopt(jobOf(session));
  for (const session of queued) queue.add(jobOf(session));
  return { adopted: active.length, queued: queued.length };
}

/** The session as the line sees it. */
export function jobOf({ id, priority, queuedSeq }: Session) {
  return { sessionId: id, priority, seq: queuedSeq };
}
