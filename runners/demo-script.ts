// The script of the built-in agent: the directives in what it is told, one a line, anywhere in it.
import { z } from 'zod';

export interface Directive {
  readonly verb: Verb;
  /** The rest of the line. */
  readonly rest: string;
}

/** What the built-in agent can be told, and what each does. */
const VERBS = {
  say: 'TEXT: says it',
  sleep: 'MS: waits',
  tool: 'Bash {"command":"…"} or Write {"file_path":"…","content":"…"}: really does it',
  mcp: 'TOOL {json}: calls a tool of the hub that runs it; session_wait until there is something to tell',
  permission: 'TOOL {json}: asks for the permission first, then does it as `tool` or says why not',
  question: 'TEXT or {"question":"…","options":["…"]}: asks it through the hub and waits for the answer',
  ask: 'QUESTION: asks it and ends its turn',
  data: '{json}: ends its turn with this as structured data',
  fail: 'TEXT: ends with an error result and exit code 1',
  exit: 'N: leaves at once with this code and no result',
  hang: 'says nothing more and stays',
  stubborn: 'ignores INT and TERM from here on',
  die: 'SIGNAL: is killed by it',
  retry: 'STATUS: tells of a failed call to its model',
  flood: 'N: says N lines',
  cost: 'USD: what its result will say it cost',
  fork: 'SECONDS: leaves a process behind that outlives it',
} as const;
export type Verb = keyof typeof VERBS;

const Verb = z.enum(Object.keys(VERBS)).transform((verb) => z.custom<Verb>().parse(verb));

/** The directives of a prompt in order; lines with an unknown word are text. */
export function directivesIn(prompt: string): readonly Directive[] {
  return prompt.split('\n').flatMap((line) => {
    const [, word, rest] = /^\s*@@(\w+)[ \t]*(.*?)\s*$/.exec(line) ?? [];
    const verb = Verb.safeParse(word);
    return verb.success ? [{ verb: verb.data, rest: rest ?? '' }] : [];
  });
}

/**
 * The rest of a directive with `{{last}}` replaced by what the last tool answered, and `{{last.a.0.b}}` by a field of it where it is JSON.
 * In JSON a string is escaped between quotes, and any value may stand where none are. `{{!last}}` becomes `{{last}}`, for a nested script, and `{{!!last}}` becomes `{{!last}}`.
 */
export function filled({ verb, rest }: Directive, last: string): string {
  const isJson = ['tool', 'mcp', 'permission', 'data'].includes(verb) || (verb === 'question' && rest.startsWith('{'));
  return rest.replace(/\{\{(!*)last((?:\.[\w-]+)*)\}\}/g, (_, later: string, path: string, offset: number) => {
    if (later !== '') return `{{${later.slice(1)}last${path}}}`;
    const value = path === '' ? last : fieldOf(last, path.slice(1).split('.'));
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    if (!isJson) return text;
    return isBetweenQuotes(rest.slice(0, offset)) ? JSON.stringify(text).slice(1, -1) : JSON.stringify(value);
  });
}

/** The field of a JSON text at a path; an empty string where there is none. */
function fieldOf(json: string, path: readonly string[]): unknown {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return '';
  }
  for (const key of path)
    value = typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : '';
  return value;
}

function isBetweenQuotes(json: string): boolean {
  return (json.replace(/\\./g, '').match(/"/g)?.length ?? 0) % 2 === 1;
}
