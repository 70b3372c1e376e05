// What a condition finds when it looks at a field of a situation; each field is made ready once, however many rules look at it.
import { PRIORITIES, rankOf } from '../core/priority.ts';
import type { Situation } from '../core/situation.ts';

export interface Fact {
  /** The members of a list, or the one value; empty when the field is missing, empty or null. */
  readonly values: readonly unknown[];
  readonly isList: boolean;
  /** The same as words that can be compared, see `wordOf`. */
  readonly words: readonly string[];
  readonly texts: readonly string[];
}

export type Facts = (field: string) => Fact;

/** Names that can be tested and shown as `session.<name>` and `parent.<name>`. */
export const SESSION_FIELDS = [
  'id',
  'attempt',
  'status',
  'type',
  'agent',
  'endCause',
  'endText',
  'idleMs',
  'asks',
  'signals',
  'costUsd',
  'budgetShare',
  'turns',
] as const;
export const PARENT_FIELDS = ['id', 'status', 'taskId', 'title', 'agent'] as const;

const MISSING: Fact = { values: [], isList: false, words: [], texts: [] };

/** Reads fields of a situation, each once. */
export function factsOf(situation: Situation): Facts {
  const known = new Map<string, Fact>();
  return (field) => {
    const before = known.get(field);
    if (before) return before;
    const fact = factOf(valueAt(situation, field));
    known.set(field, fact);
    return fact;
  };
}

/** What stands in a field; undefined where there is nothing. */
export function valueAt(situation: Situation, field: string): unknown {
  const [group = '', ...rest] = field.split('.');
  if (rest.length === 0) {
    if (field === 'moment') return situation.moment;
    if (field === 'branch') return situation.branch;
    if (field === 'history') return situation.history;
  }
  if (group === 'session' && rest.length === 1) return own(situation.session, rest[0] ?? '');
  if (group === 'parent' && rest.length === 1) return situation.parent && own(situation.parent, rest[0] ?? '');
  return taskValue(situation, group === 'task' && rest.length > 0 ? rest : [group, ...rest]);
}

/** Words as people write them in several ways: `In Progress`, `in_progress` and a status with an emoji before it are one, and so are 1 and 1.0. */
export function wordOf(value: unknown): string {
  const text = String(value).trim();
  const amount = amountOf(text);
  if (amount && amount.kind !== 'priority') return `${amount.kind} ${amount.amount}`;
  const word = bare(text);
  return word === '' ? text : word;
}

function bare(text: string): string {
  return text.toLowerCase().replace(/[^\p{L}\p{N}+#.]+/gu, '');
}

/** A number that can be compared: a number, a date, or a priority such as `high`. */
export function amountOf(value: unknown): { readonly kind: 'number' | 'date' | 'priority'; readonly amount: number } | undefined {
  if (typeof value === 'number') return Number.isNaN(value) ? undefined : { kind: 'number', amount: value };
  if (value instanceof Date) return dated(value.getTime());
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  if (/^[-+]?\d{1,15}(?:\.\d{1,15})?$/.test(text)) return { kind: 'number', amount: Number(text) };
  if (/^\d{4}-\d{2}-\d{2}(?:[T ][\d:.]{4,12}(?:Z|[-+]\d{2}:?\d{2})?)?$/.test(text))
    return dated(Date.parse(text.replace(' ', 'T')));
  const word = bare(text);
  const priority = PRIORITIES.find((one) => one === word);
  return priority && { kind: 'priority', amount: rankOf(priority) };
}

function dated(amount: number): { readonly kind: 'date'; readonly amount: number } | undefined {
  return Number.isNaN(amount) ? undefined : { kind: 'date', amount };
}

function factOf(value: unknown): Fact {
  const isList = Array.isArray(value);
  const values = (isList ? value : [value]).filter(isThere).map(plain);
  if (values.length === 0) return MISSING;
  return { values, isList, words: values.map(wordOf), texts: values.map(String) };
}

/** Mappings are compared as the text they are written as in JSON. */
function plain(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'object' ? JSON.stringify(value) : value;
}

function isThere(value: unknown): boolean {
  return value !== undefined && value !== null && !(typeof value === 'string' && value.trim() === '');
}

function taskValue({ task }: Situation, path: readonly string[]): unknown {
  if (!task) return undefined;
  const [first = '', ...rest] = path[0] === 'fields' && path.length > 1 ? path.slice(1) : path;
  const whole = own(task.fields, [first, ...rest].join('.'));
  if (whole !== undefined) return whole;
  const found = rest.reduce<unknown>((value, name) => own(value, name), own(task.fields, first));
  if (found !== undefined || rest.length > 0 || path[0] === 'fields') return found;
  return first === 'id' || first === 'title' || first === 'body' || first === 'file' ? task[first] : undefined;
}

function own(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
}
