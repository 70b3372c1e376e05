// Rule files that mean harm, or that nobody could have meant: each is refused with a sentence, or does nothing. How long that takes is in bench/rules.ts.
import { describe, expect, it } from 'vitest';
import { factsOf } from '../../prompts/facts.ts';
import { MAX_SEARCHED } from '../../prompts/pattern.ts';
import { HOSTILE } from '../support/hostile-rules.ts';
import { problemsIn, ruleIn, situationOf } from '../support/situations.ts';

describe('a hostile file', () => {
  it.each(HOSTILE.filter(({ says }) => says !== undefined).map((one) => [one.name, one] as const))(
    '%s is refused with a sentence',
    (_name, { text, says }) => {
      expect(problemsIn(text)[0]).toMatch(says ?? /never/);
    },
  );

  it('does nothing by what it is called', () => {
    expect(
      problemsIn('---\n__proto__: { polluted: true }\nconstructor: { prototype: { polluted: true } }\n---\nSay.\n'),
    ).not.toEqual([]);
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });

  it('whose pattern would take the built-in engine for ever is answered like any other', () => {
    for (const { text } of HOSTILE.filter(({ says }) => says === undefined)) {
      const { compiled } = ruleIn(text);
      const facts = factsOf(situationOf({ title: `${'a'.repeat(900)}!${'a'.repeat(50_000)}` }));
      expect(compiled.holds(facts)).toBe(false);
    }
  });

  it('is searched no further than it is worth', () => {
    const { compiled } = ruleIn('---\nconditions: [{ field: title, operator: matches, value: "z" }]\n---\nSay.\n');
    const titled = (title: string) => compiled.holds(factsOf(situationOf({ title })));
    expect(titled(`${'a'.repeat(MAX_SEARCHED - 1)}z`)).toBe(true);
    expect(titled(`${'a'.repeat(MAX_SEARCHED)}z`)).toBe(false);
  });
});
