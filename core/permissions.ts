// Which uses of tools are allowed or denied without asking: by the rules of the settings, or by what was answered for the rest of the session.
//
// A rule is the name of a tool, `*` standing for any text, and, in brackets, a pattern for what it works on: `Read`, `mcp__github__*`,
// `Bash(npm test*)`. What a tool works on is the first of these arguments it has: command, file_path, path, url, pattern, prompt; else its whole
// arguments as JSON. A rule that denies goes before one that allows. A shell command that holds more than one command (`;`, `&`, `|`, a line end,
// `$(`, a backtick, a redirection) is allowed only by a rule without a pattern or one that spells it out without `*`.
import type { Config } from './config.ts';
import type { Session } from './session.ts';
import type { RequestAnswer } from './talk.ts';

export interface ToolUse {
  readonly tool: string;
  readonly input: unknown;
}

const SUBJECTS = ['command', 'file_path', 'notebook_path', 'path', 'url', 'pattern', 'prompt'] as const;
const SEVERAL_COMMANDS = /[;&|\n\r`<>]|\$\(/;
const SHOWN_LENGTH = 300;

/** The answer that is known without asking, or undefined. */
export function decisionOf(
  use: ToolUse,
  { allow, deny }: Pick<Config['requests'], 'allow' | 'deny'>,
  session: Pick<Session, 'requests'>,
): RequestAnswer | undefined {
  const denying = deny.find((rule) => matchesRule(rule, use, false));
  if (denying !== undefined)
    return { decision: 'deny', text: `The rule "${denying}" of the settings denies it.`, by: 'the settings' };
  const before = session.requests?.findLast(({ tool, answer }) => tool === use.tool && answer?.remember === true)?.answer;
  if (before) return { decision: before.decision, text: before.text, by: before.by };
  const allowing = allow.find((rule) => matchesRule(rule, use, true));
  return allowing === undefined ? undefined : { decision: 'allow', by: 'the settings' };
}

/** What a tool would do, in a line: `Bash: npm test`. */
export function toolUseText(tool: string, input: unknown): string {
  const text = subjectOf(input).replace(/\s+/g, ' ').trim();
  return `${tool}: ${text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text}`;
}

function matchesRule(rule: string, { tool, input }: ToolUse, allows: boolean): boolean {
  const [, name = rule, pattern] = /^([^()]+)\((.*)\)$/s.exec(rule) ?? [];
  if (!matchesGlob(name, tool)) return false;
  if (pattern === undefined) return true;
  // the form that Claude Code uses for prefixes
  const glob = pattern.endsWith(':*') ? `${pattern.slice(0, -2)}*` : pattern;
  const subject = subjectOf(input);
  if (allows && tool === 'Bash' && glob.includes('*') && SEVERAL_COMMANDS.test(subject)) return false;
  return matchesGlob(glob, subject);
}

function subjectOf(input: unknown): string {
  if (typeof input !== 'object' || input === null) return typeof input === 'string' ? input : '';
  const fields: Readonly<Record<string, unknown>> = { ...input };
  for (const key of SUBJECTS) {
    const value = fields[key];
    if (typeof value === 'string') return value;
  }
  return JSON.stringify(input);
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
