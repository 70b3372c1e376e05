// request_answer: answers what a session asks.
import { z } from 'zod';
import { DECISIONS } from '../core/talk.ts';
import { RequestView, requestView } from '../core/talk-views.ts';
import { defineTool } from './define.ts';
import { next, summary } from './fields.ts';

export const requestAnswer = defineTool({
  name: 'request_answer',
  title: 'Answer a request',
  description:
    'Answer what a session asks: allow or deny the use of a tool, or answer its question with text. The session goes on at once; follow it with session_wait.',
  effect: 'changes',
  toolset: 'core',
  input: z.strictObject({
    requestId: z.string().min(1).max(200).describe('Id of the request, as session_wait or request_list gave it.'),
    decision: z.enum(DECISIONS).describe('allow or deny for a permission; answer (or deny) for a question.'),
    text: z.string().max(20_000).optional().describe('The answer to a question, or why it is denied; the agent reads it.'),
    remember: z.boolean().default(false).describe('true: every use of this tool is answered so for the rest of the session.'),
  }),
  output: z.looseObject({ summary, request: RequestView, next }),
  positional: ['requestId', 'decision', 'text'],
  fails: ['REQUEST_NOT_FOUND', 'REQUEST_ANSWERED', 'OUTSIDE_TREE', 'WORKSPACE_MISSING', 'STORAGE_FAILED', 'STORAGE_FULL'],
  examples: [{ requestId: '{{request}}', decision: 'answer', text: 'The second one.' }],
  async handle(input, { orchestrator, caller }) {
    const request = await orchestrator.answer(input, caller.by);
    return { request: requestView(request), next: `session_wait { "sessionIds": ["${request.sessionId}"] }` };
  },
  say: ({ request: { requestId, decision } }) =>
    `Request ${requestId} is ${decision === 'allow' ? 'allowed' : decision === 'deny' ? 'denied' : 'answered'}.`,
});
