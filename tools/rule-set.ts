// rule_set: makes or changes a prompt rule, and says for which tasks that changes the prompt.
import { z } from 'zod';
import { MOMENTS, RULE_KINDS } from '../core/rules.ts';
import { defineTool } from './define.ts';
import { ruleId } from './fields.ts';
import { changeOf, RuleEffects, ruleEffects } from './rule-effects.ts';

export const ruleSet = defineTool({
  name: 'rule_set',
  title: 'Make or change a prompt rule',
  description:
    'Write a prompt rule as a Markdown file in .scopecraft/prompts: a new one, or a change of the named fields alone, such as enabled or priority. ' +
    'dryRun shows the file and the tasks whose prompt would be another one. A changed built-in rule becomes a file of the workspace.',
  effect: 'changes',
  toolset: 'prompts',
  input: z.strictObject({
    rule: ruleId,
    text: z.string().max(65_536).optional().describe('The whole file: Markdown with front matter, or the JSON form of a rule.'),
    name: z.string().min(1).max(100).optional().describe('What people call it.'),
    description: z.string().max(500).optional().describe('When to use it, in a sentence.'),
    enabled: z.boolean().optional().describe('false: it is not chosen any more.'),
    priority: z.number().optional().describe('Of several rules that fit, the highest goes first.'),
    kind: z.enum(RULE_KINDS).optional().describe('prompt: chosen by conditions. session: a named set of defaults.'),
    moments: z.array(z.enum(MOMENTS)).min(1).optional().describe('When it may speak; start unless it says otherwise.'),
    conditions: z
      .string()
      .max(20_000)
      .optional()
      .describe('JSON: a list such as [{"field":"type","operator":"equals","value":"bug"}]; also all, any, not.'),
    template: z.string().max(65_536).optional().describe('What it says, with variables such as {{task.title}}.'),
    dryRun: z.boolean().default(false).describe('true: nothing is written.'),
  }),
  output: RuleEffects,
  positional: ['rule'],
  fails: ['RULE_INVALID', 'PATH_OUTSIDE', 'STORAGE_FAILED', 'WORKSPACE_MISSING'],
  examples: [
    {
      rule: 'bug-debugging-rule',
      priority: 10,
      conditions: '[{"field":"type","operator":"equals","value":"bug"}]',
      template: 'Focus on debugging methodically.',
      dryRun: true,
    },
    { rule: 'default', enabled: true, dryRun: true },
  ],
  async handle({ rule, dryRun, ...change }, { orchestrator }) {
    return ruleEffects(rule, dryRun, await orchestrator.rules.set(rule, change, { dryRun }));
  },
  say: changeOf('written', 'would be written'),
  tables: [{ rows: 'effects', columns: { TASK: 'taskId', NOW: 'before', THEN: 'after', 'OTHER TEXT': 'isOtherText' } }],
});
