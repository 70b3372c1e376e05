// Which rule speaks: every rule is weighed, and those that match are ranked by priority, specificity, learned success and id.
import type { Rule, RuleLearning, Selection } from '../core/rules.ts';
import type { Situation } from '../core/situation.ts';
import { factsOf } from './facts.ts';
import type { ReadyRule } from './rule-file.ts';

/** Of a rule of which nothing is known yet. */
const UNKNOWN_SUCCESS = 0.5;

/** Weighs the rules; the same rules in another order give the same answer. */
export function selectRules(
  rules: readonly ReadyRule[],
  situation: Situation,
  { learning, seed = '' }: { readonly learning?: RuleLearning | undefined; readonly seed?: string | undefined } = {},
): Selection {
  const facts = factsOf(situation);
  const matches: Rule[] = [];
  const misses: Rule[] = [];
  for (const { rule, compiled } of rules) {
    if (rule.kind !== 'prompt') continue;
    const isMatch = rule.enabled && rule.moments.includes(situation.moment) && compiled.holds(facts);
    (isMatch ? matches : misses).push(rule);
  }
  const success = new Map(
    learning && matches.map((rule) => [rule.id, learning.success(rule.id, rule.version) ?? UNKNOWN_SUCCESS]),
  );
  const successOf = ({ id }: Rule) => success.get(id) ?? UNKNOWN_SUCCESS;
  matches.sort((a, b) => compareWeight(a, b) || successOf(b) - successOf(a) || compareIds(a, b));
  misses.sort(compareIds);
  const [first] = matches;
  if (!learning || !first) return { matches, misses, chances: undefined };
  // handed over by id, so that what is drawn does not depend on what is known so far
  const equals = matches.filter((rule) => compareWeight(rule, first) === 0).sort(compareIds);
  if (equals.length < 2) return { matches, misses, chances: undefined };
  const { index, chances } = learning.choose(equals, seed);
  const drawn = equals[index] ?? first;
  return { matches: [drawn, ...matches.filter((rule) => rule !== drawn)], misses, chances };
}

function compareWeight(a: Rule, b: Rule): number {
  return b.priority - a.priority || b.specificity - a.specificity;
}

function compareIds(a: Rule, b: Rule): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
