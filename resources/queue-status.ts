// queue://status: the line and the slots.
import { countsText, iso } from '../core/views.ts';
import type { Resource } from './define.ts';

const MOST_ROWS = 50;

export const queueStatus: Resource = {
  name: 'queue-status',
  title: 'Queue status',
  description: 'The slots, what runs, and the first sessions in the line; the tool queue_status answers the same.',
  uriTemplate: 'queue://status',
  mimeType: 'application/json',
  async read(_variables, orchestrator) {
    const { rows, slots, active } = orchestrator.line();
    const status = {
      summary: countsText(orchestrator.ledger),
      slots,
      active: active.map(({ id, status, taskId, startedAt }) => ({
        id,
        status,
        taskId,
        startedAt: startedAt === undefined ? undefined : iso(startedAt),
      })),
      line: rows
        .slice(0, MOST_ROWS)
        .map(({ session }, at) => ({ id: session.id, position: at + 1, priority: session.priority, taskId: session.taskId })),
      waiting: rows.length,
    };
    return { text: JSON.stringify(status, null, 2), mimeType: 'application/json', final: false };
  },
  stale: (event) => (event.name.startsWith('session.') && event.name !== 'session.spoke' ? ['queue://status'] : []),
};
