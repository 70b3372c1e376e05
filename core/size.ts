// Amounts of memory and disk as people write them, such as `512MB`. Units count by 1024: 1KB is 1024 bytes.
import { z } from 'zod';

const FORM = /^(\d+(?:\.\d+)?) ?([KMGT]?)B?$/i;
const UNITS = ['', 'K', 'M', 'G', 'T'];

/** A size in text; `0` means none. */
export const Size = z.string().regex(FORM, 'Must be a size such as "512MB" or "4GB"');
export type Size = z.infer<typeof Size>;

/** Bytes of a size that `Size` accepts. */
export function bytesOf(size: Size): number {
  const [, amount = '0', unit = ''] = FORM.exec(size) ?? [];
  return Math.round(Number(amount) * 1024 ** UNITS.indexOf(unit.toUpperCase()));
}

/** Bytes as a person reads them, with at most one decimal: `1.5 GB`. */
export function sizeText(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  return `${Number((bytes / 1024 ** power).toFixed(1))} ${UNITS[power]}B`;
}
