// The script of the built-in agent: the directives in its prompt, one a line, anywhere in it.
import { z } from 'zod';

export interface Directive {
  readonly verb: Verb;
  /** The rest of the line. */
  readonly rest: string;
}

/** What the built-in agent can be told, and what each does. */
export const VERBS = {
  say: 'TEXT: says it',
  sleep: 'MS: waits',
  tool: 'Bash {"command":"…"} or Write {"file_path":"…","content":"…"}: really does it',
  ask: 'QUESTION: asks it and ends',
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

/** The rest of a directive with `{{last}}` replaced by what the last tool answered; inside JSON it is escaped. */
export function filled({ verb, rest }: Directive, last: string): string {
  const text = verb === 'tool' ? JSON.stringify(last).slice(1, -1) : last;
  return rest.replaceAll('{{last}}', () => text);
}
