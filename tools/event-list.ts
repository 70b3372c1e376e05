// event_list: what happened, in order.
import { z } from 'zod';
import { fail } from '../core/errors.ts';
import { timeOf } from '../core/orchestrator.ts';
import { eventView, EventView } from '../core/views.ts';
import { defineTool } from './define.ts';
import { since, summary, taskId } from './fields.ts';

export const eventList = defineTool({
  name: 'event_list',
  title: 'List events',
  description: 'Facts of the ledger in order: who queued, started, stopped and finished what, and when. Filter by name, session, task or time; read on with `after`.',
  effect: 'reads',
  toolset: 'queue',
  input: z.strictObject({
    types: z.array(z.string().min(1).max(60)).max(20).optional().describe('Names such as session.failed, or session.* for all of a kind.'),
    sessionId: z.string().max(128).optional().describe('Only events of this session.'),
    taskId: taskId.optional().describe('Only events of sessions on this task.'),
    since,
    after: z.string().max(20).optional().describe('nextCursor of the answer before; 0 reads from the beginning. Without it the newest come.'),
    limit: z.number().int().min(1).max(200).default(50).describe('At most so many events (50).'),
  }),
  output: z.looseObject({ summary, events: z.array(EventView), total: z.number().int(), nextCursor: z.string().optional() }),
  fails: ['CURSOR_INVALID', 'WORKSPACE_MISSING'],
  examples: [{}, { types: ['session.*'], limit: 10 }],
  async handle({ types, sessionId, taskId, since, after, limit }, { orchestrator }) {
    const from = after === undefined ? undefined : seqOf(after);
    const all = orchestrator.events({ types, sessionId, taskId, since: since === undefined ? undefined : timeOf(since), after: from });
    const page = from === undefined ? all.slice(-limit) : all.slice(0, limit);
    const last = page.at(-1);
    return { events: page.map(eventView), total: all.length, nextCursor: last ? String(last.seq) : after };
  },
  say: ({ events, total }) => `${events.length} of ${total} events.`,
  table: { rows: 'events', columns: { SEQ: 'seq', AT: 'at', EVENT: 'name', SESSION: 'sessionId' } },
});

function seqOf(after: string): number {
  return /^\d+$/.test(after) ? Number(after) : fail('CURSOR_INVALID', `"${after}" is not a cursor of event_list.`);
}
