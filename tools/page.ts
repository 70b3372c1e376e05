// Pages of a list whose members have a number: a cursor is the number of the last one given, so what is added later disturbs nothing.
import { fail } from '../core/errors.ts';

export interface Page<Row> {
  readonly rows: readonly Row[];
  readonly nextCursor: string | undefined;
}

/** The rows behind the cursor, at most `limit`. `keyOf` must rise or fall strictly through the rows. */
export function pageOf<Row>(
  rows: readonly Row[],
  { cursor, limit, keyOf }: { cursor: string | undefined; limit: number; keyOf: (row: Row) => string | number },
): Page<Row> {
  const from = cursor === undefined ? 0 : placeBehind(rows, decoded(cursor), keyOf);
  const part = rows.slice(from, from + limit);
  const last = part.at(-1);
  return { rows: part, nextCursor: last !== undefined && from + limit < rows.length ? encoded(keyOf(last)) : undefined };
}

function placeBehind<Row>(rows: readonly Row[], key: string | number, keyOf: (row: Row) => string | number): number {
  const exact = rows.findIndex((row) => keyOf(row) === key);
  if (exact >= 0) return exact + 1;
  // the row of the cursor is gone: go on with the first one behind where it stood
  const [first, last] = [rows[0], rows.at(-1)];
  if (first === undefined || last === undefined) return 0;
  const rising = keyOf(first) <= keyOf(last);
  const at = rows.findIndex((row) => (rising ? keyOf(row) > key : keyOf(row) < key));
  return at < 0 ? rows.length : at;
}

function encoded(key: string | number): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

function decoded(cursor: string): string | number {
  try {
    const key: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (typeof key === 'string' || typeof key === 'number') return key;
  } catch {
    // not one of ours: told below
  }
  return fail('CURSOR_INVALID', `"${cursor}" is not a cursor of this list.`);
}
