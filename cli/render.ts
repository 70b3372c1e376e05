// How answers look to a person: tables, single things as lines, times and money in short words.
import { stripVTControlCharacters } from 'node:util';
import { sizeText } from '../core/size.ts';
import type { Table } from '../tools/define.ts';

type Row = Readonly<Record<string, unknown>>;

/** The rows of an answer as a table with a heading, or a dash line when there are none. */
export function tableOf(rows: readonly Row[], columns: Table['columns'], width: number): string {
  const headings = Object.keys(columns);
  const cells = rows.map((row) => Object.values(columns).map((path) => cellOf(path, fieldAt(row, path))));
  const widths = headings.map((heading, at) => Math.max(heading.length, ...cells.map((row) => visible(row[at] ?? ''))));
  const used = headings.map((_, at) => cells.some((row) => row[at] !== '') || rows.length === 0);
  const lines = [headings, ...cells].map((row) =>
    row
      .map((cell, at) => (used[at] ? cell + ' '.repeat(Math.max(0, (widths[at] ?? 0) - visible(cell))) : ''))
      .filter((_, at) => used[at])
      .join('  ')
      .trimEnd(),
  );
  return lines.map((line) => cut(line, width)).join('\n');
}

/** One thing as `name  value` lines; nested things are left to `--format=json`. */
export function linesOf(row: Row): string {
  const shown = Object.entries(row).filter(([name, value]) => isPlain(value) && !['summary', 'next', 'untrusted'].includes(name));
  const longest = Math.max(0, ...shown.map(([name]) => name.length));
  return shown
    .map(([name, value]) => `${name.padEnd(longest)}  ${wordsOf(name, value).replaceAll('\n', `\n${' '.repeat(longest + 2)}`)}`)
    .join('\n');
}

/** A value in short words: `…At` is a time, `…Ms` a duration, `…Usd` money. */
export function wordsOf(name: string, value: unknown): string {
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) {
    const words = value.map((one) => saidOf(one) ?? wordsOf('', one));
    return words.join(value.some(saidOf) ? '\n' : ', ');
  }
  if (name.endsWith('At') || name === 'at' || name === 'estimatedStart' || name === 'notBefore') return timeOf(String(value));
  if (name.endsWith('Ms')) return durationOf(Number(value));
  if (name.endsWith('Bytes')) return sizeText(Number(value));
  if (name.endsWith('Usd')) return `$${Number(value).toFixed(4)}`;
  if (typeof value === 'object' && value !== null && 'kind' in value) {
    const kind = String(value.kind).replaceAll('_', ' ');
    return safe('reason' in value && value.reason !== undefined ? `${kind}: ${value.reason}` : kind);
  }
  return safe(String(value));
}

/** A prompt or a request in a line: how it stands, the id to answer it by, and what was said. Undefined for anything else. */
function saidOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !('text' in value)) return undefined;
  const words = ['state', 'requestId', 'decision'].map((name) => fieldAt(value, name)).filter((word) => word !== undefined);
  return safe(`${words.join(' ')}: ${String(value.text).replace(/\s+/g, ' ')}`);
}

/** Milliseconds as `850ms`, `12.3s`, `4m05s`, `2h10m`. */
export function durationOf(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)}s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes}m${String(Math.floor((ms % 60_000) / 1000)).padStart(2, '0')}s`;
  return `${Math.floor(minutes / 60)}h${String(minutes % 60).padStart(2, '0')}m`;
}

/** What an agent wrote, without what could move the cursor or change the terminal. */
export function safe(text: string): string {
  return stripVTControlCharacters(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
}

function timeOf(iso: string): string {
  const at = new Date(iso);
  const clock = at.toLocaleTimeString('en-GB');
  return at.toDateString() === new Date().toDateString() ? clock : `${at.toLocaleDateString('en-CA')} ${clock}`;
}

function cellOf(path: string, value: unknown): string {
  return wordsOf(path.split('.').at(-1) ?? path, value).replace(/\s+/g, ' ');
}

/** The field at a path, or the first that is there of several paths with `|` between them. */
function fieldAt(row: unknown, paths: string): unknown {
  const found = paths
    .split('|')
    .map((path) =>
      path
        .split('.')
        .reduce<unknown>(
          (value, name) => (typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined),
          row,
        ),
    );
  return found.find((value) => value !== undefined);
}

function isPlain(value: unknown): boolean {
  return (
    value !== undefined &&
    (typeof value !== 'object' || Array.isArray(value) || (value !== null && 'kind' in value && !('text' in value)))
  );
}

/** Columns a text takes, counting wide characters as two. */
function visible(text: string): number {
  return [...text].reduce(
    (sum, character) =>
      sum +
      (/\p{Emoji_Presentation}|\p{Script=Han}|\p{Script=Hangul}|\p{Script=Hiragana}|\p{Script=Katakana}/u.test(character)
        ? 2
        : 1),
    0,
  );
}

function cut(line: string, width: number): string {
  return visible(line) <= width ? line : `${[...line].slice(0, Math.max(1, width - 1)).join('')}…`;
}
