// Which uses of tools are allowed or denied without asking: by the rules of the settings, or by what was answered for the rest of the session.
//
// A rule is the name of a tool, `*` standing for any text, and, in brackets, a pattern for what it works on: `Read`, `mcp__github__*`,
// `Bash(npm test*)`; `Bash(npm test:*)` is that command alone or with arguments. What the tools of Claude Code work on is known; of another tool it
// is each of these arguments that it has: command, file_path, notebook_path, path, url, pattern, prompt, else its whole arguments as JSON. A rule
// that denies goes before one that allows.
//
// A pattern never allows more than it shows. All that a tool works on must match it. A command line that may hold more than one command (`;`, `&`,
// `|`, a line end, a backtick, brackets, a redirection) and a path with `..` in it are allowed only by a rule without a pattern, or by one that
// spells them out without `*`. A rule that denies also looks at each command of the line, and at the path without its `..`.
import type { Config } from './config.ts';
import type { Session } from './session.ts';
import type { RequestAnswer } from './talk.ts';

export interface ToolUse {
  readonly tool: string;
  readonly input: unknown;
}

interface Subject {
  readonly key: string;
  readonly text: string;
}

const SUBJECTS = ['command', 'file_path', 'notebook_path', 'path', 'url', 'pattern', 'prompt'];
const PATHS = ['file_path', 'notebook_path', 'path'];
/** What a tool works on where that is known: another argument of such a name is none that it looks at. */
const KNOWN: Readonly<Record<string, string>> = {
  Bash: 'command',
  PowerShell: 'command',
  Read: 'file_path',
  Write: 'file_path',
  Edit: 'file_path',
  MultiEdit: 'file_path',
  NotebookEdit: 'notebook_path',
  WebFetch: 'url',
};
/** Tools of Claude Code of which it is known what they work on. */
export const KNOWN_TOOLS: readonly string[] = Object.keys(KNOWN);
const BETWEEN_COMMANDS = /[;&|\n\r`<>()]/;
const SHOWN_LENGTH = 300;

/** The answer that is known without asking, or undefined. */
export function decisionOf(
  use: ToolUse,
  { allow, deny }: Pick<Config['requests'], 'allow' | 'deny'>,
  session: Pick<Session, 'requests'>,
): RequestAnswer | undefined {
  const denying = deny.find((rule) => matchesRule(rule, use, denies));
  if (denying !== undefined)
    return { decision: 'deny', text: `The rule "${denying}" of the settings denies it.`, by: 'the settings' };
  const before = session.requests?.findLast(({ tool, answer }) => tool === use.tool && answer?.remember === true)?.answer;
  if (before) return { decision: before.decision, text: before.text, by: before.by };
  const allowing = allow.find((rule) => matchesRule(rule, use, allows));
  return allowing === undefined ? undefined : { decision: 'allow', by: 'the settings' };
}

/** What a tool would do, in a line: `Bash: npm test`; line ends are shown. */
export function toolUseText(tool: string, input: unknown): string {
  const [first, ...others] = subjectsOf({ tool, input });
  const text = others.length === 0 ? first.text : JSON.stringify(input ?? {});
  // cut before it is looked through: it may be very long
  const lines = text.slice(0, 4 * SHOWN_LENGTH).split('\n');
  const line = lines
    .map((each) => each.replace(/\s+/g, ' ').trim())
    .filter(Boolean)
    .join(' ⏎ ');
  return `${tool}: ${line.length > SHOWN_LENGTH || text.length > 4 * SHOWN_LENGTH ? `${line.slice(0, SHOWN_LENGTH)}…` : line}`;
}

/** The name of the tool in a rule, and the pattern for what it works on. */
export function ruleParts(rule: string): { readonly name: string; readonly pattern: string | undefined } {
  const [, name = rule, pattern] = /^([^()]+)\((.*)\)$/s.exec(rule) ?? [];
  return { name, pattern };
}

function matchesRule(rule: string, use: ToolUse, matches: (pattern: string, subjects: readonly Subject[]) => boolean): boolean {
  const { name, pattern } = ruleParts(rule);
  return matchesGlob(name, use.tool) && (pattern === undefined || matches(pattern, subjectsOf(use)));
}

function allows(pattern: string, subjects: readonly Subject[]): boolean {
  return subjects.every(({ key, text }) => {
    const command = key === 'command' && pattern.endsWith(':*') ? pattern.slice(0, -2) : undefined;
    const globs = command === undefined ? [pattern] : [command, `${command} *`];
    return globs.some((glob) => matchesGlob(glob, text) && !(glob.includes('*') && mayBeMore(key, text)));
  });
}

function denies(pattern: string, subjects: readonly Subject[]): boolean {
  return subjects.some(({ key, text }) => {
    const glob = key === 'command' && pattern.endsWith(':*') ? `${pattern.slice(0, -2)}*` : pattern;
    const commands = key === 'command' ? text.split(BETWEEN_COMMANDS).map((command) => command.trim()) : [];
    const paths = PATHS.includes(key) ? [plainPath(text)] : [];
    return [text, ...commands, ...paths].some((each) => matchesGlob(glob, each));
  });
}

/** True where a text that begins like an allowed one may do something else besides. */
function mayBeMore(key: string, text: string): boolean {
  if (key === 'command') return BETWEEN_COMMANDS.test(text);
  return PATHS.includes(key) && text.split('/').includes('..');
}

function plainPath(path: string): string {
  const kept: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') kept.pop();
    else if (part !== '.' && part !== '') kept.push(part);
  }
  return `${path.startsWith('/') ? '/' : ''}${kept.join('/')}`;
}

function subjectsOf({ tool, input }: ToolUse): readonly [Subject, ...Subject[]] {
  const fields: Readonly<Record<string, unknown>> = typeof input === 'object' && input !== null ? { ...input } : {};
  const known = Object.hasOwn(KNOWN, tool) ? KNOWN[tool] : undefined;
  const keys = known === undefined ? SUBJECTS : [known];
  const [first, ...others] = keys.flatMap((key) => {
    const text = fields[key];
    return typeof text === 'string' ? [{ key, text }] : [];
  });
  return first ? [first, ...others] : [{ key: '', text: JSON.stringify(input ?? {}) }];
}

/** `*` stands for any text, also none. Takes time proportional to both lengths. */
export function matchesGlob(glob: string, text: string): boolean {
  const parts = glob.split('*');
  const [first = '', ...rest] = parts;
  const last = rest.pop();
  if (last === undefined) return text === glob;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}
