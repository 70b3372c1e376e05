// Random histories of one session that is spoken to: every accepted prompt ends as delivered or failed once, in order, and is never told twice to one run.
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { type TalkStep, talkAtRandom } from '../support/talking.ts';

const RUNS = Number(process.env.SCOPECRAFT_TALKS ?? 300);
const SEED = process.env.SCOPECRAFT_SEED === undefined ? undefined : Number(process.env.SCOPECRAFT_SEED);

const plain = (...kinds: Exclude<TalkStep['kind'], 'prompt' | 'crash' | 'disk'>[]): fc.Arbitrary<TalkStep> =>
  fc.record({ kind: fc.constantFrom(...kinds) });
const step: fc.Arbitrary<TalkStep> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('prompt' as const), key: fc.nat(9), isInterrupt: fc.boolean() }),
  },
  { weight: 8, arbitrary: plain('breathe') },
  { weight: 5, arbitrary: plain('receive', 'start') },
  { weight: 4, arbitrary: plain('end', 'stumble', 'pass') },
  { weight: 2, arbitrary: plain('lose', 'fail', 'cancel', 'ask', 'answer') },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('crash' as const), finds: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('disk' as const), isFull: fc.boolean() }) },
);

describe('a session that is spoken to', () => {
  it(`keeps the rules of prompts through ${RUNS} random histories`, { timeout: Number.POSITIVE_INFINITY }, async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 30 }), talkAtRandom), {
      numRuns: RUNS,
      ...(SEED !== undefined && { seed: SEED }),
    });
  });
});
