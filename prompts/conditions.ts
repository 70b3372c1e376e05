// Conditions of a rule: read from what its front matter says, then tested against facts. Quick where they are only tested, in words where they are explained.
import { nearest } from '../core/errors.ts';
import { isRecord } from '../core/json.ts';
import { type Condition, OPERATORS, type Operator, type Reason } from '../core/rules.ts';
import { type Facts, PARENT_FIELDS, SESSION_FIELDS } from './facts.ts';
import { OPERATIONS, type Test } from './operators.ts';
import type { PatternCompiler } from './pattern.ts';

/** Conditions made ready to be tested. */
export interface Compiled {
  readonly condition: Condition;
  /** How many conditions must hold at least. */
  readonly specificity: number;
  readonly holds: (facts: Facts) => boolean;
  readonly explain: (facts: Facts, depth?: number) => readonly Reason[];
}

export interface ConditionProblem {
  /** Keys and places from the conditions down to what is wrong. */
  readonly path: readonly (string | number)[];
  /** The key at the path is wrong, not its value. */
  readonly isKey: boolean;
  readonly message: string;
}

/** How deep `all`, `any` and `not` may lie in each other, and how many conditions a rule may have. */
const MAX_DEPTH = 50;
const MAX_CONDITIONS = 500;
const MAX_TEXT = 1000;
const FIELD = /^[A-Za-z_][\w-]*(?:\.[\w-]+){0,8}$/;
const GROUPS = ['all', 'any', 'not'] as const;

/** The conditions of a rule: a list, all of which must hold, or one of them alone. Answers every problem. */
export function readConditions(
  value: unknown,
  compile: PatternCompiler,
): { readonly compiled: Compiled } | { readonly problems: readonly ConditionProblem[] } {
  const problems: ConditionProblem[] = [];
  let count = 0;
  const complain = (path: readonly (string | number)[], message: string, isKey = false) =>
    void problems.push({ path, message, isKey });

  const each = (list: readonly unknown[], path: readonly (string | number)[], depth: number) =>
    list.map((one, at) => read(one, [...path, at], depth)).filter((one) => one !== undefined);

  function read(one: unknown, path: readonly (string | number)[], depth: number): Compiled | undefined {
    count += 1;
    if (count > MAX_CONDITIONS)
      return void (count === MAX_CONDITIONS + 1 && complain([], `There are more than ${MAX_CONDITIONS} conditions.`));
    if (depth > MAX_DEPTH) return complain(path, `The conditions lie deeper than ${MAX_DEPTH} levels in each other.`);
    if (!isRecord(one))
      return complain(path, 'A condition is a mapping with field, operator and value, or with all, any or not.');
    const group = GROUPS.find((name) => name in one);
    if (group === undefined) return leaf(one, path);
    const [other] = Object.keys(one).filter((key) => key !== group);
    if (other !== undefined) return complain([...path, other], `Beside "${group}" nothing else may stand.`, true);
    const inner = one[group];
    if (group === 'not') {
      const denied = Array.isArray(inner)
        ? allOf(each(inner, [...path, group], depth + 1))
        : read(inner, [...path, group], depth + 1);
      return denied && not(denied);
    }
    if (!Array.isArray(inner) || inner.length === 0) return complain([...path, group], `"${group}" needs a list of conditions.`);
    const parts = each(inner, [...path, group], depth + 1);
    return group === 'all' ? allOf(parts) : anyOf(parts);
  }

  function leaf(one: Readonly<Record<string, unknown>>, path: readonly (string | number)[]): Compiled | undefined {
    const unknown = Object.keys(one).find((key) => !['field', 'operator', 'value'].includes(key));
    if (unknown !== undefined)
      return complain([...path, unknown], `A condition has no key ${quoted(unknown)}; it has field, operator and value.`, true);
    const field = one.field;
    if (typeof field !== 'string' || !FIELD.test(field))
      return complain([...path, 'field'], 'A condition needs a field: the name of a front matter key, or session.<name>.');
    const strange = strangeField(field);
    if (strange !== undefined) return complain([...path, 'field'], strange);
    const operator = OPERATORS.find((name) => name === one.operator);
    if (operator === undefined) return complain([...path, 'operator'], unknownOperator(one.operator));
    const long = [one.value].flat().find((part) => typeof part === 'string' && part.length > MAX_TEXT);
    if (long !== undefined) return complain([...path, 'value'], `A value is longer than ${MAX_TEXT} characters.`);
    const made = OPERATIONS[operator](one.value, compile);
    if (typeof made === 'string') return complain([...path, 'value'], made);
    return testOf({ field, operator, value: one.value }, made);
  }

  const root = value === undefined || value === null ? [] : value;
  const compiled = Array.isArray(root) ? allOf(each(root, [], 1)) : read(root, [], 1);
  return problems.length === 0 && compiled ? { compiled } : { problems };
}

