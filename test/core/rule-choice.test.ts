// From the choice of a rule to what is learned of it, through the whole core: sessions begin, end, and the next choice knows it.
import { describe, expect, it } from 'vitest';
import { tallyKey } from '../../core/rule-tally.ts';
import { type Engine, makeEngine } from '../support/engine.ts';
import { randomFrom } from '../support/random.ts';
import { get, started } from './talk-rig.ts';

const RULES = () =>
  new Map(
    ['eight', 'five'].map((id) => [
      `${id}.md`,
      `---\nname: ${id}\npriority: 5\nconditions:\n  - { field: type, operator: equals, value: bug }\n---\nBy ${id}: {{task.title}}\n`,
    ]),
  );
const SUCCESS: Readonly<Record<string, number>> = { five: 50, eight: 80 };

/** One session on a task, from its start to its end; answers the rule that began it. */
async function lived(engine: Engine, percent: number): Promise<string> {
  const id = await started(engine, { taskId: 'fix-login', prompt: undefined });
  const { rule } = get(engine, id);
  const isGood = percent < (SUCCESS[rule?.id ?? ''] ?? 0);
  engine.run(id).say({ kind: 'started', process: { pid: 4, startedAt: '9' } });
  engine.run(id).end(isGood ? 0 : 1, { result: { text: 'x', isError: !isGood, costUsd: 0.1, turns: 2 } });
  await engine.settle();
  return rule?.id ?? 'none';
}

async function many(engine: Engine, count: number): Promise<readonly string[]> {
  const random = randomFrom(7);
  const rules: string[] = [];
  for (let nth = 0; nth < count; nth++) rules.push(await lived(engine, random.below(100)));
  return rules;
}

describe('among rules that are equal', () => {
  it('the first by id is taken while learning is off, whatever comes of it', async () => {
    const engine = await makeEngine({ rules: RULES() });
    expect(new Set(await many(engine, 30))).toEqual(new Set(['eight']));
    const rules = engine.events.flatMap((event) => (event.name === 'session.queued' ? [event.data.rule] : []));
    expect(rules.filter((rule) => rule?.chances !== undefined)).toEqual([]);
  });

  it('the one that succeeds more is taken more and more while learning is on, and the event says by what chances', async () => {
    const engine = await makeEngine({ rules: RULES(), config: { prompts: { learning: true } } });
    const taken = await many(engine, 120);
    const share = (part: readonly string[]) => part.filter((id) => id === 'eight').length / part.length;
    expect(new Set(taken)).toEqual(new Set(['eight', 'five']));
    expect(share(taken.slice(-40))).toBeGreaterThan(0.75);
    const rules = engine.events.flatMap((event) => (event.name === 'session.queued' ? [event.data] : []));
    expect(rules[0]?.rule?.chances).toEqual({ seed: rules[0]?.sessionId, of: { eight: 0.5, five: 0.5 } });
    expect(rules.at(-1)?.rule?.chances?.of.eight).toBeGreaterThan(0.75);
    const { id = '', version = '' } = rules.find(({ rule }) => rule?.id === 'eight')?.rule ?? {};
    const tally = engine.ledger.tally(tallyKey({ id, version }));
    expect(tally?.sessions).toBe(taken.filter((one) => one === 'eight').length);
    expect(tally).toMatchObject({ turns: expect.arrayContaining([2]) });
  });

  it('the choice can be repeated from the event and what was known before it', async () => {
    const play = async () => {
      const engine = await makeEngine({ rules: RULES(), config: { prompts: { learning: true } } });
      return {
        taken: await many(engine, 25),
        events: engine.events.flatMap((event) => ('rule' in event.data ? [event.data.rule] : [])),
      };
    };
    expect(await play()).toEqual(await play());
  });
});
