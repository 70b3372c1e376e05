// session_list: the sessions of the workspace, newest first.
import { z } from 'zod';
import { timeOf } from '../core/time.ts';
import { SessionView } from '../core/views.ts';
import { defineTool } from './define.ts';
import { cursor, limit, nextCursor, since, status, summary, taskId, total, type } from './fields.ts';
import { pageOf } from './page.ts';

const Row = SessionView.pick({
  id: true,
  status: true,
  type: true,
  taskId: true,
  agent: true,
  priority: true,
  position: true,
  reason: true,
  waitsFor: true,
  cause: true,
  costUsd: true,
  durationMs: true,
})
  .extend({ queuedAt: z.string(), label: z.string().optional() })
  .loose();

export const sessionList = defineTool({
  name: 'session_list',
  title: 'List sessions',
  description:
    'Sessions of this workspace, newest first, a short row each. Use it to find an id or to see what runs; session_get shows one whole.',
  effect: 'reads',
  toolset: 'core',
  input: z.strictObject({
    type,
    status,
    taskId: taskId.optional().describe('Only sessions on this task.'),
    parentId: z.string().max(128).optional().describe('Only sessions started by this one.'),
    label: z.string().max(80).optional().describe('Only sessions with this label.'),
    since,
    cursor,
    limit: limit(100, 20),
  }),
  output: z.looseObject({ summary, sessions: z.array(Row), total, nextCursor }),
  fails: ['SESSION_NOT_FOUND', 'CURSOR_INVALID', 'WORKSPACE_MISSING'],
  examples: [{}, { status: 'running', limit: 5 }],
  async handle({ cursor, limit, since, ...filter }, { orchestrator }) {
    const all = orchestrator.list({ ...filter, since: since === undefined ? undefined : timeOf(since) });
    // what came of a session that was cleaned up may be there still
    if (filter.parentId !== undefined && all.length === 0) orchestrator.get(filter.parentId);
    const { rows, nextCursor } = pageOf(all, { cursor, limit, keyOf: (session) => session.createdSeq, falls: true });
    const sessions = rows.map((session) => {
      const {
        summary: _summary,
        uris: _uris,
        next: _next,
        result: _result,
        data: _data,
        rule: _rule,
        requests: _requests,
        answered: _answered,
        prompts: _prompts,
        shows: _shows,
        untrusted: _untrusted,
        ...row
      } = orchestrator.view(session);
      return row;
    });
    return { sessions, total: all.length, nextCursor };
  },
  say: ({ sessions, total }) => `${sessions.length} of ${total} session${total === 1 ? '' : 's'}.`,
  tables: [
    {
      rows: 'sessions',
      columns: {
        SESSION: 'id',
        STATUS: 'status',
        AGENT: 'agent',
        PRIORITY: 'priority',
        PLACE: 'position',
        TIME: 'durationMs',
        COST: 'costUsd',
        QUEUED: 'queuedAt',
        WHY: 'reason|waitsFor|cause',
        NOTES: 'notes',
      },
    },
  ],
});
