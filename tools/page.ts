// Pages of a list whose members have a number: a cursor is the number of the last one given, so what is added later disturbs nothing.
import { fail } from '../core/errors.ts';
import { fitting } from './bounded.ts';

export interface Page<Row> {
  readonly rows: readonly Row[];
  readonly nextCursor: string | undefined;
}

export interface PageQuery<Row> {
  readonly cursor: string | undefined;
  readonly limit: number;
  /** Rises strictly through the rows, or falls where `falls` is true. */
  readonly keyOf: (row: Row) => string | number;
  readonly falls?: boolean;
}

/** The rows behind the cursor, at most `limit`. */
export function pageOf<Row>(rows: readonly Row[], query: PageQuery<Row>): Page<Row> {
  const { cursor, limit, keyOf } = query;
  const from = cursor === undefined ? 0 : placeBehind(rows, decoded(cursor), query);
  const part = rows.slice(from, from + limit);
  const last = part.at(-1);
  return { rows: part, nextCursor: last !== undefined && from + limit < rows.length ? encoded(keyOf(last)) : undefined };
}

/** The same as callers see the rows, and of them only those that fit into an answer, at least one. */
export function fittingPage<Row, View>(rows: readonly Row[], query: PageQuery<Row>, view: (row: Row) => View): Page<View> {
  const page = pageOf(rows, query);
  const views = page.rows.map(view);
  const shown = fitting(views);
  const last = page.rows[shown.length - 1];
  const isCut = shown.length < views.length && last !== undefined;
  return { rows: shown, nextCursor: isCut ? encoded(query.keyOf(last)) : page.nextCursor };
}

/** The first row behind that of the cursor, which may be gone by now. */
function placeBehind<Row>(rows: readonly Row[], key: string | number, { keyOf, falls = false }: PageQuery<Row>): number {
  const at = rows.findIndex((row) => (falls ? keyOf(row) < key : keyOf(row) > key));
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
