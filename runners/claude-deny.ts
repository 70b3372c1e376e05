// The rules of the settings that deny, as Claude Code takes them: so they hold too where it does not ask.
//
// A rule for a tool means the same there, `*` included, and one with a pattern for a command too. A pattern for a file is another there: its `*`
// ends at a slash, it begins with two slashes where it is absolute, and `Edit` stands for all tools that write. A pattern for anything else
// cannot be said; such a rule holds where Claude Code asks. A closing bracket ends a rule there, so in a pattern any text stands for it.
import { KNOWN_TOOLS, matchesGlob, ruleParts } from '../core/permissions.ts';

const COMMANDS = ['Bash', 'PowerShell'];
const READER = 'Read';
const WRITER = 'Edit';
const WRITERS = ['Write', WRITER, 'MultiEdit', 'NotebookEdit'];
const DEEPER = '*/**/*';
/** With more of them in one pattern, whatever begins like it is denied. */
const MOST_STARS = 5;

/** The arguments of Claude Code that deny what these rules deny: one for each, so that an odd one cannot swallow the next. */
export function denyArguments(rules: readonly string[] = []): readonly string[] {
  return [...new Set(rules.flatMap(claudeRules))].map((rule) => `--disallowedTools=${rule}`);
}

function claudeRules(rule: string): readonly string[] {
  const { name, pattern } = ruleParts(rule);
  if (pattern === undefined) return /^[\w*-]+$/.test(name) ? [name] : [];
  return KNOWN_TOOLS.filter((tool) => matchesGlob(name, tool)).flatMap((tool) => {
    if (COMMANDS.includes(tool)) return [`${tool}(${commandPattern(pattern)})`];
    const tools = tool === READER ? READER : WRITERS.includes(tool) ? WRITER : undefined;
    return tools === undefined ? [] : filePatterns(pattern).map((one) => `${tools}(${one})`);
  });
}

function commandPattern(pattern: string): string {
  // `:*` means any text to us, and there only where a word ends
  return pattern.replace(/:\*$/, '*').replaceAll(')', '*');
}

/** What matches the files that the pattern matches, where `*` stands for any text. */
function filePatterns(pattern: string): readonly string[] {
  const rooted = pattern.startsWith('*') ? `//**/${pattern}` : pattern.startsWith('/') ? `/${pattern}` : pattern;
  const escaped = rooted.replace(/[[\]?\\]/g, '\\$&').replaceAll(')', '?');
  // within a name two stars are no more than one there
  const parts = escaped.replace(/(?<=[^/])\*\*+|\*\*+(?=[^/])/g, '*').split(/(?<!\*)\*(?![*]|$|\/\*\*)/);
  // what lies below a folder that matches is denied with it, so a star at the end reaches deep enough
  if (parts.length > MOST_STARS) return [`${parts[0]}*`, `${parts[0]}${DEEPER}`];
  return parts
    .slice(1)
    .reduce<string[]>((heads, part) => heads.flatMap((head) => [`${head}*${part}`, `${head}${DEEPER}${part}`]), [parts[0] ?? '']);
}
