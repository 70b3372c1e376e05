// Which rule is chosen: the plan's own examples, the ranking, and what must hold for any rules and any task.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RuleLearning } from '../../core/rules.ts';
import type { ReadyRule } from '../../prompts/rule-file.ts';
import { textOfJson } from '../../prompts/rule-text.ts';
import { selectRules } from '../../prompts/select.ts';
import { ruleIn, ruleWith, situationOf } from '../support/situations.ts';

/** As they stand in the plan. */
const PLANNED = [
  {
    id: 'bug-debugging-rule',
    name: 'Bug Debugging Focus',
    conditions: [
      { field: 'type', operator: 'equals', value: 'bug' },
      { field: 'status', operator: 'in', value: ['todo', 'in_progress'] },
    ],
    promptTemplate: 'Focus on debugging methodically. Check logs, reproduce the issue, then implement a fix.',
    priority: 10,
    enabled: true,
  },
  {
    id: 'frontend-review-rule',
    name: 'Frontend Code Review',
    conditions: [
      { field: 'area', operator: 'equals', value: 'ui' },
      { field: 'tags', operator: 'contains', value: 'review' },
    ],
    promptTemplate: 'Review UI components for accessibility, performance, and design consistency.',
    priority: 8,
    enabled: true,
  },
];
const planned = PLANNED.map((rule) => ruleIn(textOfJson(rule.id, JSON.stringify(rule)), rule.id));
const idsOf = (rules: readonly ReadyRule[], fields: Readonly<Record<string, unknown>>) => {
  const { matches, misses } = selectRules(rules, situationOf({ fields }));
  return { matches: matches.map(({ id }) => id), misses: misses.map(({ id }) => id) };
};

describe('the two rules of the plan', () => {
  it('are taken in the JSON form that the plan has them in', () => {
    expect(planned.map(({ rule }) => [rule.id, rule.name, rule.priority, rule.template, rule.specificity])).toEqual(
      PLANNED.map(({ id, name, priority, promptTemplate }) => [id, name, priority, promptTemplate, 2]),
    );
  });

  it.each([
    [{ type: 'bug', status: 'todo' }, ['bug-debugging-rule']],
    [{ type: 'bug', status: '🔵 In Progress' }, ['bug-debugging-rule']],
    [{ type: 'bug', status: 'done' }, []],
    [{ type: 'feature', status: 'todo' }, []],
    [{ area: 'ui', tags: ['review', 'forms'] }, ['frontend-review-rule']],
    [{ area: 'ui', tags: ['forms'] }, []],
    [{ area: 'api', tags: ['review'] }, []],
    // both fit: the higher priority goes first
    [{ type: 'bug', status: 'todo', area: 'ui', tags: ['review'] }, ['bug-debugging-rule', 'frontend-review-rule']],
  ])('select for %j: %j', (fields, ids) => {
    expect(idsOf(planned, fields).matches).toEqual(ids);
  });
});

describe('the ranking', () => {
  const bug = { field: 'type', operator: 'equals', value: 'bug' };
  const any = { field: 'area', operator: 'exists' };
  const fields = { type: 'bug', area: 'ui' };

  it('goes by priority, then by specificity, then by id', () => {
    const rules = [
      ruleWith([bug], { id: 'b' }),
      ruleWith([bug], { id: 'a' }),
      ruleWith([bug, any], { id: 'narrow' }),
      ruleWith([], { id: 'first', priority: 1 }),
      ruleWith([bug, any], { id: 'last', priority: -1 }),
    ];
    expect(idsOf(rules, fields).matches).toEqual(['first', 'narrow', 'a', 'b', 'last']);
  });

  it('leaves out rules that are off, speak at another moment or are session templates', () => {
    const rules = [
      ruleWith([], { id: 'off', enabled: false }),
      ruleIn('---\nmoments: [middle, review]\n---\nSay.\n', 'later'),
      ruleIn('---\nkind: session\n---\nSay.\n', 'template'),
      ruleWith([], { id: 'on' }),
    ];
    expect(idsOf(rules, fields)).toEqual({ matches: ['on'], misses: ['later', 'off'] });
  });

  const learning: RuleLearning = {
    success: (id) => ({ good: 0.9, bad: 0.1 })[id],
    choose: (candidates, seed) => {
      const index = candidates.findIndex(({ id }) => id === seed);
      return { index, chances: { seed, of: Object.fromEntries(candidates.map(({ id }) => [id, 1 / candidates.length])) } };
    },
  };

  it('lets what was learned decide between equals, and tells the chances of the draw', () => {
    const rules = ['bad', 'good', 'new'].map((id) => ruleWith([bug], { id }));
    const drawn = selectRules([...rules, ruleWith([], { id: 'z' })], situationOf({ fields }), { learning, seed: 'new' });
    expect(drawn.matches.map(({ id }) => id)).toEqual(['new', 'good', 'bad', 'z']);
    expect(drawn.chances).toEqual({ seed: 'new', of: { bad: 1 / 3, good: 1 / 3, new: 1 / 3 } });
  });

  it('draws nothing where one rule alone is first, or nobody learns', () => {
    const rules = ['good', 'bad'].map((id) => ruleWith([bug], { id }));
    const first = ruleWith([bug], { id: 'first', priority: 1 });
    expect(selectRules([...rules, first], situationOf({ fields }), { learning }).chances).toBeUndefined();
    const untaught = selectRules(rules, situationOf({ fields }));
    expect(untaught.chances).toBeUndefined();
    expect(untaught.matches.map(({ id }) => id)).toEqual(['bad', 'good']);
  });
});

