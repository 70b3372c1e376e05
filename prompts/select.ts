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
  const { moment } = situation;
  const matches: Rule[] = [];
  for (const { rule, compiled } of rules)
    if (rule.kind === 'prompt' && rule.enabled && rule.moments.includes(moment) && compiled.holds(facts)) matches.push(rule);
  const missesOf = (found: readonly Rule[]) => {
    const fits = new Set(found);
    return rules
      .map(({ rule }) => rule)
      .filter((rule) => rule.kind === 'prompt' && !fits.has(rule))
      .sort(compareIds);
  };
  const success = new Map(
    learning && matches.map((rule) => [rule.id, learning.success(rule.id, rule.version) ?? UNKNOWN_SUCCESS]),
  );
  const successOf = ({ id }: Rule) => success.get(id) ?? UNKNOWN_SUCCESS;
  matches.sort((a, b) => compareWeight(a, b) || successOf(b) - successOf(a) || compareIds(a, b));
  const [first] = matches;
  if (!learning || !first) return selection(matches, missesOf, undefined);
  // handed over by id, so that what is drawn does not depend on what is known so far
  const equals = matches.filter((rule) => compareWeight(rule, first) === 0).sort(compareIds);
  if (equals.length < 2) return selection(matches, missesOf, undefined);
  const { index, chances } = learning.choose(equals, seed);
  const drawn = equals[index] ?? first;
  return selection([drawn, ...matches.filter((rule) => rule !== drawn)], missesOf, chances);
}

/** Those that do not fit are looked for when somebody asks for them: a choice among a thousand needs none of them. */
function selection(
  matches: readonly Rule[],
  missesOf: (matches: readonly Rule[]) => readonly Rule[],
  chances: Selection['chances'],
): Selection {
  return {
    matches,
    get misses() {
      return missesOf(matches);
    },
    chances,
  };
}

function compareWeight(a: Rule, b: Rule): number {
  return b.priority - a.priority || b.specificity - a.specificity;
}

function compareIds(a: Rule, b: Rule): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
