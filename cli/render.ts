// How answers look to a person: tables, single things as lines, times and money in short words.
import { stripVTControlCharacters } from 'node:util';
import { z } from 'zod';
import { sizeText } from '../core/size.ts';
import type { Table } from '../tools/define.ts';

type Row = Readonly<Record<string, unknown>>;

/** So many of the files that a session changed are named. */
const FILES_SHOWN = 5;
/** A column becomes no narrower than that, in characters. */
const LEAST_WIDTH = 16;
const Changes = z.looseObject({ files: z.array(z.string()), fileCount: z.number(), commitCount: z.number() });

/**
 * The rows of an answer as a table with a heading. Where the terminal is narrow, columns become narrower, then those before the last one are left
 * out; the first id is always whole, since the next command wants it.
 */
export function tableOf(rows: readonly Row[], columns: Table['columns'], width: number): string {
  const headings = Object.keys(columns);
  const cells = rows.map((row) => Object.values(columns).map((path) => cellOf(path, fieldAt(row, path))));
  const paths = Object.values(columns);
  const named = paths.findIndex(isIdPath);
  const wanted = headings.map((heading, at) => {
    const widest = Math.max(visible(heading), ...cells.map((row) => visible(row[at] ?? '')));
    return { at, isId: isIdPath(paths[at] ?? ''), width: widest, least: at === named ? widest : Math.min(widest, LEAST_WIDTH) };
  });
  const used = wanted.filter(({ at }) => cells.some((row) => row[at] !== '') || rows.length === 0);
  const shown = fitted(used, named, width);
  const whole = lengthOf(shown.slice(0, shown.findIndex(({ at }) => at === named) + 1).map((column) => column.width));
  return [headings, ...cells]
    .map((row) =>
      shown
        .map((column) => {
          const cell = row[column.at] ?? '';
          const text = column.isId ? cutInside(cell, column.width) : cut(cell, column.width);
          return text + ' '.repeat(Math.max(0, column.width - visible(text)));
        })
        .join('  ')
        .trimEnd(),
    )
    .map((line) => cut(line, Math.max(width, whole)))
    .join('\n');
}

interface Column {
  /** Which one of all. */
  readonly at: number;
  readonly isId: boolean;
  readonly width: number;
  readonly least: number;
}

/** The columns with which a line is no longer than `width`, as far as that is possible: the widest lose first, those of other ids last. */
function fitted(used: readonly Column[], named: number, width: number): readonly Column[] {
  const columns = used.map((column) => ({ ...column }));
  const spare = () => columns.findLastIndex(({ at }, place) => at !== named && place < columns.length - 1);
  while (lengthOf(columns.map(({ least }) => least)) > width && spare() >= 0) columns.splice(spare(), 1);
  for (const ids of [false, true])
    while (lengthOf(columns.map((column) => column.width)) > width) {
      const widest = columns
        .filter((column) => column.width > column.least && (ids || !column.isId))
        .reduce<(typeof columns)[number] | undefined>((most, one) => (most && most.width >= one.width ? most : one), undefined);
      if (!widest) break;
      widest.width--;
    }
  return columns;
}

function lengthOf(widths: readonly number[]): number {
  return widths.reduce((sum, one) => sum + one + 2, -2);
}

/** What the next command wants to be told whole. */
function isIdPath(path: string): boolean {
  return /^(id|sessionId|requestId|taskId)$/.test(path);
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
  if (typeof value === 'object' && 'fileCount' in value) return changesText(value);
  if (typeof value === 'object' && 'branch' in value) return safe(`${fieldAt(value, 'path')} on branch ${value.branch}`);
  if (typeof value === 'object' && 'kind' in value) {
    const kind = String(value.kind).replaceAll('_', ' ');
    return safe('reason' in value && value.reason !== undefined ? `${kind}: ${value.reason}` : kind);
  }
  return safe(typeof value === 'object' ? JSON.stringify(value) : String(value));
}

/** How many files and commits, and the first files. */
function changesText(changes: object): string {
  const { files, fileCount, commitCount } = Changes.parse(changes);
  const shown = [...files.slice(0, FILES_SHOWN), ...(fileCount > FILES_SHOWN ? ['…'] : [])].join(', ');
  const counts = `${fileCount} file${fileCount === 1 ? '' : 's'}, ${commitCount} commit${commitCount === 1 ? '' : 's'}`;
  return safe(shown === '' ? counts : `${counts}: ${shown}`);
}

/** A prompt, a request or a suggestion in a line: how it stands, the id to name it by, and what is said. Undefined for anything else. */
function saidOf(value: unknown): string | undefined {
  const text = fieldAt(value, 'text|prompt');
  if (text === undefined) return undefined;
  const words = ['state', 'requestId', 'decision', 'rule']
    .map((name) => fieldAt(value, name))
    .filter((word) => word !== undefined);
  return safe(`${words.join(' ')}: ${String(text).replace(/\s+/g, ' ')}`);
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
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value !== undefined && value !== null;
  return 'fileCount' in value || 'branch' in value || ('kind' in value && !('text' in value));
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

/** The same for what is told apart by its end, as ids are. */
function cutInside(text: string, width: number): string {
  const characters = [...text];
  const end = Math.floor((width - 1) / 2);
  return visible(text) <= width ? text : `${characters.slice(0, width - 1 - end).join('')}…${characters.slice(-end).join('')}`;
}

function cut(line: string, width: number): string {
  return visible(line) <= width ? line : `${[...line].slice(0, Math.max(1, width - 1)).join('')}…`;
}
