// queue_status: the line, the slots, and what runs.
import { z } from 'zod';
import { iso, waitReason } from '../core/views.ts';
import { defineTool } from './define.ts';
import { summary, type } from './fields.ts';

const MOST_ROWS = 30;

export const queueStatus = defineTool({
  name: 'queue_status',
  title: 'Look at the line',
  description: 'Which sessions run, which wait in which order and for what, and how many slots are free.',
  effect: 'reads',
  toolset: 'core',
  input: z.strictObject({ type }),
  output: z.looseObject({
    summary,
    slots: z.looseObject({ total: z.number().int(), taken: z.number().int() }),
    active: z.array(
      z.looseObject({
        id: z.string(),
        status: z.string(),
        taskId: z.string(),
        agent: z.string(),
        startedAt: z.string().optional(),
      }),
    ),
    line: z
      .array(
        z.looseObject({
          id: z.string(),
          position: z.number().int(),
          priority: z.string(),
          taskId: z.string(),
          queuedAt: z.string(),
          reason: z.string(),
        }),
      )
      .describe(`The first ${MOST_ROWS} that wait, next one first.`),
    waiting: z.number().int().describe('How many wait in all.'),
  }),
  fails: ['WORKSPACE_MISSING'],
  examples: [{}],
  async handle({ type }, { orchestrator }) {
    const { rows, slots, active } = orchestrator.line();
    const placed = rows
      .map((row, at) => ({ ...row, position: at + 1 }))
      .filter(({ session }) => type === undefined || session.type === type);
    return {
      slots,
      active: active
        .filter((session) => type === undefined || session.type === type)
        .map(({ id, status, taskId, agent, startedAt }) => ({
          id,
          status,
          taskId,
          agent,
          startedAt: startedAt === undefined ? undefined : iso(startedAt),
        })),
      line: placed.slice(0, MOST_ROWS).map(({ session, position }) => ({
        id: session.id,
        position,
        priority: session.priority,
        taskId: session.taskId,
        queuedAt: iso(session.queuedAt),
        reason: waitReason(position, slots),
      })),
      waiting: placed.length,
    };
  },
  say: ({ slots, waiting }) => `${slots.taken} of ${slots.total} slots taken, ${waiting} waiting.`,
  table: {
    rows: 'line',
    columns: { PLACE: 'position', SESSION: 'id', PRIORITY: 'priority', QUEUED: 'queuedAt', WAITS: 'reason' },
  },
});
