// The operators of conditions, one table: each makes of the value that a rule gives a test, or says what is wrong with the value.
import type { Operator } from '../core/rules.ts';
import { amountOf, type Fact, wordOf } from './facts.ts';
import type { PatternCompiler } from './pattern.ts';

export interface Test {
  readonly holds: (fact: Fact) => boolean;
  /** What is wanted, in words, such as `equals "bug"`. */
  readonly wanted: string;
}

type Operation = (value: unknown, compile: PatternCompiler) => Test | string;

const VALUES = 'It needs a value or a list of them: texts, numbers, true or false.';

export const OPERATIONS = {
  equals: (value) => {
    const words = wordsOf(value);
    if (!words) return VALUES;
    const holds = Array.isArray(value)
      ? sameMembers(words)
      : (fact: Fact) => fact.words.length === 1 && fact.words[0] === words[0];
    return { holds, wanted: `equals ${told(value)}` };
  },
  contains: (value) => {
    const words = wordsOf(value);
    if (!words) return VALUES;
    const parts = [value].flat().map((part) => String(part).toLowerCase());
    return {
      holds: ({ isList, words: found, texts }) =>
        isList
          ? words.every((word) => found.includes(word))
          : texts.length > 0 && parts.every((part) => (texts[0] ?? '').toLowerCase().includes(part)),
      wanted: `contains ${told(value)}`,
    };
  },
  in: (value) => {
    const words = wordsOf(value);
    if (!words) return VALUES;
    return { holds: ({ words: found }) => found.some((word) => words.includes(word)), wanted: `is in ${told(value)}` };
  },
  not_in: (value) => {
    const words = wordsOf(value);
    if (!words) return VALUES;
    return { holds: ({ words: found }) => !found.some((word) => words.includes(word)), wanted: `is not in ${told(value)}` };
  },
  matches: (value, compile) => {
    if (typeof value !== 'string' || value === '') return 'It needs a regular expression as a text.';
    const found = compile(value);
    if (typeof found !== 'function') return found.problem;
    return { holds: ({ texts }) => texts.some(found), wanted: `matches ${told(value)}` };
  },
  exists: (value = true) => {
    if (typeof value !== 'boolean') return 'It needs true or false.';
    return { holds: ({ values }) => values.length > 0 === value, wanted: value ? 'exists' : 'does not exist' };
  },
  gt: (value) => ordered(value, 'is greater than', (found, wanted) => found > wanted),
  lt: (value) => ordered(value, 'is less than', (found, wanted) => found < wanted),
} as const satisfies Record<Operator, Operation>;

function ordered(value: unknown, says: string, holds: (found: number, wanted: number) => boolean): Test | string {
  const wanted = amountOf(value);
  if (!wanted) return 'It needs a number, a date such as 2025-05-30, or a priority.';
  return {
    holds: ({ values, isList }) => {
      const found = isList ? undefined : amountOf(values[0]);
      return found?.kind === wanted.kind && holds(found.amount, wanted.amount);
    },
    wanted: `${says} ${told(value)}`,
  };
}

function sameMembers(words: readonly string[]): (fact: Fact) => boolean {
  return ({ words: found }) =>
    found.length === words.length && words.every((word) => found.includes(word)) && found.every((word) => words.includes(word));
}

/** The value or values as words; undefined when it is neither a plain value nor a list of them. */
function wordsOf(value: unknown): readonly string[] | undefined {
  const all = Array.isArray(value) ? value : [value];
  return all.length > 0 && all.every(isPlain) ? all.map(wordOf) : undefined;
}

function isPlain(value: unknown): boolean {
  return (typeof value === 'string' && value !== '') || typeof value === 'number' || typeof value === 'boolean';
}

function told(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
