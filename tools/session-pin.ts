// session_pin: keeps a session from being cleaned up, or lets it go again.
import { z } from 'zod';
import { SessionView } from '../core/views.ts';
import { withShare } from './bounded.ts';
import { defineTool } from './define.ts';
import { sessionId } from './fields.ts';

export const sessionPin = defineTool({
  name: 'session_pin',
  title: 'Keep a session',
  description:
    'Keep a session with its log and result, however old it gets and however many there are; with `pinned` false it may be cleaned up again. ' +
    'Answers with the session.',
  effect: 'changes',
  toolset: 'admin',
  input: z.strictObject({
    sessionId,
    pinned: z.boolean().default(true).describe('false: it may be cleaned up again when it is old enough.'),
  }),
  output: SessionView,
  positional: ['sessionId'],
  fails: ['SESSION_NOT_FOUND', 'REQUEST_KEY_REUSED', 'WORKSPACE_MISSING', 'STORAGE_FAILED', 'STORAGE_FULL'],
  examples: [{ sessionId: '{{session}}' }, { sessionId: '{{session}}', pinned: false }],
  handle: async ({ sessionId, pinned }, { orchestrator, caller, callKey }) =>
    withShare(orchestrator.view(await orchestrator.pin(sessionId, { pinned, requestKey: callKey }, caller.by)), 1),
  say: ({ id, pinned }) => (pinned ? `Session ${id} is kept.` : `Session ${id} may be cleaned up.`),
});
