// Learning which rule to take: the chances are right, a seed repeats the draw, and the better rule is taken more and more; switched off, nothing moves.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EndCause } from '../../core/ending.ts';
import { chancesOf, learningOf } from '../../core/learning.ts';
import { type RuleTally, tallied, tallyKey } from '../../core/rule-tally.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { type Random, randomFrom } from '../support/random.ts';
import { madeSession } from './rule-rig.ts';

const HOUR = 3_600_000;
const NOW = fakeClock().now();

/** What came of rules, kept by the product's own tally, without a ledger around it. */
function book() {
  const tallies = new Map<string, RuleTally>();
  return {
    tally: (key: string) => tallies.get(key),
    settle(id: string, kind: EndCause['kind'], at = NOW) {
      const session = madeSession({ rule: { id, version: 'v' } });
      const name = kind === 'done' ? 'session.completed' : 'session.failed';
      const event = { seq: 1, at, node: 't/1', name, data: { sessionId: session.id, run: 1, cause: { kind } } } as const;
      const key = tallyKey({ id, version: 'v' });
      const next = tallied(tallies.get(key), session, session, event);
      if (next) tallies.set(key, next);
    },
  };
}

const CANDIDATES = ['five', 'eight'].map((id) => ({ id, version: 'v' }));
const SUCCESS: Readonly<Record<string, number>> = { five: 0.5, eight: 0.8 };

/** Chooses 500 times, each outcome known before the next choice; answers the ids. */
function simulated(seed: number, options: { readonly isOn: boolean; readonly pauseMs: number }): readonly string[] {
  const random: Random = randomFrom(seed);
  const rules = book();
  return Array.from({ length: 500 }, (_, nth) => {
    const at = NOW + nth * options.pauseMs;
    const index = options.isOn ? learningOf(rules, at).choose(CANDIDATES, `${seed}/${nth}`).index : 0;
    const { id } = CANDIDATES[index] ?? { id: 'none' };
    rules.settle(id, random.below(1000) < 1000 * (SUCCESS[id] ?? 0) ? 'done' : 'agent_error', at);
    return id;
  });
}

describe('with learning', () => {
  it.each([
    ['at once', 0],
    ['an hour apart', HOUR],
  ])('a rule that succeeds 8 of 10 times is taken in the end instead of one with 5 of 10, sessions %s', (_, pauseMs) => {
    const good = Array.from({ length: 100 }, (_, seed) => {
      const last = simulated(seed, { isOn: true, pauseMs }).slice(-200);
      return last.filter((id) => id === 'eight').length >= 160;
    });
    expect(good.filter(Boolean).length).toBeGreaterThanOrEqual(95);
  });

  it('a rule that has become worse is left again', () => {
    const rules = book();
    for (let nth = 0; nth < 50; nth++) for (const id of ['five', 'eight']) rules.settle(id, id === 'eight' ? 'done' : 'refused');
    expect(learningOf(rules, NOW).choose(CANDIDATES, 's').index).toBe(1);
    const later = NOW + 365 * 24 * HOUR;
    for (let nth = 0; nth < 10; nth++)
      for (const id of ['five', 'eight']) rules.settle(id, id === 'five' ? 'done' : 'refused', later);
    const { of } = learningOf(rules, later).choose(CANDIDATES, 's').chances;
    expect(of.five).toBeGreaterThan(0.95);
  });

  it('what says nothing about the prompt changes nothing', () => {
    const rules = book();
    for (const kind of ['cancelled', 'killed', 'rate_limited', 'auth', 'queue_timeout', 'lost', 'spawn_failed'] as const)
      rules.settle('five', kind);
    const learning = learningOf(rules, NOW);
    expect(learning.success('five', 'v')).toBeUndefined();
    expect(learning.choose(CANDIDATES, 's').chances.of).toEqual({ five: 0.5, eight: 0.5 });
    rules.settle('five', 'done');
    expect(learningOf(rules, NOW).success('five', 'v')).toBeCloseTo(2 / 3);
    expect(learningOf(rules, NOW).success('five', 'another version')).toBeUndefined();
  });

  it('the same seed and evidence give the same choice, and other seeds follow the chances', () => {
    const rules = book();
    for (const kind of ['done', 'done', 'refused'] as const) rules.settle('eight', kind);
    const learning = learningOf(rules, NOW);
    const draw = (seed: string) => learning.choose(CANDIDATES, seed);
    expect(draw('a')).toEqual(draw('a'));
    const draws = Array.from({ length: 4000 }, (_, nth) => draw(`session-${nth}`));
    const { eight = 0, five = 0 } = draws[0]?.chances.of ?? {};
    expect(five + eight).toBeCloseTo(1, 3);
    expect(draws.filter(({ index }) => index === 1).length / 4000).toBeCloseTo(eight, 1);
  });
});

describe('without learning', () => {
  it('the split does not move', () => {
    for (let seed = 0; seed < 10; seed++)
      expect(new Set(simulated(seed, { isOn: false, pauseMs: HOUR }))).toEqual(new Set(['five']));
  });
});

describe('the chances', () => {
  const evidence = fc.record({ good: fc.integer({ min: 0, max: 60 }), bad: fc.integer({ min: 0, max: 60 }) });

  it('are those of the Beta distribution', () => {
    fc.assert(
      fc.property(evidence, evidence, (a, b) => {
        expect(chancesOf([a, b])[0]).toBeCloseTo(exactly(a, b), 2);
      }),
    );
  });

  it('add up to 1, are equal for equals, and grow with success, for any number of rules', () => {
    fc.assert(
      fc.property(fc.array(evidence, { minLength: 1, maxLength: 12 }), (all) => {
        const [first] = all;
        if (!first) return;
        const chances = chancesOf([...all, first]);
        expect(chances.reduce((sum, chance) => sum + chance, 0)).toBeCloseTo(1, 9);
        expect(chances[0]).toBeCloseTo(chances.at(-1) ?? 0, 9);
        const better = chancesOf([{ ...first, good: first.good + 5 }, ...all.slice(1)])[0] ?? 0;
        expect(better).toBeGreaterThanOrEqual((chancesOf(all)[0] ?? 0) - 1e-9);
      }),
    );
  });

  it('hold for thousands of sessions and for none', () => {
    expect(chancesOf([{ good: 0, bad: 0 }])).toEqual([1]);
    const [worse = 0, better = 0] = chancesOf([
      { good: 50_000, bad: 50_000 },
      { good: 80_000, bad: 20_000 },
    ]);
    expect(better).toBeGreaterThan(0.999);
    expect(worse).toBeGreaterThanOrEqual(0);
  });
});

/** How likely the first is the better one, by the sum that is known for whole numbers. */
function exactly(a: { good: number; bad: number }, b: { good: number; bad: number }): number {
  const logBeta = (x: number, y: number) => logFactorial(x - 1) + logFactorial(y - 1) - logFactorial(x + y - 1);
  const logFactorial = (n: number) => Array.from({ length: n }, (_, at) => Math.log(at + 1)).reduce((sum, log) => sum + log, 0);
  const [a1, a2, b1, b2] = [a.good + 1, a.bad + 1, b.good + 1, b.bad + 1];
  return Array.from({ length: a1 }, (_, i) =>
    Math.exp(logBeta(b1 + i, b2 + a2) - Math.log(a2 + i) - logBeta(1 + i, a2) - logBeta(b1, b2)),
  ).reduce((sum, term) => sum + term, 0);
}
