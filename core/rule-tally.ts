// What came of the sessions that a rule's prompt began, added up as it happens: it stays when the sessions are cleaned up.
//
// A session counts for its rule once, by how it settled the first time: what it does after somebody prompted it anew says nothing about the
// prompt it began with. Successes and failures fade with time, by half in 30 days, so that what a rule does nowadays weighs more than what it
// did a year ago; the counts do not fade.
import { z } from 'zod';
import { EndCause } from './ending.ts';
import type { StoredEvent } from './events.ts';
import type { Session } from './session.ts';
import { spentOf } from './spent.ts';
import type { UsedRule } from './used-rule.ts';

const HALF_LIFE_MS = 30 * 86_400_000;
/** The newest so many sessions tell the usual cost, duration and turns. */
const SAMPLES = 50;

const count = z.number().int();
export const RuleTally = z.object({
  id: z.string(),
  version: z.string(),
  /** When it was used first, and when something last happened to it, in milliseconds since the epoch. */
  since: z.number(),
  at: z.number(),
  /** Sessions that began with it, and the runs they had. */
  sessions: count,
  runs: count,
  /** How the sessions settled: how many, by the kind of their end cause. */
  ends: z.partialRecord(EndCause.shape.kind, count),
  /** What people did: prompts after the first one, answers to requests, and in how many sessions. */
  prompts: count,
  answers: count,
  touched: count,
  /** What the newest sessions took that settled: US dollars, milliseconds, and turns of the agent, each over all runs. */
  costsUsd: z.array(z.number()).readonly(),
  durationsMs: z.array(z.number()).readonly(),
  turns: z.array(count).readonly(),
  /** Successes and failures as they weighed at `fadedAt`. */
  good: z.number(),
  bad: z.number(),
  fadedAt: z.number(),
});
export type RuleTally = z.infer<typeof RuleTally>;

/** What an end says about the prompt; nothing where somebody, the machine or the account was the reason. */
const SAYS = {
  done: 'good',
  agent_error: 'bad',
  refused: 'bad',
  timeout: 'bad',
  idle_timeout: 'bad',
  memory: 'bad',
  budget: 'bad',
  log_flood: 'bad',
  schema_mismatch: 'bad',
  rate_limited: 'nothing',
  auth: 'nothing',
  killed: 'nothing',
  cancelled: 'nothing',
  spawn_failed: 'nothing',
  queue_timeout: 'nothing',
  lost: 'nothing',
} as const satisfies Record<EndCause['kind'], 'good' | 'bad' | 'nothing'>;

/** Who answers requests when nobody does. */
const NOBODY: readonly string[] = ['the policy', 'the settings'];

export function tallyKey({ id, version }: Pick<UsedRule, 'id' | 'version'>): string {
  return JSON.stringify([id, version]);
}

/** How many sessions ended in a way that says something about the prompt, and how many of those did their work. */
export function judgedEnds({ ends }: Pick<RuleTally, 'ends'>): { readonly good: number; readonly of: number } {
  const sum = (says: 'good' | 'bad') =>
    EndCause.shape.kind.options.reduce((all, kind) => all + (SAYS[kind] === says ? (ends[kind] ?? 0) : 0), 0);
  return { good: sum('good'), of: sum('good') + sum('bad') };
}

/** What its successes and failures weigh at a time. */
export function weights({ good, bad, fadedAt }: RuleTally, at: number): { readonly good: number; readonly bad: number } {
  const left = 0.5 ** (Math.max(0, at - fadedAt) / HALF_LIFE_MS);
  return { good: good * left, bad: bad * left };
}

/** The tally of a session's rule after one more event about the session; undefined where the event changes none. */
export function tallied(
  tally: RuleTally | undefined,
  { rule, ...session }: Session,
  before: Session | undefined,
  event: StoredEvent,
): RuleTally | undefined {
  if (!rule) return undefined;
  const old = tally ?? fresh(rule, event.at);
  const add = (more: Partial<RuleTally>): RuleTally => ({ ...old, ...more, at: event.at });
  switch (event.name) {
    case 'session.queued':
      return add({ sessions: old.sessions + 1 });
    case 'session.starting':
      return add({ runs: old.runs + 1 });
    case 'session.prompted':
    case 'session.reopened':
      return isPerson(event.data.by) ? add({ prompts: old.prompts + 1, ...touched(old, before) }) : undefined;
    case 'session.answered':
      return isPerson(event.data.by) ? add({ answers: old.answers + 1, ...touched(old, before) }) : undefined;
    case 'session.completed':
    case 'session.failed':
    case 'session.cancelled':
    case 'session.lost':
      return before?.isJudged ? undefined : add(ended(old, session, event.data.cause.kind, event.at));
    default:
      return undefined;
  }
}

function fresh({ id, version }: UsedRule, at: number): RuleTally {
  const none = { sessions: 0, runs: 0, ends: {}, prompts: 0, answers: 0, touched: 0, good: 0, bad: 0 };
  return { id, version, since: at, at, ...none, costsUsd: [], durationsMs: [], turns: [], fadedAt: at };
}

function ended(old: RuleTally, session: Omit<Session, 'rule'>, kind: EndCause['kind'], at: number): Partial<RuleTally> {
  const ends = { ...old.ends, [kind]: (old.ends[kind] ?? 0) + 1 };
  const says = SAYS[kind];
  if (says === 'nothing') return { ends };
  const { costUsd, durationMs, turns } = spentOf(session, at);
  const { good, bad } = weights(old, at);
  return {
    ends,
    costsUsd: newest(old.costsUsd, costUsd),
    durationsMs: newest(old.durationsMs, durationMs),
    turns: newest(old.turns, turns),
    good: good + (says === 'good' ? 1 : 0),
    bad: bad + (says === 'bad' ? 1 : 0),
    fadedAt: at,
  };
}

function newest(values: readonly number[], value: number | undefined): readonly number[] {
  return value === undefined ? values : [...values, value].slice(-SAMPLES);
}

/** One more session in which people did something, if nobody had before. */
function touched(old: RuleTally, before: Session | undefined): Pick<RuleTally, 'touched'> {
  const was =
    before?.prompts?.some(({ by }) => isPerson(by)) ||
    before?.requests?.some(({ answer }) => answer !== undefined && isPerson(answer.by));
  return { touched: old.touched + (was ? 0 : 1) };
}

/** Whoever is no session and no policy: people, and what they use to call. */
function isPerson(by: string): boolean {
  return !by.startsWith('session ') && !NOBODY.includes(by);
}
