// task://{id}/history: what happened to a task, over all its sessions.
import { sessionOf } from '../core/events.ts';
import { seenText } from '../core/hidden-text.ts';
import type { ToldSession } from '../core/task.ts';
import { iso } from '../core/time.ts';
import type { Resource } from './define.ts';

export const taskHistory: Resource = {
  name: 'task-history',
  title: 'Task history',
  description:
    'Every session on a task and what happened in it, oldest first; also of those that its task file alone tells of, as after a fresh clone.',
  uriTemplate: 'task://{id}/history',
  mimeType: 'text/markdown',
  async read({ id = '' }, orchestrator) {
    const task = await orchestrator.task(id);
    const sessions = orchestrator.list({ taskId: task.id }).toReversed();
    const blocks = [...(await orchestrator.toldSessions(task)), ...sessions].map(blockOf);
    return {
      text: seenText(`# ${task.title}\n\n${blocks.join('\n\n') || 'No session yet.'}\n`),
      mimeType: 'text/markdown',
      final: false,
    };
  },
  stale(event, orchestrator) {
    const id = event.name === 'session.spoke' ? undefined : sessionOf(event);
    const found = id === undefined ? undefined : orchestrator.ledger.session(id);
    return found ? [`task://${encodeURIComponent(found.taskId)}/history`] : [];
  },
};

function blockOf({ id, type, status, history }: ToldSession): string {
  const lines = history.map(({ at, text }) => `- ${iso(at)} ${text}`);
  return `## ${id} (${[type, status].filter(Boolean).join(', ')})\n${lines.join('\n')}`;
}
