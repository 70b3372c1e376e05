// The variables of templates: which there are, and what each stands for in a situation.
import { nearest } from '../core/errors.ts';
import type { RuleArgument } from '../core/rules.ts';
import type { Situation } from '../core/situation.ts';
import { PARENT_FIELDS, SESSION_FIELDS, valueAt } from './facts.ts';

const TASK_FIELDS = ['id', 'title', 'body', 'file', 'status', 'type', 'area', 'assignee', 'priority', 'tags'] as const;

/** Every variable that is always there, besides `task.fields.<key>` and `args.<name>`. */
export const VARIABLES: readonly string[] = [
  ...TASK_FIELDS.map((name) => `task.${name}`),
  ...SESSION_FIELDS.map((name) => `session.${name}`),
  ...PARENT_FIELDS.map((name) => `parent.${name}`),
  'branch',
  'history',
  'moment',
];

/** What is wrong with the name of a variable, in a sentence; undefined when there is such a one. */
export function variableProblem(name: string, args: readonly RuleArgument[]): string | undefined {
  if (VARIABLES.includes(name) || /^task\.fields\.[\w.-]+$/.test(name)) return undefined;
  const given = args.map((arg) => `args.${arg.name}`);
  if (given.includes(name)) return undefined;
  const near = nearName(name, [...VARIABLES, ...given]);
  const advice = name.startsWith('args.')
    ? 'Name it under `arguments`.'
    : near
      ? `Did you mean {{${near}}}?`
      : name.startsWith('task.')
        ? `A key of your own is {{task.fields.${name.slice('task.'.length)}}}.`
        : 'docs/prompts.md lists the variables.';
  return `There is no variable {{${name.slice(0, 60)}}}. ${advice}`;
}

/** The nearest name of the same group: `task.tilte` is near to `task.title`, but `task.severity` to nothing. */
function nearName(name: string, known: readonly string[]): string | undefined {
  const group = name.slice(0, name.lastIndexOf('.') + 1);
  const near = nearest(
    name.slice(group.length),
    known.filter((one) => one.startsWith(group) && !one.slice(group.length).includes('.')).map((one) => one.slice(group.length)),
  );
  return near === undefined ? undefined : `${group}${near}`;
}

/** What a variable stands for, as text; empty where there is nothing. */
export function variableValue(situation: Situation, args: Readonly<Record<string, string>>, name: string): string {
  if (name.startsWith('args.')) {
    const arg = name.slice('args.'.length);
    return Object.hasOwn(args, arg) ? (args[arg] ?? '') : '';
  }
  return asText(valueAt(situation, name));
}

function asText(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) return value.map(asText).join(', ');
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'object' ? JSON.stringify(value) : String(value).trim();
}
