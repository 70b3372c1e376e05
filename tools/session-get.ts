// session_get: one session as it stands, with its receipt when it has settled.
import { z } from 'zod';
import { SessionView } from '../core/views.ts';
import { withShare } from './bounded.ts';
import { defineTool } from './define.ts';
import { sessionId } from './fields.ts';

export const sessionGet = defineTool({
  name: 'session_get',
  title: 'Look at a session',
  description:
    'How one session stands now and, once it has settled, its result, end cause, cost and duration. To wait for it, use session_wait instead.',
  effect: 'reads',
  toolset: 'core',
  input: z.strictObject({ sessionId }),
  output: SessionView,
  positional: ['sessionId'],
  fails: ['SESSION_NOT_FOUND', 'WORKSPACE_MISSING'],
  examples: [{ sessionId: '{{session}}' }],
  handle: async ({ sessionId }, { orchestrator }) => withShare(orchestrator.detailed(orchestrator.get(sessionId)), 1),
  say: (session) => session.summary,
});
