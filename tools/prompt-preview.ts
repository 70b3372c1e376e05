// prompt_preview: what a session would be told, by which rule, and why not by the others.
import { z } from 'zod';
import { fail } from '../core/errors.ts';
import { MOMENTS, type Reason } from '../core/rules.ts';
import { defineTool } from './define.ts';
import { cursor, limit, nextCursor, ruleArguments, ruleName, sessionId, summary, taskId, total, valuesOf } from './fields.ts';
import { fittingPage } from './page.ts';

const MOST_TEXT = 3000;

export const promptPreview = defineTool({
  name: 'prompt_preview',
  title: 'Preview a prompt',
  description:
    'What a session on a task would be told, by which prompt rule, and condition by condition why each rule fits or not. Starts nothing. ' +
    'With sessionId: what could be said to that session. Then session_start or session_prompt with `rule`.',
  effect: 'reads',
  toolset: 'core',
  input: z.strictObject({
    taskId: taskId.optional().describe('Task, as task_list gives it.'),
    sessionId: sessionId.optional().describe('Session to be told something; its task is taken.'),
    moment: z
      .enum(MOMENTS)
      .optional()
      .describe('start: first prompt. middle: to a session at work. continue: it goes on. review: its work is looked at.'),
    rule: ruleName.optional().describe('This rule instead of the best one.'),
    arguments: ruleArguments,
    characters: z
      .number()
      .int()
      .min(100)
      .max(40_000)
      .default(MOST_TEXT)
      .describe(`At most so many characters of the text (${MOST_TEXT}).`),
    cursor,
    limit: limit(100, 10),
  }),
  output: z.looseObject({
    summary,
    rule: z.string().optional().describe('The rule that speaks.'),
    version: z.string().optional(),
    moment: z.enum(MOMENTS),
    text: z.string().describe('What it says.'),
    length: z.number().int().describe('Characters of the whole text.'),
    rules: z.array(
      z.looseObject({
        rule: z.string(),
        fits: z.boolean(),
        place: z.number().int().optional().describe('In the ranking of those that fit, 1 is chosen.'),
        priority: z.number(),
        specificity: z.number().int().describe('How many conditions must hold.'),
        why: z.string(),
      }),
    ),
    chances: z.record(z.string(), z.number()).optional().describe('Where equal rules were drawn from by what they achieved.'),
    total,
    nextCursor,
  }),
  positional: ['taskId'],
  fails: [
    'TASK_NOT_FOUND',
    'TASK_UNREADABLE',
    'PATH_OUTSIDE',
    'SESSION_NOT_FOUND',
    'RULE_NOT_FOUND',
    'RULE_INVALID',
    'PROMPT_TOO_LARGE',
    'CURSOR_INVALID',
    'WORKSPACE_MISSING',
  ],
  examples: [{ taskId: 'fix-login' }, { sessionId: '{{session}}', moment: 'review' }],
  async handle({ taskId, sessionId, moment, rule, arguments: given, characters, cursor, limit }, { orchestrator }) {
    if (taskId === undefined && sessionId === undefined && rule === undefined)
      fail('INVALID_INPUT', 'Say for what: "taskId", "sessionId" or "rule".');
    if (sessionId !== undefined) orchestrator.get(sessionId);
    const found = await orchestrator.rules.preview({ taskId, sessionId, moment, ruleId: rule, args: valuesOf(given) });
    const places = new Map(found.matches.map((one, at) => [one.id, at + 1]));
    const all = [...found.matches, ...found.misses].map((one, at) => ({ one, at }));
    const { rows, nextCursor } = fittingPage(all, { cursor, limit, keyOf: ({ at }) => at }, ({ one }) => ({
      rule: one.id,
      fits: places.has(one.id),
      place: places.get(one.id),
      priority: one.priority,
      specificity: one.specificity,
      why: found.explain(one).map(reasonText).join('; '),
    }));
    return {
      rule: found.rule?.id,
      version: found.rule?.version,
      moment: found.moment,
      text: found.text.slice(0, characters),
      length: found.text.length,
      rules: [...rows],
      chances: found.chances?.of,
      total: all.length,
      nextCursor,
    };
  },
  say: ({ rule, moment, length, rules }) =>
    rule === undefined
      ? `No rule fits at the moment ${moment}; the default wording is used.`
      : `Rule ${rule} speaks at the moment ${moment}, with ${length} characters; ${rules.filter(({ fits }) => fits).length} of the rules shown fit.`,
  tables: [
    {
      rows: 'rules',
      columns: { RULE: 'rule', FITS: 'fits', PLACE: 'place', PRIORITY: 'priority', CONDITIONS: 'specificity', WHY: 'why' },
    },
  ],
});

function reasonText({ holds, depth, text }: Reason): string {
  return `${'> '.repeat(depth)}${holds ? 'yes' : 'no'}: ${text}`;
}
