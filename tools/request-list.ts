// request_list: what sessions ask and nobody has answered.
import { z } from 'zod';
import { RequestView, requestView } from '../core/talk-views.ts';
import { defineTool } from './define.ts';
import { next, sessionId, summary, total, untrusted } from './fields.ts';

const SHOWN = 50;

export const requestList = defineTool({
  name: 'request_list',
  title: 'List open requests',
  description:
    'What sessions ask and nobody has answered yet: permissions and questions, oldest first. session_wait shows them too. Answer with request_answer.',
  effect: 'reads',
  toolset: 'core',
  input: z.strictObject({ sessionId: sessionId.optional().describe('Only of this session.') }),
  output: z.looseObject({ summary, requests: z.array(RequestView), total, untrusted, next }),
  positional: ['sessionId'],
  fails: ['SESSION_NOT_FOUND', 'OUTSIDE_TREE', 'WORKSPACE_MISSING'],
  examples: [{}],
  async handle({ sessionId }, { orchestrator }) {
    if (sessionId !== undefined) orchestrator.get(sessionId);
    const open = orchestrator.openRequests(sessionId);
    const [first] = open;
    return {
      requests: open.slice(0, SHOWN).map(requestView),
      total: open.length,
      untrusted: true as const,
      ...(first && { next: `request_answer { "requestId": "${first.requestId}", … }` }),
    };
  },
  say: ({ total }) => (total === 0 ? 'Nobody asks anything.' : `${total} request${total === 1 ? ' is' : 's are'} open.`),
  tables: [
    {
      rows: 'requests',
      columns: { REQUEST: 'requestId', KIND: 'kind', ASKS: 'text', OPTIONS: 'options', ASKED: 'askedAt', UNTIL: 'expiresAt' },
    },
  ],
});
