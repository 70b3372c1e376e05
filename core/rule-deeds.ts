// What can be done with rules by call: look at them, see what they would say, change them.
import { fail, ScopecraftError } from './errors.ts';
import { oneAfterTheOther } from './in-turn.ts';
import type { Ledger } from './ledger.ts';
import { namedSession } from './named-session.ts';
import type { Clock, Settings, TaskStore } from './ports.ts';
import { effectsOf, type RuleEffect } from './rule-change.ts';
import { choose, namedRule, programOf, type RuleStartParts } from './rule-start.ts';
import { lacking, type Moment, type Reason, type Rule, type RuleChange, type RuleProblem } from './rules.ts';
import { isSettled, type Session } from './session.ts';
import { type Situation, sessionSituation, startSituation } from './situation.ts';
import { namedTask } from './start-task.ts';
import { openRequests } from './talk.ts';
import type { Task } from './task.ts';
import type { Chances } from './used-rule.ts';

export interface RuleDeedParts extends RuleStartParts {
  readonly ledger: Ledger;
  readonly tasks: TaskStore;
  readonly clock: Clock;
  readonly settings: Settings;
}

/** What the words are for: a task, a session, or both; usually the task of the session. */
export interface RuleTarget {
  readonly taskId?: string | undefined;
  readonly sessionId?: string | undefined;
  /** Default: `start` without a session, `continue` for a settled one, else `middle`. */
  readonly moment?: Moment | undefined;
  readonly args?: Readonly<Record<string, string>> | undefined;
}

export interface Preview {
  /** The rule that speaks; undefined where none fits. */
  readonly rule: Rule | undefined;
  /** What it says; empty where none fits. */
  readonly text: string;
  readonly moment: Moment;
  /** Rules that fit, the chosen one first. */
  readonly matches: readonly Rule[];
  readonly misses: readonly Rule[];
  readonly chances: Chances | undefined;
  readonly explain: (rule: Rule) => readonly Reason[];
}

export interface Suggestion {
  readonly ruleId: string;
  readonly name: string;
  /** What could be said to the session. */
  readonly prompt: string;
}

export interface RuleChanged {
  readonly rule: Rule | undefined;
  /** The file as it is now, or would be; undefined when it is removed. */
  readonly text: string | undefined;
  /** Tasks whose sessions would begin with something else. */
  readonly effects: readonly RuleEffect[];
  /** How many tasks were looked at. */
  readonly tasks: number;
}

export interface RuleDeeds {
  /** Reads the files again where they changed. */
  refresh(): Promise<void>;
  /** Every rule that could be read, by id. */
  list(): readonly Rule[];
  /** Files that were skipped, and where they are wrong. */
  problems(): readonly RuleProblem[];
  /** The text of a rule. Fails with RULE_NOT_FOUND, TASK_NOT_FOUND, SESSION_NOT_FOUND, INVALID_INPUT or PROMPT_TOO_LARGE. */
  render(request: RuleTarget & { readonly ruleId: string }): Promise<{ readonly rule: Rule; readonly text: string }>;
  /** The choice with its ranking; with `ruleId` that rule speaks. */
  preview(request: RuleTarget & { readonly ruleId?: string | undefined }): Promise<Preview>;
  /** At most three things that could be said to a session which stands idle, fails repeatedly or is near its budget; none while it asks. */
  suggestions(session: Session): Promise<readonly Suggestion[]>;
  /** Makes or changes the file of a rule, unless it is a dry run. Fails with RULE_INVALID, INVALID_INPUT or STORAGE_FAILED. */
  set(ruleId: string, change: RuleChange, options: { readonly dryRun: boolean }): Promise<RuleChanged>;
  /** Removes the file of a rule, unless it is a dry run. Fails with RULE_NOT_FOUND or INVALID_INPUT. */
  remove(ruleId: string, options: { readonly dryRun: boolean }): Promise<RuleChanged>;
  /** Calls back when rules changed; the returned function ends it. */
  onChange(listener: () => void): () => void;
}

const MOST_SUGGESTIONS = 3;

