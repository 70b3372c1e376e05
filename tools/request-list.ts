// request_list: what sessions ask and nobody has answered.
import { z } from 'zod';
import { cutRequest } from '../core/cut-requests.ts';
import { RequestView, requestView } from '../core/talk-views.ts';
import { defineTool } from './define.ts';
import { cursor, limit, next, nextCursor, sessionId, summary, total, untrusted } from './fields.ts';
import { fittingPage } from './page.ts';

/** So much of what is asked, and of the arguments of a tool, is shown; session_get shows more. */
const TEXT = 1500;

export const requestList = defineTool({
  name: 'request_list',
  title: 'List open requests',
  description:
    'What sessions ask and nobody has answered yet: permissions and questions, oldest first. session_wait shows them too. Answer with request_answer.',
  effect: 'reads',
  toolset: 'core',
  input: z.strictObject({ sessionId: sessionId.optional().describe('Only of this session.'), cursor, limit: limit(50, 50) }),
  output: z.looseObject({ summary, requests: z.array(RequestView), total, nextCursor, untrusted, next }),
  positional: ['sessionId'],
  fails: ['SESSION_NOT_FOUND', 'OUTSIDE_TREE', 'NOT_SHARED', 'CURSOR_INVALID', 'WORKSPACE_MISSING'],
  examples: [{}],
  async handle({ sessionId, cursor, limit }, { orchestrator }) {
    if (sessionId !== undefined) orchestrator.get(sessionId);
    const open = orchestrator.openRequests(sessionId).toSorted((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
    const { rows, nextCursor } = fittingPage(open, { cursor, limit, keyOf: placeOf }, (one) =>
      cutRequest(requestView(one), TEXT),
    );
    const [first] = open;
    return {
      requests: [...rows],
      total: open.length,
      nextCursor,
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

/** Where it stands among the others, the oldest first. */
function placeOf({ askedAt, requestId }: { readonly askedAt: number; readonly requestId: string }): string {
  return `${String(askedAt).padStart(15, '0')} ${requestId}`;
}
