// How long rules take: a thousand of them weighed for a thousand tasks, one choice among a hundred, and the refusal of files that mean harm; besides,
// the same conditions written as plain code, and a rule file as anybody writes it.

import type { Situation } from '../core/situation.ts';
import { loadPatterns } from '../prompts/pattern.ts';
import { type ReadyRule, readRule } from '../prompts/rule-file.ts';
import { selectRules } from '../prompts/select.ts';
import { HOSTILE } from '../test/support/hostile-rules.ts';
import type { Bench } from './bench.ts';
import { byTurns, processorMs, rowOf, timed } from './measure.ts';

const RULES = 1000;
const TASKS = 1000;
const FEW = 100;
const TYPES = ['bug', 'feature', 'chore', 'spike'];
const AREAS = ['ui', 'api', 'core', 'docs', 'cli'];
const STATUSES = ['🟡 To Do', 'in_progress', 'In Review', 'done'];

type Fields = Readonly<{ type: string; area: string; status: string; tags: readonly string[]; size: number; title: string }>;

export const rules: Bench = {
  name: 'rules',
  async run() {
    const compile = await loadPatterns();
    // in order of their ids, as the book keeps them
    const all = Array.from({ length: RULES }, (_, at) => ruleAt(at, compile)).sort((a, b) => (a.rule.id < b.rule.id ? -1 : 1));
    const tasks = Array.from({ length: TASKS }, (_, at) => fieldsAt(at));
    const plain = Array.from({ length: RULES }, (_, at) => plainAt(at));
    const few = all.slice(0, FEW);

    const previews = await byTurns({
      rounds: 10,
      budgetMs: 60_000,
      ours: () => processorMs(() => tasks.reduce((sum, fields) => sum + selectRules(all, situationOf(fields)).matches.length, 0)),
      baseline: () => processorMs(() => tasks.reduce((sum, fields) => sum + plain.filter((fits) => fits(fields)).length, 0)),
    });
    const choices = await byTurns({
      rounds: 2000,
      budgetMs: 30_000,
      ours: (round) => timed(async () => selectRules(few, situationOf(fieldsAt(round)))),
      baseline: (round) => timed(async () => plain.slice(0, FEW).filter((fits) => fits(fieldsAt(round)))),
    });
    const usual = textAt(3);
    const refusals = await byTurns({
      rounds: HOSTILE.length * 10,
      budgetMs: 30_000,
      ours: (round) => processorMs(() => judge(HOSTILE[round % HOSTILE.length]?.text ?? '', compile)),
      baseline: () => processorMs(() => judge(usual, compile)),
    });
    return [
      rowOf({
        name: 'rules preview',
        what: `processor time, ${RULES} rules weighed for each of ${TASKS} tasks`,
        samples: previews,
        against: 'the same conditions as code',
        target: ({ p50 }) => ({ text: 'all within 2 s', measured: p50, most: 2000 }),
      }),
      rowOf({
        name: 'rules choice',
        what: `one choice among ${FEW} rules`,
        samples: choices,
        against: 'the same conditions as code',
        target: ({ p99 }) => ({ text: 'p99 <= 2 ms', measured: p99, most: 2 }),
      }),
      rowOf({
        name: 'rules refusal',
        what: 'processor time, a hostile file read, and asked where it is taken',
        samples: refusals,
        against: 'a usual rule file',
        target: ({ most }) => ({ text: 'each within 50 ms', measured: most, most: 50 }),
      }),
    ];
  },
};

/** Reads a file, and lets it look at a long title when it is taken. */
function judge(text: string, compile: Parameters<typeof readRule>[3]): number {
  const outcome = readRule(text, 'a-rule', undefined, compile);
  return 'ready' in outcome
    ? selectRules([outcome.ready], situationOf({ ...fieldsAt(1), title: 'a'.repeat(100_000) })).matches.length
    : 0;
}

function ruleAt(at: number, compile: Parameters<typeof readRule>[3]): ReadyRule {
  const outcome = readRule(textAt(at), `rule-${at}`, undefined, compile);
  if ('problems' in outcome) throw new Error(outcome.problems[0]?.message);
  return outcome.ready;
}

function textAt(at: number): string {
  const conditions = [
    { field: 'type', operator: 'equals', value: TYPES[at % TYPES.length] },
    {
      any: [
        { field: 'area', operator: 'in', value: [AREAS[at % AREAS.length], 'none'] },
        { field: 'tags', operator: 'contains', value: `tag-${at % 50}` },
      ],
    },
    { not: { field: 'status', operator: 'equals', value: 'done' } },
    ...(at % 10 === 0 ? [{ field: 'title', operator: 'matches', value: `(?i)task .*${at % 7}$` }] : []),
    ...(at % 3 === 0 ? [{ field: 'size', operator: 'gt', value: at % 20 }] : []),
  ];
  return `---\n${JSON.stringify({ id: `rule-${at}`, priority: at % 5, conditions })}\n---\nSay {{task.title}}.\n`;
}

/** The same as code that somebody might write for it. */
function plainAt(at: number): (fields: Fields) => boolean {
  const end = new RegExp(`task .*${at % 7}$`, 'i');
  return ({ type, area, status, tags, size, title }) =>
    type === TYPES[at % TYPES.length] &&
    (area === AREAS[at % AREAS.length] || tags.includes(`tag-${at % 50}`)) &&
    status.toLowerCase() !== 'done' &&
    (at % 10 !== 0 || end.test(title)) &&
    (at % 3 !== 0 || size > at % 20);
}

function fieldsAt(at: number): Fields {
  return {
    type: TYPES[at % TYPES.length] ?? '',
    area: AREAS[(at * 7) % AREAS.length] ?? '',
    status: STATUSES[(at * 3) % STATUSES.length] ?? '',
    tags: [`tag-${at % 50}`, `tag-${(at * 3) % 50}`],
    size: at % 25,
    title: `Task number ${at}`,
  };
}

function situationOf({ title, ...fields }: Fields): Situation {
  return {
    moment: 'start',
    task: { id: 'task', file: '/w/.tasks/task.task.md', title, fields, body: 'Do it.' },
    session: { attempt: 1 },
    parent: undefined,
    branch: undefined,
    history: '',
  };
}
