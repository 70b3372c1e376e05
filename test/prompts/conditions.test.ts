// Operators and compounds of conditions against every kind of value.
import { describe, expect, it } from 'vitest';
import { factsOf } from '../../prompts/facts.ts';
import { problemsIn, ruleWith, type SituationParts, situationOf } from '../support/situations.ts';

const YES = true;
const NO = false;
type Case = readonly [holds: boolean, condition: unknown, situation: SituationParts];

const is = (field: string, operator: string, value?: unknown) => ({ field, operator, ...(value !== undefined && { value }) });
const on = (fields: Readonly<Record<string, unknown>>): SituationParts => ({ fields });

const CASES: readonly Case[] = [
  // equals: words, however they are written
  [YES, is('type', 'equals', 'bug'), on({ type: 'bug' })],
  [YES, is('type', 'equals', 'bug'), on({ type: 'Bug' })],
  [YES, is('status', 'equals', 'in_progress'), on({ status: '🔵 In Progress' })],
  [YES, is('status', 'equals', 'todo'), on({ status: 'to-do' })],
  [NO, is('type', 'equals', 'bug'), on({ type: 'bugs' })],
  [NO, is('type', 'equals', 'bug'), on({})],
  [NO, is('type', 'equals', 'bug'), on({ type: '' })],
  [NO, is('type', 'equals', 'bug'), on({ type: null })],
  [NO, is('area', 'equals', 'c++'), on({ area: 'c' })],
  [YES, is('area', 'equals', 'C++'), on({ area: 'c++' })],
  [YES, is('area', 'equals', '🚀'), on({ area: '🚀' })],
  [NO, is('area', 'equals', '🚀'), on({ area: '🐛' })],
  // equals: numbers, dates, true and false
  [YES, is('size', 'equals', 3), on({ size: 3 })],
  [YES, is('size', 'equals', 3), on({ size: '3.0' })],
  [NO, is('size', 'equals', -3), on({ size: 3 })],
  [NO, is('version', 'equals', '1.2'), on({ version: '12' })],
  [YES, is('due', 'equals', '2025-05-30'), on({ due: '2025-05-30T00:00:00Z' })],
  [YES, is('due', 'equals', '2025-05-30'), on({ due: new Date('2025-05-30') })],
  [NO, is('due', 'equals', '2025-05-30'), on({ due: 20250530 })],
  [YES, is('urgent', 'equals', true), on({ urgent: true })],
  [NO, is('urgent', 'equals', true), on({ urgent: false })],
  // equals: lists
  [YES, is('tags', 'equals', ['a', 'b']), on({ tags: ['b', 'A'] })],
  [NO, is('tags', 'equals', ['a', 'b']), on({ tags: ['a', 'b', 'c'] })],
  [YES, is('tags', 'equals', 'a'), on({ tags: ['a'] })],
  [NO, is('tags', 'equals', 'a'), on({ tags: ['a', 'b'] })],
  // contains
  [YES, is('tags', 'contains', 'review'), on({ tags: ['ui', 'Review'] })],
  [NO, is('tags', 'contains', 'view'), on({ tags: ['review'] })],
  [YES, is('tags', 'contains', ['a', 'b']), on({ tags: ['c', 'b', 'a'] })],
  [NO, is('tags', 'contains', ['a', 'b']), on({ tags: ['a'] })],
  [YES, is('title', 'contains', 'LOGIN'), on({})],
  [YES, is('body', 'contains', 'is broken'), on({})],
  [NO, is('title', 'contains', 'logout'), on({})],
  [NO, is('tags', 'contains', 'a'), on({})],
  [NO, is('tags', 'contains', 'a'), on({ tags: [] })],
  [YES, is('size', 'contains', 2), on({ size: 123 })],
  // in and not_in
  [YES, is('status', 'in', ['todo', 'in_progress']), on({ status: '🟡 To Do' })],
  [NO, is('status', 'in', ['todo', 'in_progress']), on({ status: 'done' })],
  [NO, is('status', 'in', ['todo']), on({})],
  [YES, is('status', 'in', 'todo'), on({ status: 'todo' })],
  [YES, is('tags', 'in', ['x', 'b']), on({ tags: ['a', 'b'] })],
  [YES, is('size', 'in', [1, 2]), on({ size: '2' })],
  [YES, is('status', 'not_in', ['done']), on({ status: 'todo' })],
  [NO, is('status', 'not_in', ['done']), on({ status: '✅ Done' })],
  [YES, is('status', 'not_in', ['done']), on({})],
  [NO, is('tags', 'not_in', ['b']), on({ tags: ['a', 'b'] })],
  // matches
  [YES, is('title', 'matches', '^Fix'), on({})],
  [NO, is('title', 'matches', '^fix'), on({})],
  [YES, is('title', 'matches', '(?i)^fix .*login$'), on({})],
  [YES, is('tags', 'matches', '^ui-'), on({ tags: ['core', 'ui-forms'] })],
  [NO, is('tags', 'matches', '^ui-'), on({})],
  [YES, is('size', 'matches', '^\\d+$'), on({ size: 42 })],
  // exists
  [YES, is('assignee', 'exists'), on({ assignee: 'claude' })],
  [YES, is('assignee', 'exists', true), on({ assignee: 0 })],
  [NO, is('assignee', 'exists', true), on({ assignee: [] })],
  [YES, is('assignee', 'exists', false), on({})],
  [NO, is('assignee', 'exists', false), on({ assignee: false })],
  // gt and lt
  [YES, is('size', 'gt', 3), on({ size: 4 })],
  [NO, is('size', 'gt', 3), on({ size: 3 })],
  [YES, is('size', 'lt', 3), on({ size: '2.5' })],
  [NO, is('size', 'lt', 3), on({ size: 'small' })],
  [NO, is('size', 'gt', 3), on({})],
  [NO, is('size', 'gt', 3), on({ size: [4] })],
  [YES, is('due', 'lt', '2025-06-01'), on({ due: '2025-05-30' })],
  [YES, is('due', 'gt', '2025-05-30'), on({ due: new Date('2025-05-30T10:00:00Z') })],
  [NO, is('due', 'gt', 3), on({ due: '2025-05-30' })],
  [YES, is('priority', 'gt', 'medium'), on({ priority: 'High' })],
  [NO, is('priority', 'gt', 'high'), on({ priority: 'low' })],
  // other keys, however deep
  [YES, is('severity', 'equals', 'sev1'), on({ severity: 'SEV-1' })],
  [YES, is('meta.owner', 'equals', 'ann'), on({ meta: { owner: 'Ann' } })],
  [YES, is('meta.owner', 'equals', 'ann'), on({ 'meta.owner': 'Ann' })],
  [YES, is('task.type', 'equals', 'bug'), on({ type: 'bug' })],
  [YES, is('task.fields.title', 'exists', false), on({})],
  [NO, is('constructor', 'exists'), on({})],
  [NO, is('meta.__proto__', 'exists'), on({ meta: {} })],
  // facts of sessions and parents
  [YES, is('session.attempt', 'gt', 1), { session: { attempt: 2 } }],
  [YES, is('session.endCause', 'in', ['timeout', 'memory']), { session: { endCause: 'timeout' } }],
  [NO, is('session.endCause', 'exists'), {}],
  [YES, is('session.idleMs', 'gt', 60000), { session: { idleMs: 90_000 } }],
  [YES, is('session.signals', 'contains', 'near_budget'), { session: { signals: ['near_budget'] } }],
  [YES, is('session.budgetShare', 'lt', 0.5), { session: { budgetShare: 0.25 } }],
  [
    YES,
    is('parent.status', 'equals', 'running'),
    { parent: { id: 'p', status: 'running', taskId: 't', title: 'T', agent: 'demo' } },
  ],
  [NO, is('parent.id', 'exists'), {}],
  [YES, is('moment', 'equals', 'start'), {}],
  // compounds
  [YES, [], on({})],
  [YES, [is('type', 'equals', 'bug'), is('area', 'equals', 'ui')], on({ type: 'bug', area: 'ui' })],
  [NO, [is('type', 'equals', 'bug'), is('area', 'equals', 'ui')], on({ type: 'bug' })],
  [YES, { any: [is('type', 'equals', 'bug'), is('area', 'equals', 'ui')] }, on({ area: 'ui' })],
  [NO, { any: [is('type', 'equals', 'bug'), is('area', 'equals', 'ui')] }, on({})],
  [YES, { not: is('type', 'equals', 'bug') }, on({ type: 'feature' })],
  [YES, { not: [is('type', 'equals', 'bug'), is('area', 'equals', 'ui')] }, on({ type: 'bug' })],
  [YES, { all: [{ any: [{ not: is('a', 'exists') }, is('b', 'exists')] }, is('c', 'exists')] }, on({ a: 1, b: 1, c: 1 })],
  [NO, { all: [{ any: [{ not: is('a', 'exists') }, is('b', 'exists')] }, is('c', 'exists')] }, on({ a: 1, c: 1 })],
  [YES, nested(40, is('type', 'equals', 'bug')), on({ type: 'bug' })],
];

