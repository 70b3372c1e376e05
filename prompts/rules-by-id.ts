// The rules that are in force: those of the files over those that are built in, each under its id. Made anew of what was read; reads no file itself.
import { fail } from '../core/errors.ts';
import type { Rule, RuleProblem } from '../core/rules.ts';
import { BUILT_IN } from './built-in.ts';
import type { PatternCompiler } from './pattern.ts';
import { type ReadyRule, type RuleOutcome, readRule } from './rule-file.ts';

export interface Library {
  readonly ready: ReadonlyMap<string, ReadyRule>;
  readonly rules: readonly Rule[];
  readonly problems: readonly RuleProblem[];
  /** Rule id -> name of its file. */
  readonly names: ReadonlyMap<string, string>;
  readonly stamp: string;
}

/** What the files add up to. Two files with one id: the first by name counts. `others` are problems of the folder itself. */
export function libraryOf(
  outcomes: ReadonlyMap<string, RuleOutcome>,
  stamp: string,
  folder: string,
  others: readonly RuleProblem[] = [],
): Library {
  const ready = new Map(builtInRules());
  const names = new Map<string, string>();
  const problems: RuleProblem[] = [...others];
  for (const [name, outcome] of outcomes) {
    const file = `${folder}/${name}`;
    if ('problems' in outcome) problems.push(...outcome.problems.map((problem) => ({ file, ...problem })));
    else {
      const { id } = outcome.ready.rule;
      const other = names.get(id);
      if (other !== undefined)
        problems.push({ file, line: 1, column: 1, message: `Its id "${id}" is that of ${other} too; it is left out.` });
      else {
        names.set(id, name);
        ready.set(id, outcome.ready);
      }
    }
  }
  // in order of their ids, so that no choice has to sort them
  const sorted = new Map([...ready].sort(([a], [b]) => (a < b ? -1 : 1)));
  const rules = [...sorted.values()].map(({ rule }) => rule);
  return { ready: sorted, rules, problems, names, stamp };
}

let builtIn: ReadonlyMap<string, ReadyRule> | undefined;

/** Read once, when they are first needed: the start of a hub need not wait for it. */
export function builtInRules(): ReadonlyMap<string, ReadyRule> {
  const none: PatternCompiler = () => ({ problem: 'Built-in rules have no patterns.' });
  builtIn ??= new Map(
    Object.entries(BUILT_IN).map(([stem, text]) => {
      const outcome = readRule(text, stem, undefined, none);
      if ('problems' in outcome) return fail('INTERNAL', `The built-in rule "${stem}" is wrong: ${outcome.problems[0]?.message}`);
      return [outcome.ready.rule.id, outcome.ready];
    }),
  );
  return builtIn;
}
