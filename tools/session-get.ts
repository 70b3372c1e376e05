// session_get: one session as it stands, with its receipt when it has settled.
import { z } from 'zod';
import { SessionView } from '../core/views.ts';
import { withShare } from './bounded.ts';
import { defineTool } from './define.ts';
import { sessionId } from './fields.ts';
import { suggested } from './suggested.ts';

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
  fails: ['SESSION_NOT_FOUND', 'OUTSIDE_TREE', 'NOT_SHARED', 'WORKSPACE_MISSING'],
  examples: [{ sessionId: '{{session}}' }],
  async handle({ sessionId }, { orchestrator }) {
    const session = orchestrator.get(sessionId);
    return withShare({ ...orchestrator.detailed(session), ...(await suggested(orchestrator, session)) }, 1);
  },
  say: (session) => session.summary,
});
