// The rows as a person reads them.
import type { Row } from './measure.ts';

const HEADINGS = [
  'benchmark',
  'what is measured',
  'n',
  'p50',
  'p99',
  'baseline',
  'p50',
  'p99',
  'ratio',
  'target',
  'measured',
  '',
];

/** A table with one line a row; a target that was not met says MISSED. */
export function tableOf(rows: readonly Row[]): string {
  const lines = [HEADINGS, ...rows.map(cellsOf)];
  const widths = HEADINGS.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function cellsOf({ name, what, unit, figures, baseline, ratio, target }: Row): string[] {
  const amount = (value: number) => `${value < 10 ? value.toFixed(2) : value.toFixed(1)} ${unit}`;
  const verdict = target
    ? [target.text, `${amount(target.measured)} of ${amount(target.most)}`, target.isMet ? 'met' : 'MISSED']
    : ['', '', ''];
  return [
    name,
    what,
    String(figures.count),
    amount(figures.p50),
    amount(figures.p99),
    baseline.what,
    amount(baseline.figures.p50),
    amount(baseline.figures.p99),
    `${ratio.toFixed(2)} ×`,
    ...verdict,
  ];
}
