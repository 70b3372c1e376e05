// queue://status: the line and the slots.
import { activeCount, holdOf, holdText } from '../core/scheduler.ts';
import { countsText } from '../core/views.ts';
import type { Resource } from './define.ts';

const MOST_ROWS = 50;

export const queueStatus: Resource = {
  name: 'queue-status',
  title: 'Queue status',
  description: 'The slots, what runs, and the first sessions in the line; the tool queue_status answers the same.',
  uriTemplate: 'queue://status',
  mimeType: 'application/json',
  async read(_variables, orchestrator) {
    const line = orchestrator.line();
    const of = (sessionId: string) => orchestrator.get(sessionId);
    const status = {
      summary: countsText(orchestrator.ledger),
      slots: { total: line.cap, taken: activeCount(line), lent: line.active.length - activeCount(line) },
      isPaused: line.isPaused,
      heldBack: line.isShort ? line.guard : undefined,
      active: line.active.map(({ sessionId }) => ({ id: sessionId, status: of(sessionId).status, taskId: of(sessionId).taskId })),
      line: line.waiting.slice(0, MOST_ROWS).map((job, at) => ({
        id: job.sessionId,
        position: at + 1,
        priority: job.priority,
        reason: holdText(holdOf(job, line), at),
      })),
      waiting: line.waiting.length,
    };
    return { text: JSON.stringify(status, null, 2), mimeType: 'application/json', final: false };
  },
  stale: (event) => (/^(session|queue|resource)\./.test(event.name) && event.name !== 'session.spoke' ? ['queue://status'] : []),
};
