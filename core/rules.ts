// Prompt rules as the core knows them: what a rule is, in which moment it may speak, and the port of the book that keeps and weighs them.

import type { SessionDefaults } from './session-defaults.ts';
import type { Situation } from './situation.ts';
import type { Chances } from './used-rule.ts';

/** When a rule may speak: to a session that starts, to one at work, to one that goes on, and to one that looks at the work of another. */
export const MOMENTS = ['start', 'middle', 'continue', 'review'] as const;
export type Moment = (typeof MOMENTS)[number];

/** `prompt`: chosen by its conditions. `session`: a named set of defaults, used where it is asked for. */
export const RULE_KINDS = ['prompt', 'session'] as const;
export type RuleKind = (typeof RULE_KINDS)[number];

export const OPERATORS = ['equals', 'contains', 'in', 'not_in', 'matches', 'exists', 'gt', 'lt'] as const;
export type Operator = (typeof OPERATORS)[number];

export type Condition =
  | { readonly field: string; readonly operator: Operator; readonly value: unknown }
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] }
  | { readonly not: Condition };

/** Something a caller may give for a template, used in it as `{{args.<name>}}`. */
export interface RuleArgument {
  readonly name: string;
  readonly description?: string | undefined;
  readonly required: boolean;
}

export interface Rule {
  readonly id: string;
  readonly name: string;
  readonly description?: string | undefined;
  readonly kind: RuleKind;
  readonly enabled: boolean;
  readonly moments: readonly Moment[];
  /** Higher goes first. */
  readonly priority: number;
  /** How many conditions must hold at least. */
  readonly specificity: number;
  readonly condition: Condition;
  /** What it says, with `{{variables}}`. */
  readonly template: string;
  readonly arguments: readonly RuleArgument[];
  readonly defaults: SessionDefaults;
  /** Hash of what it says and of its defaults: another one when somebody edits them. */
  readonly version: string;
  /** Path below the workspace; undefined for a rule that is built in. */
  readonly file: string | undefined;
  /** What its author should know, such as keys that are not applied. */
  readonly notes: readonly string[];
}

/** Names of the arguments that the rule needs and that nobody gave: such a rule is not chosen. */
export function lacking(rule: Rule, args: Readonly<Record<string, string>>): readonly string[] {
  return rule.arguments.filter(({ name, required }) => required && (args[name] ?? '').trim() === '').map(({ name }) => name);
}

/** A rule file that was skipped, and where it is wrong. Lines and columns begin with 1. */
export interface RuleProblem {
  /** Path below the workspace. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** The first problem of the skipped file that is named after this rule, if there is one. */
export function problemOf(problems: readonly RuleProblem[], id: string): RuleProblem | undefined {
  return problems.find(({ file }) => [`/${id}.md`, `/${id}.json`].some((end) => file.endsWith(end)));
}

/** How one condition stands, in words. */
export interface Reason {
  readonly holds: boolean;
  /** How deep it lies within `all`, `any` and `not`; 0 is the outermost. */
  readonly depth: number;
  readonly text: string;
}

/** What is to be changed in the file of a rule; what is not named stays as it is. */
export interface RuleChange {
  /** The whole file: Markdown with front matter, or the JSON form of a rule. A rule that lies in a JSON file takes that form alone. */
  readonly text?: string | undefined;
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly enabled?: boolean | undefined;
  readonly priority?: number | undefined;
  readonly kind?: RuleKind | undefined;
  readonly moments?: readonly Moment[] | undefined;
  /** Conditions as JSON, as a file would have them. */
  readonly conditions?: string | undefined;
  readonly template?: string | undefined;
}

/** What experience says of rules. */
export interface RuleLearning {
  /** From 0 to 1; undefined while nothing is known. */
  success(ruleId: string, version: string): number | undefined;
  /** Draws one of rules that are equal in priority and specificity. */
  choose(
    candidates: readonly { readonly id: string; readonly version: string }[],
    seed: string,
  ): { readonly index: number; readonly chances: Chances };
}

export interface Selection {
  /** Rules that match, the chosen one first: by priority, specificity, learned success, id. */
  readonly matches: readonly Rule[];
  /** Rules that do not: other conditions, another moment, or not enabled. */
  readonly misses: readonly Rule[];
  /** Where chance had a part in the choice of the first. */
  readonly chances: Chances | undefined;
}

/** The rules of a workspace. */
export interface RuleBook {
  /** Reads the files again where they changed. */
  refresh(): Promise<void>;
  /** Every rule that could be read, by id; the workspace's own in place of built-in ones of the same id. */
  list(): readonly Rule[];
  get(id: string): Rule | undefined;
  /** The built-in rule of this id, also where the workspace has its own. */
  builtIn(id: string): Rule | undefined;
  /** Files that were skipped, by name. */
  problems(): readonly RuleProblem[];
  /** Weighs every rule of kind `prompt` for the situation. `instead` are rules as they would be; usually those of `list`. */
  select(
    situation: Situation,
    options?: {
      readonly learning?: RuleLearning | undefined;
      readonly seed?: string | undefined;
      readonly instead?: readonly Rule[] | undefined;
    },
  ): Selection;
  /** Why a rule matches or does not, condition by condition. */
  explain(rule: Rule, situation: Situation): readonly Reason[];
  /** The text of a rule. Fails with INVALID_INPUT on arguments it does not know or lacks, with PROMPT_TOO_LARGE on a text without end. */
  render(rule: Rule, situation: Situation, args?: Readonly<Record<string, string>>): string;
  /** Reads one rule from a text as its file would have it. Fails with RULE_INVALID. */
  read(id: string, text: string): Promise<Rule>;
  /** The text that the file of a rule would have after a change. Fails with INVALID_INPUT or RULE_INVALID. */
  compose(id: string, change: RuleChange): Promise<string>;
  /** Writes the file of a rule. Fails with RULE_INVALID, INVALID_INPUT or STORAGE_FAILED. */
  write(id: string, text: string): Promise<Rule>;
  /** Removes the file of a rule. Fails with STORAGE_FAILED. */
  remove(id: string): Promise<void>;
  /** Calls back when rules changed; the returned function ends it. Files are looked at every few seconds while somebody listens. */
  onChange(listener: () => void): () => void;
}
