// queue_status: the line, the slots, and what runs.
import { z } from 'zod';
import { LineView, lineText, lineView } from '../core/line-view.ts';
import { defineTool } from './define.ts';
import { summary, type } from './fields.ts';

export const queueStatus = defineTool({
  name: 'queue_status',
  title: 'Look at the line',
  description: 'Which sessions run, which wait in which order and for what, and how many slots are free.',
  effect: 'reads',
  toolset: 'core',
  input: z.strictObject({ type }),
  output: LineView.extend({ summary }).loose(),
  fails: ['WORKSPACE_MISSING'],
  examples: [{}],
  handle: async ({ type }, { orchestrator }) => lineView(orchestrator, type),
  say: lineText,
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
