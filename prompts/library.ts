// The rules of a workspace: its own files over those that are built in, read again when they change.
import { fail, ScopecraftError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import type { RuleFileEntry, RuleFiles } from '../core/rule-ports.ts';
import { problemOf, type Rule, type RuleBook, type RuleProblem } from '../core/rules.ts';
import { BUILT_IN } from './built-in.ts';
import { MAX_RULE_BYTES } from './front-matter.ts';
import { isJsonForm } from './json-rule.ts';
import { loadPatterns, type PatternCompiler } from './pattern.ts';
import { type ReadyRule, type RuleOutcome, readRule } from './rule-file.ts';
import { changedJson, changedText, checkChange } from './rule-text.ts';
import { builtInRules, type Library, libraryOf } from './rules-by-id.ts';
import { reasonsFor, rendered } from './say.ts';
import { selectRules } from './select.ts';

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
/** What is known of the folder while it, or a file in it, could not be read this time: it is never the same as what is found next. */
const UNSURE = 'unsure';

/** Opens the book; nothing is read before the first `refresh`, and until then only built-in rules are there. */
export function createRuleBook({ files, clock, onError }: RuleBookParts): RuleBook {
  const kept = new Map<string, { readonly stamp: string; readonly outcome: RuleOutcome }>();
  const listeners = new Set<() => void>();
  let known: Library | undefined;
  let reading: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  let isLooking = false;

  /** Made when it is first needed: the start of a hub need not wait for it. */
  const library = () => {
    known ??= libraryOf(new Map(), '', files.folder);
    return known;
  };
  const readAgain = async () => {
    const entries = await files.list().catch(asProblem);
    // rules that were read stay in force while their folder cannot be looked at
    if (entries instanceof ScopecraftError) {
      known = { ...library(), problems: [inFolder(entries.message)], stamp: UNSURE };
      return;
    }
    const stamp = entries.map(({ name, stamp }) => `${name} ${stamp}`).join('\n');
    if (stamp === library().stamp) return;
    const outcomes = new Map<string, RuleOutcome>();
    for (const entry of entries.slice(0, MAX_FILES)) outcomes.set(entry.name, await outcomeOf(entry));
    for (const name of kept.keys()) if (!outcomes.has(name)) kept.delete(name);
    const isSure = kept.size === outcomes.size;
    const others =
      entries.length > MAX_FILES
        ? [inFolder(`It has ${entries.length} rule files; the first ${MAX_FILES} by name are read, the others are left out.`)]
        : [];
    known = libraryOf(outcomes, isSure ? stamp : UNSURE, files.folder, others);
    for (const listener of listeners) {
      try {
        listener();
      } catch (error) {
        onError(error);
      }
    }
  };
  const inFolder = (message: string): RuleProblem => ({ file: files.folder, line: 1, column: 1, message });
  const outcomeOf = async ({ name, stamp }: RuleFileEntry): Promise<RuleOutcome> => {
    const before = kept.get(name);
    if (before?.stamp === stamp) return before.outcome;
    kept.delete(name);
    const text = await files.read(name, MAX_RULE_BYTES).catch(asProblem);
    if (text instanceof ScopecraftError) {
      const outcome = { problems: [{ line: 1, column: 1, message: text.message }] };
      if (text.code !== 'STORAGE_FAILED') kept.set(name, { stamp, outcome });
      return outcome;
    }
    const outcome = readRule(text, stemOf(name), `${files.folder}/${name}`, await compilerFor(text));
    kept.set(name, { stamp, outcome });
    return outcome;
  };
  const read = () => {
    reading = readAgain().finally(() => {
      reading = undefined;
    });
    return reading;
  };
  /** A reading that is under way may not have seen what changed just now: whoever asks then waits for the one after it. */
  const refresh = (): Promise<void> => {
    if (!reading) return read();
    next ??= reading
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        return read();
      });
    return next;
  };
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
  /** The file that a rule lies in, or would be written to. Fails where that name is another rule's. */
  const nameOf = (id: string): string => {
    const { names, problems } = library();
    const broken = problemOf(problems, id)?.file.slice(files.folder.length + 1);
    const name = names.get(id) ?? broken ?? `${id}.md`;
    const [other] = [...names].find(([one, its]) => its === name && one !== id) ?? [];
    if (other !== undefined)
      fail('INVALID_INPUT', `The file ${name} holds rule "${other}"; rename that file, or choose another id than "${id}".`);
    return name;
  };

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
      const ready = readyIn(id, text, `${files.folder}/${nameOf(id)}`, await compilerFor(text));
      loose.set(ready.rule, ready);
      return ready.rule;
    },
    async compose(id, change) {
      checkChange(change);
      const name = nameOf(id);
      const isThere = library().names.has(id);
      const broken = isThere ? undefined : problemOf(library().problems, id);
      if (broken && change.text === undefined)
        fail(
          'RULE_INVALID',
          `The file of rule "${id}" was skipped (line ${broken.line}: ${broken.message}); mend it, or give the whole file as "text".`,
        );
      const own = isThere ? await files.read(name, MAX_RULE_BYTES) : undefined;
      if (name.endsWith('.json')) return changedJson(id, own, change);
      // told by the lines that the caller wrote, not by those that are made of them
      if (change.text !== undefined && isJsonForm(change.text))
        readyIn(id, change.text, `${id}.json`, await compilerFor(change.text));
      return changedText(id, own ?? (Object.hasOwn(BUILT_IN, id) ? BUILT_IN[id] : undefined), change);
    },
    async write(id, text) {
      const rule = await this.read(id, text);
      await files.write(nameOf(id), text);
      await refresh();
      return library().ready.get(id)?.rule ?? rule;
    },
    async remove(id) {
      const name = library().names.get(id);
      if (name !== undefined) await files.remove(name);
      await refresh();
    },
    onChange(listener) {
      listeners.add(listener);
      if (!isLooking) look();
      return () => void listeners.delete(listener);
    },
  };
}

const NO_PATTERNS: PatternCompiler = () => ({ problem: 'The pattern cannot be read.' });

async function compilerFor(text: string): Promise<PatternCompiler> {
  return text.includes('matches') ? loadPatterns() : NO_PATTERNS;
}

/** The rule of a text that is to be in this file. Fails with RULE_INVALID, or INVALID_INPUT where it names another id. */
function readyIn(id: string, text: string, file: string, compile: PatternCompiler): ReadyRule {
  const outcome = readRule(text, id, file, compile);
  if ('problems' in outcome) {
    const told = outcome.problems.map(({ line, column, message }) => `Line ${line}, column ${column}: ${message}`);
    return fail('RULE_INVALID', `Rule "${id}" cannot be read. ${told.join(' ')}`, { problems: outcome.problems });
  }
  const named = outcome.ready.rule.id;
  return named === id ? outcome.ready : fail('INVALID_INPUT', `The text says "id: ${named}", and the call "${id}".`);
}

function asProblem(error: unknown): ScopecraftError {
  if (error instanceof ScopecraftError) return error;
  throw error;
}

function stemOf(name: string): string {
  return name.replace(/\.(?:md|json)$/, '');
}
