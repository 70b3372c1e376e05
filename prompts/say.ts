// What a rule says in a situation, and why it speaks there or does not. Reads and writes no file.
import { MAX_PROMPT_BYTES } from '../core/config.ts';
import { fail } from '../core/errors.ts';
import { lacking, type Reason } from '../core/rules.ts';
import type { Situation } from '../core/situation.ts';
import { factsOf } from './facts.ts';
import { namesTask, type ReadyRule } from './rule-file.ts';
import { renderTemplate } from './template.ts';
import { variableValue } from './variables.ts';

/** A task file and a template at their largest. */
const MAX_RENDERED = 1024 * 1024 + MAX_PROMPT_BYTES;

/** Why the rule speaks in the situation or does not, condition by condition. */
export function reasonsFor({ rule, compiled }: ReadyRule, situation: Situation): readonly Reason[] {
  const also: Reason[] = [];
  if (!rule.enabled) also.push({ holds: false, depth: 0, text: 'it is not enabled' });
  if (rule.kind === 'session')
    also.push({ holds: false, depth: 0, text: 'it is a session template, used only where it is asked for' });
  else if (!rule.moments.includes(situation.moment))
    also.push({
      holds: false,
      depth: 0,
      text: `it speaks in the moment ${rule.moments.join(', ')}; this is ${situation.moment}`,
    });
  const reasons = compiled.explain(factsOf(situation));
  return reasons.length + also.length > 0 ? [...also, ...reasons] : [{ holds: true, depth: 0, text: 'it has no conditions' }];
}

/** The text of the rule. Fails with INVALID_INPUT on arguments, with PROMPT_TOO_LARGE on a text without end. */
export function rendered(ready: ReadyRule, situation: Situation, args: Readonly<Record<string, string>>): string {
  const { rule } = ready;
  const known = rule.arguments.map(({ name }) => name);
  const strange = Object.keys(args).find((name) => !known.includes(name));
  if (strange !== undefined)
    fail(
      'INVALID_INPUT',
      `Rule "${rule.id}" takes no argument "${strange}".${known.length > 0 ? ` It takes: ${known.join(', ')}.` : ' It takes none.'}`,
    );
  const missing = lacking(rule, args);
  if (missing.length > 0) fail('INVALID_INPUT', `Rule "${rule.id}" needs a value for: ${missing.join(', ')}.`);
  const text = renderTemplate(ready.parts, (name) => variableValue(situation, args, name), MAX_RENDERED);
  const { task, moment } = situation;
  const below =
    task && moment === 'start' && !namesTask(ready) ? `\n\n# ${task.title}\n\nTask id: ${task.id}\n\n${task.body.trim()}` : '';
  if (text === undefined || text.length + below.length > MAX_RENDERED)
    fail('PROMPT_TOO_LARGE', `What rule "${rule.id}" says would have more than ${MAX_RENDERED} characters.`);
  return `${text}${below}`.trim();
}
