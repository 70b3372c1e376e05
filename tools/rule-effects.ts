// What the tools that change rules answer: the file, and the tasks for which the choice becomes another one.
import { z } from 'zod';
import type { RuleChanged } from '../core/rule-deeds.ts';
import { summary } from './fields.ts';

const EFFECTS_SHOWN = 50;
const MOST_TEXT = 3000;

export const RuleEffects = z.looseObject({
  summary,
  rule: z.string(),
  dryRun: z.boolean().describe('true: nothing was changed.'),
  file: z.string().optional().describe('Path below the workspace.'),
  text: z.string().optional().describe('The file as it is now, or would be; its beginning.'),
  version: z.string().optional(),
  effects: z
    .array(
      z.looseObject({
        taskId: z.string(),
        before: z.string().optional().describe('Rule that a session on the task begins with now.'),
        after: z.string().optional().describe('Rule that it then begins with.'),
        isOtherText: z.boolean().describe('The same rule with another text or other defaults.'),
      }),
    )
    .describe('The first tasks whose sessions would begin with something else.'),
  effectCount: z.number().int(),
  tasks: z.number().int().describe('How many tasks were looked at.'),
});
export type RuleEffects = z.input<typeof RuleEffects>;

/** The answer about a change. */
export function ruleEffects(ruleId: string, dryRun: boolean, { rule, text, effects, tasks }: RuleChanged): RuleEffects {
  return {
    rule: ruleId,
    dryRun,
    file: rule?.file,
    text: text?.slice(0, MOST_TEXT),
    version: rule?.version,
    effects: effects.slice(0, EFFECTS_SHOWN).map((effect) => ({ ...effect })),
    effectCount: effects.length,
    tasks,
  };
}

/** The answer in a sentence. */
export function changeOf(done: string, would: string): (answer: RuleEffects) => string {
  return ({ rule, dryRun, effectCount, tasks }) =>
    `Rule ${rule} ${dryRun ? would : `is ${done}`}; sessions on ${effectCount} of ${tasks} task${tasks === 1 ? '' : 's'} ${dryRun ? 'would' : 'now'} begin with something else.`;
}
