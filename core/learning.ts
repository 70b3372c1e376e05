// Which of several rules that are equal to take: each as often as it is likely to be the best one, by what came of its sessions (Thompson
// sampling). What is known of a rule is a Beta distribution of its success, from one success and one failure that nobody saw. How likely each
// is to be the best is worked out on a grid, and one number drawn from the seed decides: the chances that are recorded are those drawn with.
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { Ledger } from './ledger.ts';
import type { Clock, Settings } from './ports.ts';
import { tallyKey, weights } from './rule-tally.ts';
import type { Chances, UsedRule } from './used-rule.ts';

const GRID = 256;
/** More sessions than these add no certainty: so a rule that has become worse is found out, and the grid stays fine enough. */
const MOST = 400;

/** Where on the way from 0 to 1 the distributions are looked at. */
const POINTS = Array.from({ length: GRID }, (_, nth) => {
  const success = (nth + 0.5) / GRID;
  return { logOf: Math.log(success), logOfRest: Math.log(1 - success) };
});

export interface Evidence {
  readonly good: number;
  readonly bad: number;
}

export type Candidate = Pick<UsedRule, 'id' | 'version'>;

export interface Learning {
  /** How likely its sessions are to succeed, from 0 to 1; undefined where nothing is known yet. */
  success(id: string, version: string): number | undefined;
  /** Draws one of the candidates, of which there must be one at least. The same evidence and seed give the same. */
  choose(candidates: readonly Candidate[], seed: string): { readonly index: number; readonly chances: Chances };
}

export interface LearningParts {
  readonly ledger: Pick<Ledger, 'tally'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly settings: Pick<Settings, 'current'>;
}

/** What the ledger teaches at a time. */
export function learningOf(ledger: Pick<Ledger, 'tally'>, at: number): Learning {
  const known = (candidate: Candidate): Evidence => {
    const tally = ledger.tally(tallyKey(candidate));
    return tally ? weights(tally, at) : { good: 0, bad: 0 };
  };
  return {
    success(id, version) {
      const { good, bad } = known({ id, version });
      return good + bad > 0 ? (good + 1) / (good + bad + 2) : undefined;
    },
    choose: (candidates, seed) => choose(candidates, candidates.map(known), seed),
  };
}

/** What the rules learn from while the setting `prompts.learning` says so. */
export function learningBy({ ledger, clock, settings }: LearningParts): () => Learning | undefined {
  return () => (settings.current().prompts.learning ? learningOf(ledger, clock.now()) : undefined);
}

/** How likely each is to have the highest success; they add up to 1. */
export function chancesOf(all: readonly Evidence[]): readonly number[] {
  const densities = all.map(densityOf);
  const chances = new Float64Array(all.length);
  /** How likely each is to lie below the point. */
  const below = new Float64Array(all.length);
  /** How likely each is to be worse than one at the point: of two at the same point half of the times one is better. */
  const worse = new Float64Array(all.length);
  /** How likely it is that all before it are worse. */
  const ahead = new Float64Array(all.length);
  // loops without lists or functions of their own, because every choice takes them for each point
  for (let point = 0; point < GRID; point++) {
    let product = 1;
    for (let nth = 0; nth < all.length; nth++) {
      const lower = (below[nth] ?? 0) + (densities[nth]?.[point] ?? 0) / 2;
      ahead[nth] = product;
      worse[nth] = lower;
      product *= lower;
    }
    product = 1;
    for (let nth = all.length - 1; nth >= 0; nth--) {
      const mass = densities[nth]?.[point] ?? 0;
      chances[nth] = (chances[nth] ?? 0) + mass * ((ahead[nth] ?? 0) * product);
      product *= worse[nth] ?? 1;
      below[nth] = (below[nth] ?? 0) + mass;
    }
  }
  const sum = chances.reduce((total, chance) => total + chance, 0);
  return Array.from(chances, (chance) => chance / sum);
}

function choose(candidates: readonly Candidate[], evidence: readonly Evidence[], seed: string) {
  // as they are recorded, so that whoever reads them can draw again
  const rounded = chancesOf(evidence).map((chance) => Math.round(chance * 10_000) / 10_000);
  let left = uniformFloat64(xoroshiro128plus(numberOf(seed))) * rounded.reduce((sum, chance) => sum + chance, 0);
  const found = rounded.findIndex((chance) => {
    left -= chance;
    return left < 0;
  });
  const of = Object.fromEntries(candidates.map(({ id }, nth) => [id, rounded[nth] ?? 0]));
  return { index: found < 0 ? rounded.length - 1 : found, chances: { seed, of } };
}

/** The Beta distribution in steps, adding up to 1. */
function densityOf({ good, bad }: Evidence): Float64Array {
  const scale = Math.min(1, MOST / Math.max(1, good + bad));
  const heights = new Float64Array(GRID);
  let highest = Number.NEGATIVE_INFINITY;
  POINTS.forEach(({ logOf, logOfRest }, point) => {
    const log = good * scale * logOf + bad * scale * logOfRest;
    heights[point] = log;
    highest = Math.max(highest, log);
  });
  let sum = 0;
  for (let point = 0; point < GRID; point++) {
    const height = Math.exp((heights[point] ?? 0) - highest);
    heights[point] = height;
    sum += height;
  }
  for (let point = 0; point < GRID; point++) heights[point] = (heights[point] ?? 0) / sum;
  return heights;
}

/** A number of 32 bits from a text (FNV-1a). */
function numberOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash | 0;
}
