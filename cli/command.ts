// Commands derived from tools: `session_start` is `sc session start`, its input fields are its flags and arguments.
import type { ParseArgsConfig } from 'node:util';
import { z } from 'zod';
import { fail } from '../core/errors.ts';
import { ALIASES } from '../tools/aliases.ts';
import type { Tool } from '../tools/define.ts';
import { TOOLS, toolNamed } from '../tools/index.ts';
import { formatOf, OWN_OPTIONS, parsedArguments } from './arguments.ts';

/** One input field as a flag. */
export interface Flag {
  /** Name in the tool's input. */
  readonly field: string;
  /** Name on the command line, without dashes. */
  readonly flag: string;
  /** `either`: a text, or alone as a switch. */
  readonly kind: 'boolean' | 'number' | 'text' | 'either';
  readonly isList: boolean;
  readonly isRequired: boolean;
  readonly values: readonly string[] | undefined;
  readonly fallback: unknown;
  readonly description: string;
}

export interface Command {
  /** As it is typed, such as `session start`. */
  readonly words: readonly string[];
  readonly tool: Tool;
  readonly description: string;
  readonly flags: readonly Flag[];
}

/** A flag that is no argument of a tool. */
export interface OwnFlag {
  readonly type: 'string' | 'boolean';
  readonly says: string;
  /** The tools whose commands take it; without these every command does. */
  readonly of?: readonly string[];
}

const OWN_FLAGS: Readonly<Record<string, OwnFlag>> = {
  workspace: { type: 'string', says: 'Folder of the project. Default: found from here.' },
  format: { type: 'string', says: 'table (default) or json.' },
  help: { type: 'boolean', says: 'Explains the command.' },
  follow: {
    type: 'boolean',
    says: 'Shows what happens as it happens. Ctrl-C ends the following, and no session.',
    of: ['session_start', 'session_logs', 'event_list'],
  },
  print: { type: 'boolean', says: 'Only says the command, where it would be run in this terminal.', of: ['session_attach'] },
};

const Field = z.looseObject({
  type: z.string().optional(),
  enum: z.array(z.string()).optional(),
  anyOf: z.array(z.looseObject({ type: z.string().optional() })).default([]),
  items: z.looseObject({ type: z.string().optional(), enum: z.array(z.string()).optional() }).optional(),
  default: z.unknown().optional(),
  description: z.string().default(''),
});

/** Commands that wait as long as it takes, where one call of the tool waits for a bounded time, and what they do. */
const WITHOUT_LIMIT: Readonly<Record<string, string>> = {
  session_run:
    'Put a coding agent to work and wait until it has settled or asks something. Ctrl-C ends the waiting, not the session. For several sessions at once use session_start.',
  session_wait:
    'Wait until one of these sessions settles or asks something, and show its result. Ctrl-C ends the waiting, not the sessions.',
};
const MOST_SECONDS = {
  description: 'Longest time to wait; the session goes on after it. Default: as long as it takes.',
  fallback: undefined,
};

/** All commands, old names last. */
export const COMMANDS: readonly Command[] = [
  ...TOOLS.filter(({ toolset }) => toolset !== 'session').map((tool) => tool.name),
  ...ALIASES.map((alias) => alias.name),
].flatMap((name) => {
  const found = toolNamed(name);
  return found ? [commandOf(name.split('_'), found.tool)] : [];
});

/** Its flags are made where they are asked for: those of all commands took every start of `sc` 20 ms. */
function commandOf(words: readonly string[], tool: Tool): Command {
  return {
    words,
    tool,
    description: WITHOUT_LIMIT[tool.name] ?? tool.description,
    get flags() {
      return flagsOf(tool);
    },
  };
}

function flagsOf(tool: Tool): readonly Flag[] {
  const { properties = {}, required = [] } = z.toJSONSchema(tool.input, { io: 'input' });
  return Object.entries(properties).map(([field, schema]) => {
    const { type, enum: values, anyOf, items, default: fallback, description } = Field.parse(schema);
    const isList = type === 'array';
    const isEither = anyOf.some((one) => one.type === 'boolean');
    const kind = isEither ? 'either' : kindOf(isList ? items?.type : type);
    const flag = {
      field,
      flag: kebab(field),
      kind,
      isList,
      isRequired: required.includes(field),
      values: values ?? items?.enum,
      fallback,
      description,
    } as const;
    return field === 'timeoutSeconds' && tool.name in WITHOUT_LIMIT ? { ...flag, ...MOST_SECONDS } : flag;
  });
}

function kindOf(type: string | undefined): Flag['kind'] {
  if (type === 'integer' || type === 'number') return 'number';
  return type === 'boolean' ? 'boolean' : 'text';
}

/** How a command is typed, without its flags. */
export function usageOf({ words, tool, flags }: Command): string {
  const places = tool.positional.flatMap((field) => flags.filter((flag) => flag.field === field).map(placeOf));
  return ['sc', ...words, ...places].join(' ');
}

/** An argument without a flag, in the brackets that say whether it must be there. */
export function placeOf({ field, isList, isRequired }: Flag): string {
  const name = isList ? `${field}…` : field;
  return isRequired ? `<${name}>` : `[${name}]`;
}

