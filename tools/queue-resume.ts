// queue_resume: goes on after a pause.
import { z } from 'zod';
import { defineTool } from './define.ts';
import { summary } from './fields.ts';

export const queueResume = defineTool({
  name: 'queue_resume',
  title: 'Resume the line',
  description: 'Start sessions again after queue_pause, as far as there are slots.',
  effect: 'changes',
  toolset: 'queue',
  input: z.strictObject({}),
  output: z.looseObject({ summary, isPaused: z.boolean(), waiting: z.number().int() }),
  fails: ['REQUEST_KEY_REUSED', 'WORKSPACE_MISSING', 'STORAGE_FAILED', 'STORAGE_FULL'],
  examples: [{}],
  async handle(_input, { orchestrator, caller, callKey }) {
    await orchestrator.resume(caller.by, { requestKey: callKey });
    return { isPaused: false, waiting: orchestrator.line().waiting.length };
  },
  say: ({ waiting }) => `The line goes on, ${waiting} waiting.`,
});