function testOf(
  condition: { readonly field: string; readonly operator: Operator; readonly value: unknown },
  { holds, wanted }: Test,
): Compiled {
  const { field } = condition;
  return {
    condition,
    specificity: 1,
    holds: (facts) => holds(facts(field)),
    explain: (facts, depth = 0) => {
      const { texts, isList } = facts(field);
      const found = texts.length === 0 ? 'nothing' : isList ? `[${texts.map(shown).join(', ')}]` : shown(texts[0] ?? '');
      return [{ holds: holds(facts(field)), depth, text: `${field} ${wanted}; there is ${found}` }];
    },
  };
}

function allOf(parts: readonly Compiled[]): Compiled {
  return {
    condition: { all: parts.map(({ condition }) => condition) },
    specificity: parts.reduce((sum, { specificity }) => sum + specificity, 0),
    holds: allHold(parts),
    explain: (facts, depth = -1) => [
      ...(depth < 0 ? [] : [{ holds: parts.every((part) => part.holds(facts)), depth, text: 'all of:' }]),
      ...parts.flatMap((part) => part.explain(facts, depth + 1)),
    ],
  };
}

function anyOf(parts: readonly Compiled[]): Compiled {
  return {
    condition: { any: parts.map(({ condition }) => condition) },
    specificity: parts.length === 0 ? 0 : Math.min(...parts.map(({ specificity }) => specificity)),
    holds: anyHolds(parts),
    explain: (facts, depth = 0) => [
      { holds: parts.some((part) => part.holds(facts)), depth, text: 'any of:' },
      ...parts.flatMap((part) => part.explain(facts, depth + 1)),
    ],
  };
}

function not(part: Compiled): Compiled {
  return {
    condition: { not: part.condition },
    specificity: Math.max(1, part.specificity),
    holds: (facts) => !part.holds(facts),
    explain: (facts, depth = 0) => [{ holds: !part.holds(facts), depth, text: 'not:' }, ...part.explain(facts, depth + 1)],
  };
}

// loops, because they are what the time of a choice goes into
function allHold(parts: readonly Compiled[]): (facts: Facts) => boolean {
  return (facts) => {
    for (const part of parts) if (!part.holds(facts)) return false;
    return true;
  };
}

function anyHolds(parts: readonly Compiled[]): (facts: Facts) => boolean {
  return (facts) => {
    for (const part of parts) if (part.holds(facts)) return true;
    return false;
  };
}

/** Fields of sessions and parents are known; those of tasks may be any. */
function strangeField(field: string): string | undefined {
  const [group = '', name = '', ...more] = field.split('.');
  if (group !== 'session' && group !== 'parent') return undefined;
  const known: readonly string[] = group === 'session' ? SESSION_FIELDS : PARENT_FIELDS;
  if (known.includes(name) && more.length === 0) return undefined;
  const near = nearest(name, known);
  return `There is no field ${quoted(field)}.${near ? ` Did you mean "${group}.${near}"?` : ` Known are: ${known.map((one) => `${group}.${one}`).join(', ')}.`}`;
}

function unknownOperator(word: unknown): string {
  const near = typeof word === 'string' ? nearest(word, OPERATORS) : undefined;
  return `There is no operator ${quoted(word)}.${near ? ` Did you mean "${near}"?` : ` Operators are: ${OPERATORS.join(', ')}.`}`;
}

function quoted(value: unknown): string {
  return JSON.stringify(typeof value === 'string' ? value.slice(0, 40) : (value ?? null)).slice(0, 60);
}

function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
