// The rules of a workspace: its own files over those that are built in, read again when they change.
import { MAX_PROMPT_BYTES } from '../core/config.ts';
import { fail, ScopecraftError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import type { RuleFileEntry, RuleFiles } from '../core/rule-ports.ts';
import type { Reason, Rule, RuleBook, RuleProblem } from '../core/rules.ts';
import type { Situation } from '../core/situation.ts';
import { BUILT_IN } from './built-in.ts';
import { factsOf } from './facts.ts';
import { MAX_RULE_BYTES } from './front-matter.ts';
import { loadPatterns, type PatternCompiler } from './pattern.ts';
import { namesTask, type ReadyRule, type RuleOutcome, readRule } from './rule-file.ts';
import { changedText } from './rule-text.ts';
import { selectRules } from './select.ts';
import { renderTemplate } from './template.ts';
import { variableValue } from './variables.ts';

export interface RuleBookParts {
  readonly files: RuleFiles;
  readonly clock: Clock;
  /** Told of faults that were survived. */
  readonly onError: (error: unknown) => void;
}

/** So many files are read; a folder with more is no folder of rules. */
const MAX_FILES = 2000;
/** How often files are looked at while somebody wants to be told of changes. */
const LOOK_EVERY_MS = 2000;
/** A task file and a template at their largest. */
const MAX_RENDERED = 1024 * 1024 + MAX_PROMPT_BYTES;

interface Library {
  readonly ready: ReadonlyMap<string, ReadyRule>;
  readonly rules: readonly Rule[];
  readonly problems: readonly RuleProblem[];
  /** Rule id -> name of its file. */
  readonly names: ReadonlyMap<string, string>;
  readonly stamp: string;
}

/** Opens the book; nothing is read before the first `refresh`, and until then only built-in rules are there. */
export function createRuleBook({ files, clock, onError }: RuleBookParts): RuleBook {
  const kept = new Map<string, { readonly stamp: string; readonly outcome: RuleOutcome }>();
  const listeners = new Set<() => void>();
  let known: Library | undefined;
  let reading: Promise<void> | undefined;
  let isLooking = false;

  /** Made when it is first needed: the start of a hub need not wait for it. */
  const library = () => {
    known ??= libraryOf(new Map(), '', files.folder);
    return known;
  };
  const readAgain = async () => {
    const entries = await files.list();
    const stamp = entries.map(({ name, stamp }) => `${name} ${stamp}`).join('\n');
    if (stamp === library().stamp) return;
    const outcomes = new Map<string, RuleOutcome>();
    for (const entry of entries.slice(0, MAX_FILES)) outcomes.set(entry.name, await outcomeOf(entry));
    for (const name of kept.keys()) if (!outcomes.has(name)) kept.delete(name);
    known = libraryOf(outcomes, stamp, files.folder);
    for (const listener of listeners) {
      try {
        listener();
      } catch (error) {
        onError(error);
      }
    }
  };
  const outcomeOf = async ({ name, stamp }: RuleFileEntry): Promise<RuleOutcome> => {
    const before = kept.get(name);
    if (before?.stamp === stamp) return before.outcome;
    const outcome = await readNamed(name);
    kept.set(name, { stamp, outcome });
    return outcome;
  };
  const readNamed = async (name: string): Promise<RuleOutcome> => {
    try {
      const text = await files.read(name, MAX_RULE_BYTES);
      return readRule(text, stemOf(name), `${files.folder}/${name}`, await compilerFor(text));
    } catch (error) {
      if (!(error instanceof ScopecraftError)) throw error;
      return { problems: [{ line: 1, column: 1, message: error.message }] };
    }
  };
  const refresh = () => {
    reading ??= readAgain().finally(() => {
      reading = undefined;
    });
    return reading;
  };
  /** One that began before a change may not have seen it. */
  const readAfresh = () => (reading ?? Promise.resolve()).catch(() => undefined).then(refresh);
  const look = () => {
    isLooking = listeners.size > 0;
    if (isLooking) clock.after(LOOK_EVERY_MS, () => void refresh().catch(onError).finally(look));
  };
  const readyOf = (rule: Rule) => {
    const found = library().ready.get(rule.id);
    return (
      (found?.rule === rule ? found : undefined) ??
      loose.get(rule) ??
      builtInRules().get(rule.id) ??
      fail('RULE_NOT_FOUND', `There is no rule "${rule.id}".`)
    );
  };
  /** Rules that were read from a text and lie in no file. */
  const loose = new WeakMap<Rule, ReadyRule>();

  return {
    refresh,
    list: () => library().rules,
    get: (id) => library().ready.get(id)?.rule,
    builtIn: (id) => builtInRules().get(id)?.rule,
    problems: () => library().problems,
    select: (situation, { learning, seed, instead } = {}) =>
      selectRules(instead ? instead.map(readyOf) : [...library().ready.values()], situation, { learning, seed }),
    explain: (rule, situation) => reasonsFor(readyOf(rule), situation),
    render: (rule, situation, args = {}) => rendered(readyOf(rule), situation, args),
    async read(id, text) {
      const outcome = readRule(text, id, `${files.folder}/${library().names.get(id) ?? `${id}.md`}`, await compilerFor(text));
      if ('problems' in outcome) return refused(id, outcome.problems);
      if (outcome.ready.rule.id !== id)
        return fail('INVALID_INPUT', `The text says "id: ${outcome.ready.rule.id}", and the call "${id}".`);
      loose.set(outcome.ready.rule, outcome.ready);
      return outcome.ready.rule;
    },
    async compose(id, change) {
      const name = library().names.get(id);
      const broken = library().problems.find(({ file }) => file === `${files.folder}/${id}.md`);
      if (name === undefined && broken && change.text === undefined)
        fail(
          'RULE_INVALID',
          `The file of rule "${id}" was skipped (line ${broken.line}: ${broken.message}); mend it, or give the whole file as "text".`,
        );
      const own = name === undefined ? undefined : await files.read(name, MAX_RULE_BYTES);
      return changedText(id, own ?? (Object.hasOwn(BUILT_IN, id) ? BUILT_IN[id] : undefined), change);
    },
    async write(id, text) {
      const rule = await this.read(id, text);
      await files.write(library().names.get(id) ?? `${id}.md`, text);
      await readAfresh();
      return library().ready.get(id)?.rule ?? rule;
    },
    async remove(id) {
      const name = library().names.get(id);
      if (name !== undefined) await files.remove(name);
      await readAfresh();
    },
    onChange(listener) {
      listeners.add(listener);
      if (!isLooking) look();
      return () => void listeners.delete(listener);
    },
  };
}

/** Two files with one id: the first by name counts. */
function libraryOf(outcomes: ReadonlyMap<string, RuleOutcome>, stamp: string, folder: string): Library {
  const ready = new Map(builtInRules());
  const names = new Map<string, string>();
  const problems: RuleProblem[] = [];
  for (const [name, outcome] of outcomes) {
    const file = `${folder}/${name}`;
    if ('problems' in outcome) problems.push(...outcome.problems.map((problem) => ({ file, ...problem })));
    else {
      const { id } = outcome.ready.rule;
      const other = names.get(id);
      if (other !== undefined)
        problems.push({ file, line: 1, column: 1, message: `Its id "${id}" is that of ${other} too; it is left out.` });
      else {
        names.set(id, name);
        ready.set(id, outcome.ready);
      }
    }
  }
  // in order of their ids, so that no choice has to sort them
  const sorted = new Map([...ready].sort(([a], [b]) => (a < b ? -1 : 1)));
  const rules = [...sorted.values()].map(({ rule }) => rule);
  return { ready: sorted, rules, problems, names, stamp };
}

let builtIn: ReadonlyMap<string, ReadyRule> | undefined;

function builtInRules(): ReadonlyMap<string, ReadyRule> {
  const none: PatternCompiler = () => ({ problem: 'Built-in rules have no patterns.' });
  builtIn ??= new Map(
    Object.entries(BUILT_IN).map(([stem, text]) => {
      const outcome = readRule(text, stem, undefined, none);
      if ('problems' in outcome) return fail('INTERNAL', `The built-in rule "${stem}" is wrong: ${outcome.problems[0]?.message}`);
      return [outcome.ready.rule.id, outcome.ready];
    }),
  );
  return builtIn;
}

const NO_PATTERNS: PatternCompiler = () => ({ problem: 'The pattern cannot be read.' });

async function compilerFor(text: string): Promise<PatternCompiler> {
  return text.includes('matches') ? loadPatterns() : NO_PATTERNS;
}

function reasonsFor({ rule, compiled }: ReadyRule, situation: Situation): readonly Reason[] {
  const also: Reason[] = [];
  if (!rule.enabled) also.push({ holds: false, depth: 0, text: 'it is not enabled' });
  if (rule.kind === 'session')
    also.push({ holds: false, depth: 0, text: 'it is a session template, used only where it is asked for' });
  else if (!rule.moments.includes(situation.moment))
    also.push({
      holds: false,
      depth: 0,
      text: `it speaks in the moment ${rule.moments.join(', ')}; this is ${situation.moment}`,
    });
  const reasons = compiled.explain(factsOf(situation));
  return reasons.length + also.length > 0 ? [...also, ...reasons] : [{ holds: true, depth: 0, text: 'it has no conditions' }];
}

function rendered(ready: ReadyRule, situation: Situation, args: Readonly<Record<string, string>>): string {
  const { rule } = ready;
  const known = rule.arguments.map(({ name }) => name);
  const strange = Object.keys(args).find((name) => !known.includes(name));
  if (strange !== undefined)
    fail(
      'INVALID_INPUT',
      `Rule "${rule.id}" takes no argument "${strange}".${known.length > 0 ? ` It takes: ${known.join(', ')}.` : ' It takes none.'}`,
    );
  const lacking = rule.arguments
    .filter(({ name, required }) => required && (args[name] ?? '').trim() === '')
    .map(({ name }) => name);
  if (lacking.length > 0) fail('INVALID_INPUT', `Rule "${rule.id}" needs a value for: ${lacking.join(', ')}.`);
  const text = renderTemplate(ready.parts, (name) => variableValue(situation, args, name), MAX_RENDERED);
  const { task, moment } = situation;
  const below =
    task && moment === 'start' && !namesTask(ready) ? `\n\n# ${task.title}\n\nTask id: ${task.id}\n\n${task.body.trim()}` : '';
  if (text === undefined || text.length + below.length > MAX_RENDERED)
    fail('PROMPT_TOO_LARGE', `What rule "${rule.id}" says would have more than ${MAX_RENDERED} characters.`);
  return `${text}${below}`.trim();
}

function refused(
  id: string,
  problems: readonly { readonly line: number; readonly column: number; readonly message: string }[],
): never {
  const told = problems.map(({ line, column, message }) => `Line ${line}, column ${column}: ${message}`);
  return fail('RULE_INVALID', `Rule "${id}" cannot be read. ${told.join(' ')}`, { problems });
}

function stemOf(name: string): string {
  return name.slice(0, -'.md'.length);
}