export function createRuleDeeds(parts: RuleDeedParts): RuleDeeds {
  const { ledger, tasks, rules, clock, settings } = parts;
  const facts = () => ({ ledger, now: clock.now(), budget: settings.current().budget });

  /** As a session on the task would begin of which nothing else is said. */
  const startOf = (task: Task | undefined) => startSituation(facts(), { task, ...programOf({}, settings) });
  const situationOf = async ({ taskId, sessionId, moment }: RuleTarget): Promise<Situation> => {
    const session = sessionId === undefined ? undefined : namedSession(ledger, sessionId);
    // of a session the file of its task may be gone
    const ofSession = async () => (session ? tasks.get(session.taskId) : undefined);
    const task = taskId === undefined ? await ofSession() : await namedTask(tasks, taskId);
    if (session) return sessionSituation(facts(), moment ?? (isSettled(session) ? 'continue' : 'middle'), session, task);
    return { ...startOf(task), moment: moment ?? 'start' };
  };
  const starts = async () => (await tasks.list()).map(startOf);
  const changed = async (rule: Rule | undefined, text: string | undefined, instead: readonly Rule[]): Promise<RuleChanged> => {
    const situations = await starts();
    return { rule, text, effects: effectsOf(rules, situations, instead), tasks: situations.length };
  };

  // a change is made of the file as the change before it left it
  const inTurn = oneAfterTheOther();

  return {
    refresh: () => rules.refresh(),
    list: () => rules.list(),
    problems: () => rules.problems(),
    onChange: (listener) => rules.onChange(listener),
    async render({ ruleId, args = {}, ...target }) {
      await rules.refresh();
      const rule = namedRule(rules, ruleId);
      return { rule, text: rules.render(rule, await situationOf(target), args) };
    },
    async preview({ ruleId, args = {}, ...target }) {
      await rules.refresh();
      const situation = await situationOf(target);
      const { matches, misses, chances } = choose(parts, situation, args, target.taskId ?? target.sessionId ?? '');
      const withoutArguments = rules.list().filter((one) => one.kind === 'prompt' && lacking(one, args).length > 0);
      const rule = ruleId === undefined ? matches[0] : namedRule(rules, ruleId);
      return {
        rule,
        text: rule ? rules.render(rule, situation, args) : '',
        moment: situation.moment,
        matches,
        misses: [...misses, ...withoutArguments],
        chances,
        explain: (one) => [...lacks(one, args), ...rules.explain(one, situation)],
      };
    },
    async suggestions(session) {
      // what is said to it now is not heard before it is answered, and may contradict the answer
      if (openRequests(session).length > 0) return [];
      const situation = sessionSituation(facts(), 'middle', session, undefined);
      if (!situation.session.signals?.length) return [];
      await rules.refresh();
      const task = await tasks.get(session.taskId).catch(() => undefined);
      const { matches } = choose({ rules }, { ...situation, task }, {}, '');
      return matches.slice(0, MOST_SUGGESTIONS).flatMap((rule) => {
        const prompt = unlessTooLarge(() => rules.render(rule, { ...situation, task }));
        return prompt === undefined ? [] : [{ ruleId: rule.id, name: rule.name, prompt }];
      });
    },
    set: (ruleId, change, { dryRun }) =>
      inTurn(async () => {
        await rules.refresh();
        const text = await rules.compose(ruleId, change);
        const rule = await rules.read(ruleId, text);
        const answer = await changed(rule, text, [...rules.list().filter(({ id }) => id !== ruleId), rule]);
        if (dryRun) return answer;
        return { ...answer, rule: await rules.write(ruleId, text) };
      }),
    remove: (ruleId, { dryRun }) =>
      inTurn(async () => {
        await rules.refresh();
        const before = namedRule(rules, ruleId);
        if (before.file === undefined)
          fail(
            'INVALID_INPUT',
            `Rule "${ruleId}" is built in and has no file to remove; rule_set with enabled=false turns it off.`,
          );
        const builtIn = rules.builtIn(ruleId);
        const others = rules.list().filter(({ id }) => id !== ruleId);
        const answer = await changed(builtIn, undefined, builtIn ? [...others, builtIn] : others);
        if (!dryRun) await rules.remove(ruleId);
        return answer;
      }),
  };
}

function lacks(rule: Rule, args: Readonly<Record<string, string>>): readonly Reason[] {
  const missing = lacking(rule, args);
  return missing.length === 0 ? [] : [{ holds: false, depth: 0, text: `it needs a value for ${missing.join(', ')}` }];
}

/** A suggestion that has no end is none; the session is shown without it. */
function unlessTooLarge(deed: () => string): string | undefined {
  try {
    return deed();
  } catch (error) {
    if (error instanceof ScopecraftError && error.code === 'PROMPT_TOO_LARGE') return undefined;
    throw error;
  }
}
