// queue_pause: starts nothing more for now.
import { z } from 'zod';
import { pausedText, pauseReasonOf } from '../core/line-view.ts';
import { defineTool } from './define.ts';
import { reason, summary } from './fields.ts';

export const queuePause = defineTool({
  name: 'queue_pause',
  title: 'Pause the line',
  description:
    'Start no more sessions until queue_resume. What runs goes on, and sessions can still be queued. It stays so over restarts.',
  effect: 'changes',
  toolset: 'queue',
  input: z.strictObject({ reason }),
  output: z.looseObject({
    summary,
    isPaused: z.boolean(),
    pauseReason: z.string().optional().describe('The reason in force: a pause without one keeps that of the pause before.'),
    waiting: z.number().int(),
  }),
  fails: ['REQUEST_KEY_REUSED', 'WORKSPACE_MISSING', 'STORAGE_FAILED', 'STORAGE_FULL'],
  examples: [{ reason: 'deploying' }],
  async handle({ reason }, { orchestrator, caller, callKey }) {
    await orchestrator.pause({ by: caller.by, reason, requestKey: callKey });
    return { isPaused: true, pauseReason: pauseReasonOf(orchestrator), waiting: orchestrator.line().waiting.length };
  },
  say: ({ pauseReason, waiting }) => `T${pausedText(pauseReason).slice(1)}, ${waiting} waiting.`,
});
