// rule_delete: removes the file of a prompt rule, and says for which tasks that changes the prompt.
import { z } from 'zod';
import { defineTool } from './define.ts';
import { ruleId } from './fields.ts';
import { changeOf, RuleEffects, ruleEffects } from './rule-effects.ts';

export const ruleDelete = defineTool({
  name: 'rule_delete',
  title: 'Delete a prompt rule',
  description:
    'Remove the file of a prompt rule from .scopecraft/prompts. dryRun shows the tasks whose prompt would be another one. ' +
    'Built-in rules cannot be removed; rule_set with enabled=false turns one off.',
  effect: 'destroys',
  toolset: 'prompts',
  input: z.strictObject({ rule: ruleId, dryRun: z.boolean().default(false).describe('true: nothing is removed.') }),
  output: RuleEffects,
  positional: ['rule'],
  fails: ['RULE_NOT_FOUND', 'RULE_INVALID', 'PATH_OUTSIDE', 'STORAGE_FAILED', 'WORKSPACE_MISSING'],
  examples: [{ rule: 'greeting', dryRun: true }],
  async handle({ rule, dryRun }, { orchestrator }) {
    return ruleEffects(rule, dryRun, await orchestrator.rules.remove(rule, { dryRun }));
  },
  say: changeOf('removed', 'would be removed'),
  tables: [{ rows: 'effects', columns: { TASK: 'taskId', NOW: 'before', THEN: 'after', 'OTHER TEXT': 'isOtherText' } }],
});
