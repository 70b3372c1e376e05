// Situations and rules as tests need them, short to write.
import type { Rule } from '../../core/rules.ts';
import type { Situation } from '../../core/situation.ts';
import { loadPatterns, type PatternCompiler } from '../../prompts/pattern.ts';
import { type ReadyRule, readRule } from '../../prompts/rule-file.ts';

const patterns: PatternCompiler = await loadPatterns();

export interface SituationParts extends Partial<Omit<Situation, 'task' | 'session'>> {
  /** Front matter of the task. */
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly title?: string;
  readonly body?: string;
  readonly session?: Partial<Situation['session']>;
}

/** A situation at the start of a session on a task with this front matter. */
export function situationOf({
  fields = {},
  title = 'Fix the login',
  body = 'It is broken.',
  session,
  ...rest
}: SituationParts = {}): Situation {
  return {
    moment: 'start',
    task: { id: 'fix-login', file: '/w/.tasks/fix-login.task.md', title, fields, body },
    session: { attempt: 1, ...session },
    parent: undefined,
    branch: undefined,
    history: '',
    ...rest,
  };
}

/** The rule that a text is. Throws with every problem when it is none. */
export function ruleIn(text: string, id = 'a-rule'): ReadyRule {
  const outcome = readRule(text, id, `.scopecraft/prompts/${id}.md`, patterns);
  if ('problems' in outcome)
    throw new Error(outcome.problems.map(({ line, column, message }) => `${line}:${column} ${message}`).join('\n'));
  return outcome.ready;
}

/** What is wrong with a text, as `line:column message`. */
export function problemsIn(text: string, id = 'a-rule'): readonly string[] {
  const outcome = readRule(text, id, undefined, patterns);
  return 'problems' in outcome ? outcome.problems.map(({ line, column, message }) => `${line}:${column} ${message}`) : [];
}

/** A rule with these conditions, as JSON would have them. */
export function ruleWith(conditions: unknown, fields: Partial<Pick<Rule, 'id' | 'priority' | 'enabled'>> = {}): ReadyRule {
  return ruleIn(`---\n${JSON.stringify({ conditions, ...fields })}\n---\nSay something.\n`);
}
