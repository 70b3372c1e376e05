// The end of a journal when it is opened: a write that was cut short is put aside and cut off, anything else is damage that a person looks at.
import { open, rm, truncate, writeFile } from 'node:fs/promises';
import { fail } from '../../core/errors.ts';
import { piecesOf, type Segment, seqOf } from './journal-records.ts';

/** Number and place of the last good event, after a torn end was cut off. Fails with STORAGE_CORRUPT where the damage is no torn end. */
export async function mendedEnd(segments: Segment[]): Promise<{ readonly last: number | undefined; readonly bytes: number }> {
  const segment = segments.at(-1);
  if (!segment) return { last: undefined, bytes: 0 };
  let bytes = 0;
  let last: number | undefined;
  let damage: { readonly at: number; readonly line: number } | undefined;
  for await (const pieces of piecesOf(segment.file)) {
    for (const piece of pieces) {
      if (piece.kind === 'damage') damage ??= piece;
      else [bytes, last] = [piece.end, seqOf(piece.json)];
      if (damage && (piece.kind === 'record' || piece.records.length > 0))
        fail('STORAGE_CORRUPT', damageText(segment.file, damage));
    }
  }
  if (damage) await cutTorn(segment.file, damage.at);
  if (last !== undefined) return { last, bytes };
  // nothing in it was ever acknowledged
  await rm(segment.file);
  segments.pop();
  return segments.length > 0 ? { last: segment.first - 1, bytes: Number.POSITIVE_INFINITY } : { last: undefined, bytes: 0 };
}

/** The words for damage that is no torn end. */
export function damageText(file: string, { at, line }: { readonly at: number; readonly line: number }): string {
  return `The journal ${file} is damaged at line ${line}, byte ${at}, and good records follow.`;
}

/** Keeps the bytes behind `at` in a file of their own, then cuts them off. */
async function cutTorn(file: string, at: number): Promise<void> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const torn = Buffer.alloc(size - at);
    await handle.read(torn, 0, torn.length, at);
    await writeFile(`${file}.torn-${size}`, torn, { mode: 0o600 });
  } finally {
    await handle.close();
  }
  await truncate(file, at);
}
