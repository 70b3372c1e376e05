// What a change of the rules would do: for each task whose choice becomes another one, what was chosen and what would be.
import type { Rule, RuleBook } from './rules.ts';
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

/** The tasks for which the choice changes when these are the rules; nothing is changed. */
export function effectsOf(rules: RuleBook, situations: readonly Situation[], instead: readonly Rule[]): readonly RuleEffect[] {
  return situations.flatMap((situation) => {
    const [before] = rules.select(situation).matches;
    const [after] = rules.select(situation, { instead }).matches;
    const isOtherText = before?.id === after?.id && before?.version !== after?.version;
    if (before?.id === after?.id && !isOtherText) return [];
    return [{ taskId: situation.task?.id ?? '', before: before?.id, after: after?.id, isOtherText }];
  });
}
