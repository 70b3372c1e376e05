// What callers see of a rule's tally: counts, and how far they may be trusted.
import { z } from 'zod';
import { judgedEnds, type RuleTally } from './rule-tally.ts';
import { middle, share } from './statistics.ts';
import { iso } from './time.ts';

const Share = z.looseObject({
  count: z.number().int(),
  of: z.number().int(),
  low: z.number().describe('With `high` the interval in which the true share lies 95 times of 100 (Wilson), from 0 to 1.'),
  high: z.number(),
});
const Middle = z.looseObject({
  median: z.number(),
  low: z.number().describe('With `high` the quartiles: half of the sessions lie between them.'),
  high: z.number(),
  of: z.number().int().describe('How many sessions it is told from: the newest, 50 at most.'),
});

export const RuleStats = z.looseObject({
  rule: z.string().describe('Id of the rule.'),
  version: z.string().describe('Hash of the template: the same rule has another one after an edit.'),
  sessions: z.number().int().describe('How many sessions it began.'),
  runs: z.number().int().describe('How many runs they had, retries and continuations included.'),
  success: Share.optional().describe(
    'Sessions that did their work, of those whose end says something about the prompt: not the cancelled, killed or lost ones, nor those stopped by limits of the account.',
  ),
  ends: z.record(z.string(), z.number().int()).describe('How many sessions settled with which end cause; done is a completion.'),
  costUsd: Middle.optional(),
  durationMs: Middle.optional(),
  turns: Middle.optional(),
  interventions: z
    .looseObject({ prompts: z.number().int(), answers: z.number().int(), sessions: Share.optional() })
    .describe(
      'Prompts and answers to requests that came from no session, and in how many sessions: people, or agents that people use.',
    ),
  learned: z
    .number()
    .optional()
    .describe('How likely its next session succeeds by what is known, newer sessions counting more; from 0 to 1.'),
  firstUsed: z.string().describe('ISO 8601.'),
  lastUsed: z.string().describe('ISO 8601: when something last happened to one of its sessions.'),
});
export type RuleStats = z.infer<typeof RuleStats>;

/** `learned`: as `Learning.success` tells it. */
export function ruleStats(tally: RuleTally, learned: number | undefined): RuleStats {
  const { id, version, sessions, runs, ends, prompts, answers, touched, since, at } = tally;
  const { good, of } = judgedEnds(tally);
  return {
    rule: id,
    version,
    sessions,
    runs,
    success: share(good, of),
    ends: Object.fromEntries(Object.entries(ends).filter(([, count]) => count > 0)),
    costUsd: middle(tally.costsUsd),
    durationMs: middle(tally.durationsMs),
    turns: middle(tally.turns),
    interventions: { prompts, answers, sessions: share(touched, sessions) },
    learned: learned === undefined ? undefined : Math.round(learned * 1000) / 1000,
    firstUsed: iso(since),
    lastUsed: iso(at),
  };
}
