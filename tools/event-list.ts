// event_list: what happened, in order.
import { z } from 'zod';
import { fail } from '../core/errors.ts';
import { EventView, eventView } from '../core/event-view.ts';
import { timeOf } from '../core/time.ts';
import { fitting } from './bounded.ts';
import { defineTool } from './define.ts';
import { since, summary, taskId, untrusted } from './fields.ts';

export const eventList = defineTool({
  name: 'event_list',
  title: 'List events',
  description:
    'Facts of the ledger in order: who queued, started, stopped and finished what, and when. Filter by name, session, task or time; read on with `after`.',
  effect: 'reads',
  toolset: 'queue',
  input: z.strictObject({
    types: z
      .array(z.string().min(1).max(60))
      .max(20)
      .optional()
      .describe('Names such as session.failed, or session.* for all of a kind.'),
    sessionId: z.string().max(128).optional().describe('Only events of this session.'),
    taskId: taskId.optional().describe('Only events of sessions on this task.'),
    since,
    after: z
      .string()
      .max(20)
      .optional()
      .describe('nextCursor of the answer before; 0 reads from the beginning. Without it the newest come.'),
    limit: z.number().int().min(1).max(200).default(50).describe('At most so many events (50); fewer come when they are long.'),
  }),
  output: z.looseObject({
    summary,
    events: z.array(EventView),
    total: z.number().int().describe('How many match, those after `after` where it is given.'),
    nextCursor: z.string().optional(),
    untrusted,
  }),
  fails: ['CURSOR_INVALID', 'STORAGE_CORRUPT', 'WORKSPACE_MISSING'],
  examples: [{}, { types: ['session.*'], limit: 10 }],
  async handle({ types, sessionId, taskId, since, after, limit }, { orchestrator }) {
    const from = after === undefined ? undefined : seqOf(after);
    const query = { types, sessionId, taskId, since: since === undefined ? undefined : timeOf(since), after: from, limit };
    const { events: page, total } = await orchestrator.events(query);
    const views = page.map(eventView);
    // without a cursor the newest matter most, with one those that follow it
    const events = from === undefined ? fitting(views.toReversed()).toReversed() : fitting(views);
    return {
      events: [...events],
      total,
      nextCursor: events.length > 0 ? String(events.at(-1)?.seq) : after,
      untrusted: true as const,
    };
  },
  say: ({ events, total }) => `${events.length} of ${total} events.`,
  tables: [
    { rows: 'events', columns: { SEQ: 'seq', AT: 'at', EVENT: 'name', SESSION: 'sessionId', WHY: 'data.cause|data.reason' } },
  ],
});

function seqOf(after: string): number {
  return /^\d+$/.test(after) ? Number(after) : fail('CURSOR_INVALID', `"${after}" is not a cursor of event_list.`);
}
