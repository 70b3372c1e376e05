// What a change of the rules would do: for each task whose choice becomes another one, what was chosen and what would be.
import { lacking, type Rule, type RuleBook } from './rules.ts';
import type { Situation } from './situation.ts';

export interface RuleEffect {
  readonly taskId: string;
  /** Rule that a session on the task begins with now. */
  readonly before: string | undefined;
  /** Rule that it would begin with. */
  readonly after: string | undefined;
  /** The same rule with another text or other defaults. */
  readonly isOtherText: boolean;
}

/**
 * The tasks for which the choice changes when these are the rules; nothing is changed. Only rules that need no arguments are chosen from, as it is
 * for a start that gives none.
 */
export function effectsOf(rules: RuleBook, situations: readonly Situation[], instead: readonly Rule[]): readonly RuleEffect[] {
  const speaks = (rule: Rule) => lacking(rule, {}).length === 0;
  const [now, then] = [rules.list().filter(speaks), instead.filter(speaks)];
  return situations.flatMap((situation) => {
    const [before] = rules.select(situation, { instead: now }).matches;
    const [after] = rules.select(situation, { instead: then }).matches;
    const isOtherText = before?.id === after?.id && before?.version !== after?.version;
    if (before?.id === after?.id && !isOtherText) return [];
    return [{ taskId: situation.task?.id ?? '', before: before?.id, after: after?.id, isOtherText }];
  });
}
