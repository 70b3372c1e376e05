// session_ask: a session asks whoever started it, and waits for the answer. For sessions alone.
import { z } from 'zod';
import { fail } from '../core/errors.ts';
import { defineTool } from './define.ts';
import { summary } from './fields.ts';
import { telling } from './waiting.ts';

export const sessionAsk = defineTool({
  name: 'session_ask',
  title: 'Ask who started you',
  description:
    'Ask a question that you cannot answer yourself; whoever started you, or a person, answers. Blocks until the answer is there or is refused. Ask only when you cannot go on without it.',
  effect: 'changes',
  toolset: 'session',
  input: z.strictObject({
    question: z.string().min(1).max(4000).describe('What you need to know, with all that is needed to answer it.'),
    options: z.array(z.string().min(1).max(200)).max(10).optional().describe('Answers to choose from; others may be given too.'),
  }),
  output: z.looseObject({
    summary,
    answer: z.string().optional().describe('The answer.'),
    denied: z.string().optional().describe('Why there is none: go on as you think best.'),
    by: z.string(),
  }),
  fails: ['CANCELLED', 'WORKSPACE_MISSING', 'STORAGE_FAILED', 'STORAGE_FULL'],
  examples: [{ question: 'Which of the two layouts is wanted?', options: ['wide', 'narrow'] }],
  async handle({ question, options }, context) {
    const { orchestrator, caller, callKey, signal } = context;
    const sessionId =
      caller.sessionId ?? fail('INVALID_INPUT', 'Only a session can ask; use session_prompt to say something to one.');
    const ask = { kind: 'question', text: question, options, callId: callKey } as const;
    const { decision, text = '', by } = await telling(context, [sessionId], () => orchestrator.ask(sessionId, ask, signal));
    return decision === 'answer' ? { answer: text, by } : { denied: text || 'The question was not answered.', by };
  },
  say: ({ answer, denied }) => (answer === undefined ? `No answer: ${denied}` : `Answer: ${answer}`),
});