/** A text for callers of tools in the words of the command line: `session_list` is `sc session list`. */
export function inCommands(text: string): string {
  return text.replace(/`?\b[a-z]+_[a-z]+\b`?/g, (word) => {
    const name = word.replaceAll('`', '');
    return COMMANDS.some(({ tool }) => tool.name === name) ? `\`sc ${name.replace('_', ' ')}\`` : word;
  });
}

/** The flags of the command of a tool that are no arguments of the tool. */
export function ownFlagsOf(tool: Tool): readonly (readonly [string, OwnFlag])[] {
  return Object.entries(OWN_FLAGS).filter(([, { of }]) => of === undefined || of.includes(tool.name));
}

export interface Parsed {
  readonly input: Readonly<Record<string, unknown>>;
  readonly workspace: string | undefined;
  readonly format: 'table' | 'json';
  readonly help: boolean;
  readonly follow: boolean;
  readonly print: boolean;
}

/** The input a command line means. Fails with INVALID_INPUT and says what is allowed. */
export function parseCommand(command: Command, args: readonly string[]): Parsed {
  const { tool, flags } = command;
  const options: NonNullable<ParseArgsConfig['options']> = {};
  for (const { flag, kind, isList } of flags)
    options[flag] = { type: kind === 'boolean' ? 'boolean' : 'string', multiple: isList };
  for (const [flag, { type }] of ownFlagsOf(tool)) options[flag] = flag === 'help' ? OWN_OPTIONS.help : { type };
  const either = flags.filter(({ kind }) => kind === 'either').map(({ flag }) => flag);
  const { values, positionals } = parsedArguments(spelledOut(args, either), options);
  const given: Record<string, unknown> = {};
  for (const flag of flags) {
    const value = values[flag.flag];
    if (value !== undefined)
      given[flag.field] = Array.isArray(value) ? value.flatMap((one) => listOf(flag, one)) : valueIn(flag, value);
  }
  const left = placePositionals(tool, flags, positionals, given);
  if (left !== undefined && !values.help) fail('INVALID_INPUT', tooMany(left, args, either));
  const missing = flags.find(
    (flag) => flag.isRequired && tool.positional.includes(flag.field) && given[flag.field] === undefined,
  );
  if (values.follow && tool.name === 'session_logs' && given.limit !== undefined)
    fail('INVALID_INPUT', '"--limit" does not go with "--follow", which shows all that comes; "--tail" says where it begins.');
  if (missing && !values.help) fail('INVALID_INPUT', `${placeOf(missing)} is missing. Usage: ${usageOf(command)} [options]`);
  return {
    input: given,
    workspace: textOf(values.workspace),
    format: formatOf(values.format),
    help: values.help === true,
    follow: values.follow === true,
    print: values.print === true,
  };
}

/** The arguments with switches that may have a value given one: what follows `--worktree` is never its branch, which `--worktree=…` names. */
function spelledOut(args: readonly string[], either: readonly string[]): readonly string[] {
  const end = args.indexOf('--');
  return args.map((arg, at) => {
    if (end !== -1 && at > end) return arg;
    if (arg.startsWith('--no-') && either.includes(arg.slice(5))) return `--${arg.slice(5)}=false`;
    return arg.startsWith('--') && either.includes(arg.slice(2)) ? `${arg}=true` : arg;
  });
}

/** Puts the arguments without a flag at their places; answers the first one that has none. */
function placePositionals(
  tool: Tool,
  flags: readonly Flag[],
  positionals: readonly string[],
  given: Record<string, unknown>,
): string | undefined {
  const rest = [...positionals];
  for (const field of tool.positional) {
    const flag = flags.find((one) => one.field === field);
    if (flag?.isList) {
      if (rest.length > 0) given[field] = [...(Array.isArray(given[field]) ? given[field] : []), ...rest.splice(0)];
    } else {
      const value = rest.shift();
      if (value !== undefined) given[field] = value;
    }
  }
  return rest[0];
}

/** That an argument has no place; where one follows a switch that may have a value, it was probably meant to be that. */
function tooMany(left: string, args: readonly string[], either: readonly string[]): string {
  const at = args.findIndex((arg, n) => arg.startsWith('--') && either.includes(arg.slice(2)) && !args[n + 1]?.startsWith('-'));
  const meant = at >= 0 && args[at + 1] !== undefined ? `did you mean ${args[at]}=${args[at + 1]}?` : undefined;
  return `"${left}" is one argument too many; ${meant ?? 'put texts with blanks in quotes.'}`;
}

function valueIn({ flag, kind }: Flag, value: string | boolean): unknown {
  if (kind !== 'number') return value;
  const number = Number(value);
  return value === '' || Number.isNaN(number) ? fail('INVALID_INPUT', `"--${flag}" must be a number, not "${value}".`) : number;
}

/** Words may be joined by commas; anything else, such as `path=["a","b"]`, is one value. */
function listOf(flag: Flag, value: string | boolean): unknown[] {
  const text = String(value);
  const parts = /^[\w.*:-]+(,[\w.*:-]+)*$/.test(text) ? text.split(',') : [text];
  return parts.map((one) => valueIn(flag, one));
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function kebab(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
