// queue_clear: cancels all sessions that wait.
import { z } from 'zod';
import { defineTool } from './define.ts';
import { reason, summary, type } from './fields.ts';

const MOST_IDS = 200;

export const queueClear = defineTool({
  name: 'queue_clear',
  title: 'Clear the line',
  description:
    'Cancel every session that waits in the line, or those of one type. What runs goes on; cancel that with session_cancel. Answers the ids that were cancelled.',
  effect: 'destroys',
  toolset: 'queue',
  input: z.strictObject({ type, reason }),
  output: z.looseObject({ summary, cancelled: z.number().int(), ids: z.array(z.string()).describe(`The first ${MOST_IDS}.`) }),
  fails: ['REQUEST_KEY_REUSED', 'WORKSPACE_MISSING', 'STORAGE_FAILED', 'STORAGE_FULL'],
  examples: [{ reason: 'start over' }],
  async handle({ type, reason }, { orchestrator, caller, callKey }) {
    const ids = await orchestrator.clear(type, { by: caller.by, reason, requestKey: callKey });
    return { cancelled: ids.length, ids: ids.slice(0, MOST_IDS) };
  },
  say: ({ cancelled }) => `${cancelled} waiting session${cancelled === 1 ? '' : 's'} cancelled.`,
});
