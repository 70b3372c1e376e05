// prompt_stats: what came of the sessions that each prompt rule began.
import { z } from 'zod';
import { learningOf } from '../core/learning.ts';
import { RuleStats, ruleStats } from '../core/rule-stats.ts';
import type { RuleTally } from '../core/rule-tally.ts';
import { defineTool } from './define.ts';
import { cursor, nextCursor, ruleId, summary, total } from './fields.ts';
import { fittingPage } from './page.ts';

export const promptStats = defineTool({
  name: 'prompt_stats',
  title: 'Compare prompt rules',
  description:
    'What came of the sessions that each prompt rule began, per version of its template: successes with an interval, failures by cause, usual cost, duration and turns, and how often people stepped in. ' +
    'Few sessions give a wide interval: do not judge by the share alone.',
  effect: 'reads',
  toolset: 'prompts',
  input: z.strictObject({
    rule: ruleId.optional().describe('Only this rule.'),
    cursor,
    limit: z.number().int().min(1).max(200).default(50).describe('At most so many rows (50); fewer come when they are long.'),
  }),
  output: z.looseObject({
    summary,
    rules: z.array(RuleStats).describe('One row per rule and version, by rule, the newest version first.'),
    total,
    nextCursor,
  }),
  positional: ['rule'],
  fails: ['CURSOR_INVALID', 'WORKSPACE_MISSING'],
  examples: [{}],
  async handle({ rule, cursor, limit }, { orchestrator: { ledger } }) {
    const learning = learningOf(ledger, ledger.newest);
    const all = [...ledger.tallies()]
      .filter(({ id }) => rule === undefined || id === rule)
      .toSorted((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
    const view = (tally: RuleTally) => ruleStats(tally, learning.success(tally.id, tally.version));
    const { rows, nextCursor } = fittingPage(all, { cursor, limit, keyOf: placeOf }, view);
    return { rules: [...rows], total: all.length, nextCursor };
  },
  say: ({ rules, total }) =>
    total === 0 ? 'No session was begun by a rule yet.' : `${rules.length} of ${total} versions of rules.`,
  tables: [
    {
      rows: 'rules',
      columns: {
        RULE: 'rule',
        VERSION: 'version',
        SESSIONS: 'sessions',
        DONE: 'success.count',
        OF: 'success.of',
        FROM: 'success.low',
        TO: 'success.high',
        'COST $': 'costUsd.median',
        MS: 'durationMs.median',
      },
    },
  ],
});

/** By rule, then from the version that was first used last to the one that was first used first. */
function placeOf({ id, since, version }: RuleTally): string {
  return `${id}\0${String(1e14 - since).padStart(15, '0')}\0${version.slice(0, 12)}`;
}
