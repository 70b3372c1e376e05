// The script of the built-in agent: the directives in what it is told, one a line, anywhere in it.
import { z } from 'zod';

export interface Directive {
  readonly verb: Verb;
  /** The rest of the line. */
  readonly rest: string;
}

interface Word {
  /** What stands behind it on its line. */
  readonly takes: string;
  readonly does: string;
}

/** What the built-in agent can be told. */
export const VERBS = {
  say: { takes: 'TEXT', does: 'says it; as the last line it is the result too' },
  sleep: { takes: 'MS', does: 'waits' },
  tool: {
    takes: 'Bash {"command":"…"}` or `@@tool Write {"file_path":"…","content":"…"}',
    does: 'really does it; `{{last}}` in a later line is what it answered',
  },
  mcp: {
    takes: 'TOOL {json}',
    does: 'calls a tool of the hub that runs it, such as `session_start`; `session_wait` until there is something to tell. `{{last.id}}` in a later line is a field of the answer',
  },
  permission: {
    takes: 'TOOL {json}',
    does: 'asks for the permission first, which `request_answer` gives, then does it as `@@tool`; where it is denied `{{last}}` says why',
  },
  question: {
    takes: 'TEXT` or `@@question {"question":"…","options":["…"]}',
    does: 'asks it through the hub and waits for the answer, which `request_answer` gives and `{{last.answer}}` is',
  },
  ask: { takes: 'QUESTION', does: 'says it and ends its turn with it; `session_prompt` goes on' },
  data: { takes: '{json}', does: 'ends its turn with this as structured data, for a session with a `resultSchema`' },
  fail: { takes: 'TEXT', does: 'ends with an error result and exit code 1' },
  exit: { takes: 'N', does: 'leaves at once with this exit code and no result' },
  hang: { takes: '', does: 'says nothing more and stays, until it is cancelled or its time is over' },
  stubborn: { takes: '', does: 'ignores INT and TERM from here on' },
  die: { takes: 'SIGNAL', does: 'is killed by it' },
  retry: { takes: 'STATUS', does: 'tells of a failed call to its model, with this HTTP status' },
  flood: { takes: 'N', does: 'says N lines' },
  cost: { takes: 'USD', does: 'what its result will say it cost' },
  fork: { takes: 'SECONDS', does: 'leaves a process behind that outlives it for so long' },
} as const satisfies Record<string, Word>;
export type Verb = keyof typeof VERBS;

const Verb = z.custom<Verb>((word) => typeof word === 'string' && Object.hasOwn(VERBS, word));

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