function nested(depth: number, inner: unknown): unknown {
  return depth === 0 ? inner : { not: { not: nested(depth - 2, inner) } };
}

describe('conditions', () => {
  it('are tried in a table that is worth its name', () => {
    expect(CASES.length).toBeGreaterThanOrEqual(60);
  });

  it.each(
    CASES.map(
      ([holds, condition, situation]) =>
        [
          holds ? 'hold' : 'do not hold',
          JSON.stringify(condition).slice(0, 110),
          JSON.stringify(situation),
          holds,
          condition,
          situation,
        ] as const,
    ),
  )('%s: %s on %s', (_word, _condition, _situation, holds, condition, situation) => {
    const { compiled } = ruleWith(condition);
    expect(compiled.holds(factsOf(situationOf(situation)))).toBe(holds);
  });

  it.each(CASES.map((one) => [JSON.stringify(one[1]).slice(0, 110), one] as const))(
    'are explained as they hold: %s',
    (_text, [holds, condition, situation]) => {
      const outermost = ruleWith(condition)
        .compiled.explain(factsOf(situationOf(situation)))
        .filter(({ depth }) => depth === 0);
      expect(outermost.every((reason) => reason.holds)).toBe(holds);
    },
  );

  it('say in words what was wanted and what there is', () => {
    const { compiled } = ruleWith([
      is('type', 'equals', 'bug'),
      { any: [is('tags', 'contains', 'x'), { not: is('assignee', 'exists') }] },
    ]);
    expect(compiled.explain(factsOf(situationOf({ fields: { type: 'Feature', tags: ['a', 'b'] } })))).toEqual([
      { holds: false, depth: 0, text: 'type equals "bug"; there is "Feature"' },
      { holds: true, depth: 0, text: 'any of:' },
      { holds: false, depth: 1, text: 'tags contains "x"; there is ["a", "b"]' },
      { holds: true, depth: 1, text: 'not:' },
      { holds: false, depth: 2, text: 'assignee exists; there is nothing' },
    ]);
  });

  it.each([
    [3, [is('a', 'exists'), is('b', 'exists'), is('c', 'exists')]],
    [1, { any: [is('a', 'exists'), { all: [is('b', 'exists'), is('c', 'exists')] }] }],
    [2, { not: [is('a', 'exists'), is('b', 'exists')] }],
    [0, []],
  ])('count %i that must hold at least in %j', (specificity, condition) => {
    expect(ruleWith(condition).rule.specificity).toBe(specificity);
  });
});