const word = fc.constantFrom('bug', 'feature', 'ui', 'todo', 'done', 'a', 'b');
const field = fc.constantFrom('type', 'status', 'area', 'tags', 'size');
const leaf = fc.oneof(
  fc.record({ field, operator: fc.constantFrom('equals', 'contains'), value: word }),
  fc.record({ field, operator: fc.constantFrom('in', 'not_in'), value: fc.array(word, { minLength: 1, maxLength: 3 }) }),
  fc.record({ field, operator: fc.constantFrom('gt', 'lt'), value: fc.integer({ min: 0, max: 5 }) }),
  fc.record({ field, operator: fc.constant('exists'), value: fc.boolean() }),
);
const { condition } = fc.letrec((tie) => ({
  condition: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leaf,
    fc.record({ not: tie('condition') }),
    fc.record({ any: fc.array(tie('condition'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ all: fc.array(tie('condition'), { minLength: 1, maxLength: 3 }) }),
  ),
}));
const rules = fc
  .uniqueArray(
    fc.tuple(fc.stringMatching(/^[a-z][a-z0-9]{0,3}$/), fc.array(condition, { maxLength: 3 }), fc.integer({ min: 0, max: 2 })),
    { selector: ([id]) => id, maxLength: 8 },
  )
  .map((all) => all.map(([id, conditions, priority]) => ruleWith(conditions, { id, priority })));
const fields = fc.record(
  { type: word, status: word, area: word, tags: fc.array(word, { maxLength: 3 }), size: fc.integer({ min: 0, max: 5 }) },
  { requiredKeys: [] },
);

describe('whatever the rules and the task', () => {
  it('the same question has the same answer', () => {
    fc.assert(
      fc.property(rules, fields, (all, values) => {
        expect(idsOf(all, values)).toEqual(idsOf(all, structuredClone(values)));
      }),
    );
  });

  it('the order of the files does not matter', () => {
    fc.assert(
      fc.property(rules, fields, fc.infiniteStream(fc.nat()), (all, values, order) => {
        const shuffled = all
          .map((rule) => ({ rule, at: order.next().value ?? 0 }))
          .sort((a, b) => a.at - b.at)
          .map(({ rule }) => rule);
        expect(idsOf(shuffled, values)).toEqual(idsOf(all, values));
      }),
    );
  });

  it('one more rule that does not fit changes nothing', () => {
    const never = {
      all: [
        { field: 'type', operator: 'exists', value: true },
        { field: 'type', operator: 'exists', value: false },
      ],
    };
    fc.assert(
      fc.property(rules, fields, fc.integer({ min: -5, max: 5 }), (all, values, priority) => {
        const more = ruleWith([never], { id: 'never-fits', priority });
        expect(idsOf([...all, more], values).matches).toEqual(idsOf(all, values).matches);
      }),
    );
  });

  it('each rule either fits or does not, and "not" turns that round', () => {
    fc.assert(
      fc.property(fc.array(condition, { minLength: 1, maxLength: 3 }), fields, (conditions, values) => {
        const pair = [ruleWith(conditions, { id: 'plain' }), ruleWith({ not: conditions }, { id: 'denied' })];
        expect(idsOf(pair, values).matches).toHaveLength(1);
      }),
    );
  });
});
