// What a benchmark measures and what it says of it: samples taken by turns with a baseline, their quantiles, and a row for the table.

export interface Figures {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly least: number;
  readonly most: number;
}

/** One line of the result. Every figure is in `unit`. */
export interface Row {
  /** Benchmark and case, such as `start busy`. */
  readonly name: string;
  readonly what: string;
  readonly unit: 'ms' | 'MB';
  readonly figures: Figures;
  readonly baseline: { readonly what: string; readonly figures: Figures };
  /** Median of ours by median of the baseline. */
  readonly ratio: number;
  readonly target: Verdict | undefined;
}

export interface Verdict {
  /** What is asked for, such as `p50 ≤ 30 ms`. */
  readonly text: string;
  /** What the target is about, as measured. */
  readonly measured: number;
  readonly most: number;
  readonly isMet: boolean;
}

export interface Samples {
  readonly ours: readonly number[];
  readonly baseline: readonly number[];
}

export interface Turns {
  readonly rounds: number;
  /** No new round begins after so long. */
  readonly budgetMs: number;
  /** One measurement of each. */
  readonly ours: (round: number) => Promise<number>;
  readonly baseline: (round: number) => Promise<number>;
}

/** Measures the two by turns, so that what else the machine does hits both alike. */
export async function byTurns({ rounds, budgetMs, ours, baseline }: Turns): Promise<Samples> {
  const samples: Record<keyof Samples, number[]> = { ours: [], baseline: [] };
  const until = performance.now() + budgetMs;
  for (let round = 0; round < rounds && performance.now() < until; round += 1) {
    samples.ours.push(await ours(round));
    samples.baseline.push(await baseline(round));
  }
  return samples;
}

/** How long a deed takes, in milliseconds. */
export async function timed(deed: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await deed();
  return performance.now() - from;
}

/** Processor time that a deed takes of this process, in milliseconds. Nothing else may be under way. */
export async function processorMs(deed: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await deed();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Quantiles of the samples, each one of the samples itself. */
function figuresOf(samples: readonly number[]): Figures {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
  return { count: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), least: at(0), most: at(1) };
}

export interface RowParts {
  readonly name: string;
  readonly what: string;
  readonly unit?: Row['unit'];
  readonly samples: Samples;
  /** What the baseline is. */
  readonly against: string;
  readonly target?: (figures: Figures, baseline: Figures) => Omit<Verdict, 'isMet'>;
}

/** The row of one case. */
export function rowOf({ name, what, unit = 'ms', samples, against, target }: RowParts): Row {
  const figures = figuresOf(samples.ours);
  const baseline = figuresOf(samples.baseline);
  const asked = target?.(figures, baseline);
  return {
    name,
    what,
    unit,
    figures,
    baseline: { what: against, figures: baseline },
    ratio: figures.p50 / baseline.p50,
    target: asked && { ...asked, isMet: asked.measured <= asked.most },
  };
}
