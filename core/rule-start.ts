// What a start says and with which settings: the caller's own words first, then those of a session template, then those of the rule that fits.
import { fail, nearest } from './errors.ts';
import type { Ledger } from './ledger.ts';
import type { Clock, Settings, TaskStore } from './ports.ts';
import { lacking, problemOf, type Rule, type RuleBook, type RuleLearning } from './rules.ts';
import type { SessionDefaults } from './session-defaults.ts';
import { type Situation, startSituation } from './situation.ts';
import type { StartRequest } from './start.ts';
import type { Task } from './task.ts';
import type { UsedRule } from './used-rule.ts';

export interface RuleStartParts {
  readonly ledger: Ledger;
  readonly tasks: TaskStore;
  readonly rules: RuleBook;
  readonly clock: Clock;
  readonly settings: Settings;
  /** What is known of rules; undefined while nobody wants to learn. */
  readonly learning?: (() => RuleLearning | undefined) | undefined;
}

export interface Planned {
  /** The request with what template and rule set for it. */
  readonly request: StartRequest;
  /** What the session is told first; undefined: the default wording. */
  readonly prompt: string | undefined;
  /** The rule that it came from. */
  readonly rule: UsedRule | undefined;
}

/** So many session templates are named where there is none of the name that was given. */
const MOST_NAMED = 20;

/** Makes the plan of a start; `seed` is what a choice among equal rules is drawn with. Fails with RULE_NOT_FOUND, INVALID_INPUT or PROMPT_TOO_LARGE. */
export async function planStart(
  parts: RuleStartParts,
  asked: StartRequest,
  { task, parentId, seed }: { readonly task: Task | undefined; readonly parentId: string | undefined; readonly seed: string },
): Promise<Planned> {
  const { rules, ledger, clock, settings } = parts;
  if (asked.rule !== undefined && asked.prompt !== undefined)
    fail('INVALID_INPUT', 'Give either "prompt" or "rule": a prompt is said word for word.');
  await rules.refresh();
  const template = asked.template === undefined ? undefined : sessionTemplate(rules, asked.template);
  const request = template ? withDefaults(asked, template.defaults) : asked;
  if (request.prompt !== undefined) return { request, prompt: request.prompt, rule: undefined };

  const branch = typeof request.worktree === 'string' ? request.worktree : undefined;
  const facts = { task, parentId, branch, ...programOf(request, settings) };
  const situation = startSituation({ ledger, now: clock.now(), budget: settings.current().budget }, facts);
  const args = request.arguments ?? {};
  const say = (rule: Rule, chances?: UsedRule['chances']): Planned => ({
    request: withDefaults(request, rule.defaults),
    prompt: rules.render(rule, situation, args),
    rule: { id: rule.id, version: rule.version, chances },
  });
  if (request.rule !== undefined) return say(namedRule(rules, request.rule));
  if (template && template.template !== '') return say(template);
  if (!task) return { request, prompt: undefined, rule: undefined };
  const { matches, chances } = choose(parts, situation, args, seed);
  const [chosen] = matches;
  return chosen ? say(chosen, chances) : { request, prompt: undefined, rule: undefined };
}

/** The rules that fit and lack nothing, the chosen one first. */
export function choose(
  { rules, learning }: Pick<RuleStartParts, 'rules' | 'learning'>,
  situation: Situation,
  args: Readonly<Record<string, string>>,
  seed: string,
) {
  const instead = rules.list().filter((rule) => lacking(rule, args).length === 0);
  return rules.select(situation, { learning: learning?.(), seed, instead });
}

/** The agent and the type that a session gets where nothing else is said: what rules test as `session.agent` and `session.type`. */
export function programOf({ agent, type }: Pick<StartRequest, 'agent' | 'type'>, settings: Settings) {
  return { agent: agent ?? settings.current().defaultAgent, type: type ?? ('autonomous' as const) };
}

/** The rule with this id. Fails with RULE_NOT_FOUND, or with RULE_INVALID where its file was skipped. */
export function namedRule(rules: RuleBook, id: string): Rule {
  const found = rules.get(id);
  if (found) return found;
  const broken = problemOf(rules.problems(), id);
  if (broken)
    fail('RULE_INVALID', `The file of rule "${id}" was skipped: line ${broken.line}, column ${broken.column}: ${broken.message}`);
  const near = nearest(
    id,
    rules.list().map((rule) => rule.id),
  );
  return fail('RULE_NOT_FOUND', `There is no rule "${id}".${near ? ` Did you mean "${near}"?` : ''}`);
}

function sessionTemplate(rules: RuleBook, id: string): Rule {
  if (!rules.get(id) && !problemOf(rules.problems(), id)) noTemplate(rules, id);
  const rule = namedRule(rules, id);
  if (rule.kind !== 'session')
    fail('INVALID_INPUT', `Rule "${id}" is no session template: its file does not say "kind: session".`);
  return rule;
}

function noTemplate(rules: RuleBook, id: string): never {
  const ids = rules.list().flatMap((rule) => (rule.kind === 'session' ? [rule.id] : []));
  const near = nearest(id, ids);
  const others = ids.length === 0 ? 'This workspace has none.' : `There are: ${ids.slice(0, MOST_NAMED).join(', ')}.`;
  return fail('RULE_NOT_FOUND', `There is no session template "${id}". ${near ? `Did you mean "${near}"?` : others}`);
}

/** The request with the defaults where it says nothing itself. */
function withDefaults(request: StartRequest, { sessionPriority, ...defaults }: SessionDefaults): StartRequest {
  const wanted = { ...defaults, priority: sessionPriority };
  const said = Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
  return { ...request, ...wanted, ...said };
}