describe('a condition is refused, with its place', () => {
  const rule = (lines: string) => `---\nconditions:\n${lines}\n---\nSay.\n`;
  it.each([
    ['  - { field: type, operator: equal, value: bug }', '3:30 There is no operator "equal". Did you mean "equals"?'],
    [
      '  - { field: type, operator: resembles, value: bug }',
      /^3:30 There is no operator "resembles"\. Operators are: equals, contains, in, /,
    ],
    ['  - { field: type, value: bug }', /^3:5 There is no operator null\./],
    ['  - { operator: exists }', '3:5 A condition needs a field: the name of a front matter key, or session.<name>.'],
    ['  - { field: "a b", operator: exists }', /^3:14 A condition needs a field/],
    ['  - { field: type, operator: equals }', '3:5 It needs a value or a list of them: texts, numbers, true or false.'],
    ['  - { field: type, operator: equals, value: { a: 1 } }', /^3:45 It needs a value or a list/],
    ['  - { field: type, operator: in, value: [] }', /^3:41 It needs a value or a list/],
    ['  - { field: type, operator: exists, value: 3 }', '3:45 It needs true or false.'],
    ['  - { field: type, operator: gt, value: many }', '3:41 It needs a number, a date such as 2025-05-30, or a priority.'],
    ['  - { field: type, operator: matches, value: 7 }', '3:46 It needs a regular expression as a text.'],
    ['  - { field: type, operator: matches, value: "(a" }', /^3:46 The pattern is none that RE2 takes: missing closing \)/],
    ['  - { field: type, operator: matches, value: "(?=a)" }', /^3:46 The pattern is none that RE2 takes/],
    [
      '  - { field: session.endcaus, operator: exists }',
      /^3:14 There is no field "session.endcaus"\. Did you mean "session.endCause"\?/,
    ],
    ['  - { field: type, operator: equals, value: bug, not: 1 }', '3:7 Beside "not" nothing else may stand.'],
    [
      '  - { field: type, operator: equals, valeu: bug }',
      '3:38 A condition has no key "valeu"; it has field, operator and value.',
    ],
    ['  - any: []', '3:10 "any" needs a list of conditions.'],
    ['  - all: { field: a, operator: exists }', '3:10 "all" needs a list of conditions.'],
    ['  - bug', '3:5 A condition is a mapping with field, operator and value, or with all, any or not.'],
  ])('%s', (lines, problem) => {
    const [found, ...more] = problemsIn(rule(lines));
    expect(found).toEqual(typeof problem === 'string' ? problem : expect.stringMatching(problem));
    expect(more).toEqual([]);
  });

  it('that lies too deep in others, and where there are too many', () => {
    expect(problemsIn(`---\n${JSON.stringify({ conditions: nested(52, is('a', 'exists')) })}\n---\nSay.\n`)[0]).toMatch(
      /The conditions lie deeper than 50 levels/,
    );
    const many = `---\nconditions:\n${'- {field: a, operator: exists}\n'.repeat(501)}---\nSay.\n`;
    expect(problemsIn(many)).toEqual([
      expect.stringMatching(/There are more than 500 conditions\.|The front matter has more than/),
    ]);
  });
});
