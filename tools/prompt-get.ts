// prompt_get: the same prompts that clients show to people as slash commands, for models.
import { z } from 'zod';
import { offerNamed, offers, sayOffer } from '../core/offers.ts';
import { defineTool } from './define.ts';
import { cursor, nextCursor, summary, valuesOf } from './fields.ts';
import { fittingPage } from './page.ts';

const MOST_ROWS = 100;

export const promptGet = defineTool({
  name: 'prompt_get',
  title: 'Get a prompt',
  description:
    'Prompts of this workspace, the same that clients offer to people as slash commands: one for each enabled rule, and start_task, continue_session, review_session and delegate. ' +
    'Without a name they are listed with their arguments; with one you get its text, to follow yourself or to hand to session_prompt.',
  effect: 'reads',
  toolset: 'prompts',
  input: z.strictObject({
    name: z.string().min(1).max(128).optional().describe('Which prompt. Leave it out to list them.'),
    arguments: z
      .array(z.string().max(100_000))
      .max(50)
      .optional()
      .describe('Values for its arguments, each as name=value, such as taskId=fix-login.'),
    cursor,
  }),
  output: z.looseObject({
    summary,
    name: z.string().optional(),
    text: z.string().optional().describe('What the prompt says.'),
    prompts: z
      .array(
        z.looseObject({
          name: z.string(),
          description: z.string(),
          arguments: z.array(z.string()).describe('Names of its arguments; a ? behind one that may be left out.'),
        }),
      )
      .optional()
      .describe('All of them, where none was named.'),
    nextCursor,
  }),
  positional: ['name'],
  fails: [
    'RULE_NOT_FOUND',
    'RULE_INVALID',
    'TASK_NOT_FOUND',
    'TASK_UNREADABLE',
    'SESSION_NOT_FOUND',
    'PATH_OUTSIDE',
    'PROMPT_TOO_LARGE',
    'CURSOR_INVALID',
    'WORKSPACE_MISSING',
  ],
  examples: [
    {},
    { name: 'start_task', arguments: ['taskId=fix-login'] },
    { name: 'delegate', arguments: ['goal=Translate the docs.'] },
  ],
  async handle({ name, arguments: args, cursor }, { orchestrator }) {
    const all = await offers(orchestrator);
    if (name !== undefined) return { name, text: await sayOffer(offerNamed(all, name), valuesOf(args), orchestrator) };
    const rows = all.map((offer) => ({
      name: offer.name,
      description: offer.description,
      arguments: offer.arguments.map(({ name, required }) => (required ? name : `${name}?`)),
    }));
    const page = fittingPage(rows, { cursor, limit: MOST_ROWS, keyOf: ({ name }) => name }, (row) => row);
    return { prompts: [...page.rows], nextCursor: page.nextCursor };
  },
  say: ({ name, prompts }) => (prompts ? `${prompts.length} prompts.` : `The prompt ${name}.`),
  tables: [{ rows: 'prompts', columns: { PROMPT: 'name', ARGUMENTS: 'arguments', DESCRIPTION: 'description' } }],
});
