// What people and agents are offered to begin a conversation with: four prompts that every workspace has, and one for each enabled rule. MCP
// clients show them as slash commands; the tool prompt_get gives the same to models.
import type { Completes } from './completions.ts';
import { fail, nearest } from './errors.ts';
import { continueText, delegateText, reviewText, startText } from './guides.ts';
import type { Orchestrator } from './orchestrator.ts';
import type { Rule } from './rules.ts';

export interface OfferArgument {
  readonly name: string;
  readonly description: string;
  readonly required: boolean;
  /** What its values are, where they can be completed. */
  readonly completes?: Completes | undefined;
}

export type OfferArguments = Readonly<Record<string, string>>;

export interface Offer {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly arguments: readonly OfferArgument[];
  /** What it says. The arguments are checked. */
  readonly text: (args: OfferArguments, orchestrator: Orchestrator) => Promise<string>;
}

const task = { name: 'taskId', description: 'Task, as task_list gives it.', completes: 'task' } as const;
const session = { name: 'sessionId', description: 'Session, as session_list gives it.', completes: 'session' } as const;

const GUIDES: readonly Offer[] = [
  {
    name: 'continue_session',
    title: 'Continue a session',
    description: 'Look how a session stands, answer what it asks, and say to it what gets it on.',
    arguments: [
      { ...session, required: true },
      { name: 'message', description: 'What to say to it. Default: what the rules suggest.', required: false },
    ],
    text: async ({ sessionId = '', message }, orchestrator) => continueText(orchestrator, sessionId, message),
  },
  {
    name: 'delegate',
    title: 'Delegate a goal',
    description: 'Reach a goal by putting several agents to work: cut it, start them, wait, check, report.',
    arguments: [{ name: 'goal', description: 'What is to be reached. Default: what was said before.', required: false }],
    text: async ({ goal }, orchestrator) => delegateText(orchestrator, goal),
  },
  {
    name: 'review_session',
    title: 'Review a session',
    description: 'Check the work of a session against its task, change nothing, end with findings and a verdict.',
    arguments: [{ ...session, required: true }],
    text: async ({ sessionId = '' }, orchestrator) => reviewText(orchestrator, sessionId),
  },
  {
    name: 'start_task',
    title: 'Start a task',
    description: 'Put an agent to work on a task, see it through and report.',
    arguments: [
      { ...task, required: true },
      {
        name: 'rule',
        description: 'Rule that says what the agent is told. Default: the one that fits.',
        required: false,
        completes: 'rule',
      },
    ],
    text: async ({ taskId = '', rule }, orchestrator) => startText(orchestrator, taskId, rule),
  },
];

/** Everything that is offered, by name; without a workspace the four that are always there. */
export async function offers(orchestrator: Orchestrator | undefined): Promise<readonly Offer[]> {
  await orchestrator?.rules.refresh();
  const taken = new Set(GUIDES.map(({ name }) => name));
  const ofRules = (orchestrator?.rules.list() ?? [])
    .filter(({ id, enabled, template }) => enabled && template.trim() !== '' && !taken.has(id))
    .map(offerOf);
  return [...GUIDES, ...ofRules].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The offer of this name. Fails with RULE_NOT_FOUND. */
export function offerNamed(all: readonly Offer[], name: string): Offer {
  const found = all.find((offer) => offer.name === name);
  if (found) return found;
  const names = all.map((offer) => offer.name);
  const near = nearest(name, names);
  return fail('RULE_NOT_FOUND', `There is no prompt "${name}".${near ? ` Did you mean "${near}"?` : ''}`);
}

/** What the offer says. Fails with INVALID_INPUT on arguments that it does not know or lacks, and as its text does. */
export async function sayOffer(offer: Offer, args: OfferArguments, orchestrator: Orchestrator): Promise<string> {
  const known = offer.arguments.map(({ name }) => name);
  const strange = Object.keys(args).find((name) => !known.includes(name));
  if (strange !== undefined)
    fail('INVALID_INPUT', `The prompt "${offer.name}" has no argument "${strange}". It has: ${known.join(', ') || 'none'}.`);
  // clients send an empty text for what was left out
  const given = Object.fromEntries(Object.entries(args).filter(([, value]) => value.trim() !== ''));
  const missing = offer.arguments.find(({ name, required }) => required && given[name] === undefined);
  if (missing) fail('INVALID_INPUT', `The prompt "${offer.name}" needs the argument "${missing.name}": ${missing.description}`);
  return offer.text(given, orchestrator);
}

function offerOf({ id, name, description, moments, arguments: own }: Rule): Offer {
  const isStart = moments.includes('start');
  const isLater = moments.some((moment) => moment !== 'start');
  const targets: readonly OfferArgument[] = [
    ...(isStart ? [{ ...task, required: !isLater }] : []),
    ...(isLater ? [{ ...session, required: !isStart }] : []),
  ];
  const names = targets.map((target) => target.name);
  return {
    name: id,
    title: name,
    description: description ?? `What the rule "${id}" says.`,
    arguments: [
      ...targets,
      ...own
        .filter((argument) => !names.includes(argument.name))
        .map(({ name, description, required }) => ({ name, required, description: description ?? `For {{args.${name}}}.` })),
    ],
    async text({ taskId, sessionId, ...rest }, orchestrator) {
      // a caller that is a session sees its own tree alone
      if (sessionId !== undefined) orchestrator.get(sessionId);
      const known = { taskId, sessionId };
      const args = Object.fromEntries(
        own.flatMap(({ name }) => {
          const value = name === 'taskId' || name === 'sessionId' ? known[name] : rest[name];
          return value === undefined ? [] : [[name, value] as const];
        }),
      );
      // a rule with one moment speaks in that one, however the session stands
      const moment = moments.length === 1 ? moments[0] : undefined;
      return (await orchestrator.rules.render({ ruleId: id, taskId, sessionId, moment, args })).text;
    },
  };
}
