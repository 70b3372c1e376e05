// What can be said from few numbers: how far a share may be off, and the middle of a list with the half around it.

/** A share of so many, with the interval in which the true one lies 95 times of 100. */
export type Share = {
  readonly count: number;
  readonly of: number;
  readonly low: number;
  readonly high: number;
};

/** The median of so many values, and the quartiles: half of the values lie between them. */
export type Middle = {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly of: number;
};

/** Of the normal distribution: between minus and plus this lie 95 of 100. */
const Z = 1.959964;

/** The share by Wilson's interval, which also holds for few cases and for none or all of them; undefined without any case. */
export function share(count: number, of: number): Share | undefined {
  if (of <= 0) return undefined;
  const rate = count / of;
  const spread = Z * Math.sqrt((rate * (1 - rate)) / of + Z ** 2 / (4 * of ** 2));
  const scale = 1 + Z ** 2 / of;
  const middle = rate + Z ** 2 / (2 * of);
  return { count, of, low: tidy(Math.max(0, (middle - spread) / scale)), high: tidy(Math.min(1, (middle + spread) / scale)) };
}

/** Undefined without values. */
export function middle(values: readonly number[]): Middle | undefined {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number) => {
    const place = (sorted.length - 1) * part;
    const [below = 0, above = below] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
    return tidy(below + (above - below) * (place - Math.floor(place)));
  };
  return { median: at(0.5), low: at(0.25), high: at(0.75), of: sorted.length };
}

/** Four places are enough, and keep 0.30000000000000004 away. */
function tidy(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
