// session_cancel: takes a session out of the line, or stops its agent and all of its processes.
import { z } from 'zod';
import { SessionView } from '../core/views.ts';
import { withShare } from './bounded.ts';
import { defineTool } from './define.ts';
import { sessionId } from './fields.ts';

export const sessionCancel = defineTool({
  name: 'session_cancel',
  title: 'Cancel a session',
  description:
    'Take a queued session out of the line, or stop a running one with every process it started. Answers when the stop is on its way; ' +
    'session_wait tells when nothing is left. A settled session stays as it is, but what it started is cancelled unless children is false.',
  effect: 'destroys',
  toolset: 'core',
  input: z.strictObject({
    sessionId,
    reason: z.string().max(500).optional().describe('Why; it is kept in the history of the task.'),
    done: z
      .boolean()
      .default(false)
      .describe('true: an interactive session at its prompt has done its work and ends as completed; what it started goes on.'),
    children: z.boolean().default(true).describe('Cancel the sessions it started too, first.'),
  }),
  output: SessionView,
  positional: ['sessionId'],
  fails: ['SESSION_NOT_FOUND', 'OUTSIDE_TREE', 'REQUEST_KEY_REUSED', 'WORKSPACE_MISSING', 'STORAGE_FAILED'],
  examples: [{ sessionId: '{{session}}', reason: 'no longer needed' }],
  async handle({ sessionId, reason, done, children }, { orchestrator, caller, callKey }) {
    return withShare(
      orchestrator.view(await orchestrator.cancel(sessionId, { by: caller.by, reason, done, children, requestKey: callKey })),
      1,
    );
  },
  say: (session) => session.summary,
});
