// queue_status: the line, the slots, and what runs.
import { z } from 'zod';
import type { RunUsage } from '../core/ports.ts';
import { activeCount, holdOf, holdText } from '../core/scheduler.ts';
import { iso } from '../core/time.ts';
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
    slots: z.looseObject({
      total: z.number().int(),
      taken: z.number().int(),
      lent: z.number().int().describe('Runs that wait for their own sessions and gave their slot to them.'),
    }),
    isPaused: z.boolean(),
    heldBack: z.string().optional().describe('Why nothing is started, when the machine has no room.'),
    machine: z
      .array(z.looseObject({ resourceType: z.string(), currentUsage: z.number(), limit: z.number() }))
      .describe('What was measured of the machine, against its limits.'),
    active: z.array(
      z.looseObject({
        id: z.string(),
        status: z.string(),
        taskId: z.string(),
        agent: z.string(),
        startedAt: z.string().optional(),
        lent: z.boolean().optional(),
        memoryBytes: z.number().optional(),
        cpu: z.number().optional().describe('1 is one core.'),
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
          estimatedStart: z.string().optional(),
        }),
      )
      .describe(`The first ${MOST_ROWS} that wait, next one first.`),
    waiting: z.number().int().describe('How many wait in all.'),
  }),
  fails: ['WORKSPACE_MISSING'],
  examples: [{}],
  async handle({ type }, { orchestrator }) {
    const line = orchestrator.line();
    const of = (sessionId: string) => orchestrator.get(sessionId);
    const isWanted = ({ sessionId }: { readonly sessionId: string }) => type === undefined || of(sessionId).type === type;
    const placed = line.waiting.map((job, at) => ({ job, at, sessionId: job.sessionId })).filter(isWanted);
    return {
      slots: { total: line.cap, taken: activeCount(line), lent: line.active.length - activeCount(line) },
      isPaused: line.isPaused,
      heldBack: line.isShort ? line.guard : undefined,
      machine: orchestrator.machine().map((reading) => ({ ...reading })),
      active: line.active.filter(isWanted).map(({ sessionId, isLent }) => {
        const { id, status, taskId, agent, runStartedAt } = of(sessionId);
        return {
          id,
          status,
          taskId,
          agent,
          startedAt: runStartedAt === undefined ? undefined : iso(runStartedAt),
          lent: isLent || undefined,
          ...measured(orchestrator.usage(sessionId)),
        };
      }),
      line: placed.slice(0, MOST_ROWS).map(({ job, at }) => {
        const { id, priority, taskId, queuedAt } = of(job.sessionId);
        const estimated = orchestrator.estimatedStart(id);
        const estimatedStart = estimated === undefined ? undefined : iso(estimated);
        return {
          id,
          position: at + 1,
          priority,
          taskId,
          queuedAt: iso(queuedAt),
          reason: holdText(holdOf(job, line), at),
          estimatedStart,
        };
      }),
      waiting: placed.length,
    };
  },
  say: ({ slots, waiting, isPaused, heldBack }) =>
    `${slots.taken} of ${slots.total} slots taken, ${waiting} waiting${isPaused ? '; the line is paused' : heldBack ? `; held back: ${heldBack}` : ''}.`,
  tables: [
    {
      title: 'RUNNING',
      rows: 'active',
      columns: {
        SESSION: 'id',
        STATUS: 'status',
        AGENT: 'agent',
        TASK: 'taskId',
        SINCE: 'startedAt',
        MEMORY: 'memoryBytes',
        CPU: 'cpu',
        LENT: 'lent',
      },
    },
    {
      title: 'WAITING',
      rows: 'line',
      columns: {
        PLACE: 'position',
        SESSION: 'id',
        PRIORITY: 'priority',
        QUEUED: 'queuedAt',
        EXPECTED: 'estimatedStart',
        WAITS: 'reason',
      },
    },
  ],
});

function measured(usage: RunUsage | undefined) {
  return usage && { memoryBytes: Math.round(usage.memoryBytes), cpu: Math.round(usage.cpu * 100) / 100 };
}
