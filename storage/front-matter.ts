// Finds the front matter of a task file and reads it. It never writes.
//
// Two orders are in use: front matter first (`---` … `---`, then the title), and title first (`# Title`, blank lines, then the block).
// Old files hold TOML between `+++`. A `---` further down is a rule, `---js` is nothing. All offsets are those of the text given;
// for a text decoded as latin1 they are byte offsets.
import matter from 'gray-matter';
import { parseDocument } from 'yaml';
import { isRecord } from '../core/json.ts';
import { isBlank, type Line, lineAt, linesOf, type Span } from './text-lines.ts';
import { tomlFields } from './toml-fields.ts';
import { yamlDocument } from './yaml-document.ts';

/** Largest front matter in characters between its two lines, and how deep its values may nest. */
export const MAX_FRONT_MATTER = 64 * 1024;
const MAX_DEPTH = 20;
/** gray-matter takes quadratic time on a long run of blank lines: 3.5 s at 64 kB. */
const TOO_BLANK = /\s{1000}/;

export interface FrontMatter {
  readonly kind: 'yaml' | 'toml';
  /** From the start of the opening line to the end of the closing one, its line end included. */
  readonly outer: Span;
  /** What stands between the two lines. */
  readonly inner: Span;
}

/** Where the parts of a task file lie. */
export interface Layout {
  /** Length of the byte order mark, in units of the text: 0, 1, or 3 in latin1. */
  readonly bom: number;
  /** The line `# Title` without its line end, where the file begins with one (before or after the front matter). */
  readonly title: Span | undefined;
  readonly frontMatter: FrontMatter | undefined;
  /** Behind title and front matter. */
  readonly bodyStart: number;
}

export type Fields = Readonly<Record<string, unknown>>;
export type FieldsOutcome = { readonly fields: Fields } | { readonly problem: string; readonly details?: string };

/** The parts of a task file, by lines. */
export function layoutOf(text: string): Layout {
  const bom = text.startsWith('\uFEFF') ? 1 : text.startsWith('\u00EF\u00BB\u00BF') ? 3 : 0;
  const first = lineAt(text, skipBlank(text, bom));
  const leading = blockAt(text, first);
  if (leading) {
    const title = titleAt(text, lineAt(text, skipBlank(text, leading.outer.end)));
    return { bom, title, frontMatter: leading, bodyStart: title?.next ?? leading.outer.end };
  }
  const title = titleAt(text, first);
  if (!title) return { bom, title, frontMatter: undefined, bodyStart: bom };
  const block = blockAt(text, lineAt(text, skipBlank(text, title.next)));
  const frontMatter = block && !isRule(text, block) ? block : undefined;
  return { bom, title, frontMatter, bodyStart: frontMatter?.outer.end ?? title.next };
}

/** What the front matter says, or what is wrong with it. `details` may quote the file. */
export function readFields(text: string, frontMatter: FrontMatter | undefined): FieldsOutcome {
  if (!frontMatter) return { fields: {} };
  const inner = text.slice(frontMatter.inner.start, frontMatter.inner.end);
  if (inner.length > MAX_FRONT_MATTER) return { problem: `its front matter is longer than ${MAX_FRONT_MATTER} characters` };
  if (TOO_BLANK.test(inner)) return { problem: 'its front matter holds a very long run of blanks' };
  if (looksDeep(inner)) return { problem: `its front matter nests deeper than ${MAX_DEPTH} levels` };
  if (frontMatter.kind === 'toml') return { fields: tomlFields(inner) };
  if (/^---/m.test(inner)) return { problem: 'its front matter is no YAML mapping' };
  try {
    const fields: unknown = matter(`---\n${inner}\n---\n`, { language: 'yaml', engines: ENGINES }).data;
    if (!isRecord(fields)) return { problem: 'its front matter is no YAML mapping' };
    if (!isShallow(fields)) return { problem: `its front matter nests deeper than ${MAX_DEPTH} levels` };
    return { fields };
  } catch (error) {
    return {
      problem: 'its front matter is no YAML that can be read',
      details: error instanceof Error ? error.message : String(error),
    };
  }
}

const refuseToRun = () => {
  throw new Error('Front matter is never executed.');
};

const ENGINES = {
  yaml: readYaml,
  json: refuseToRun,
  javascript: refuseToRun,
  js: refuseToRun,
  coffee: refuseToRun,
  toml: refuseToRun,
};

function readYaml(source: string): object {
  // gray-matter leaves the end of the opening line in front of it; an error is to name the lines of the file
  const document = yamlDocument(source.replace(/^\n/, ''));
  const [error] = document.errors;
  if (error) throw parseDocument(source, { logLevel: 'silent' }).errors[0] ?? error;
  const value: unknown = document.toJS({ maxAliasCount: 0 });
  if (value === null || value === undefined) return {};
  if (!isRecord(value)) throw new Error('The front matter is no mapping.');
  return value;
}

/** The parser takes seconds for 64 kB of brackets, so that much is seen beforehand; brackets in strings are counted too, hence the wide limit. */
function looksDeep(source: string): boolean {
  let depth = 0;
  for (const [bracket] of source.matchAll(/[[\]{}]/g)) {
    depth = bracket === '[' || bracket === '{' ? depth + 1 : Math.max(0, depth - 1);
    if (depth > 10 * MAX_DEPTH) return true;
  }
  return /(?:[-?][ \t]+){200}/.test(source);
}

function isShallow(root: unknown): boolean {
  let level: unknown[] = [root];
  for (let depth = 0; depth <= MAX_DEPTH; depth++) {
    level = level.flatMap((value) => (typeof value === 'object' && value !== null ? Object.values(value) : []));
    if (level.length === 0) return true;
  }
  return false;
}

function blockAt(text: string, opening: Line): FrontMatter | undefined {
  const fence = fenceOf(text, opening);
  if (!fence) return undefined;
  for (let start = opening.next; start < text.length; ) {
    const line = lineAt(text, start);
    if (fenceOf(text, line) === fence) {
      const inner = { start: opening.next, end: line.start };
      return { kind: fence === '---' ? 'yaml' : 'toml', outer: { start: opening.start, end: line.next }, inner };
    }
    start = line.next;
  }
  return undefined;
}

/** The front matter fence a line is; blanks behind it are let pass, a word behind it (`---js`) is not. */
function fenceOf(text: string, line: Line): '---' | '+++' | undefined {
  const fence = text.startsWith('---', line.start) ? '---' : text.startsWith('+++', line.start) ? '+++' : undefined;
  return fence && isBlank(text, { start: line.start + 3, end: line.end }) ? fence : undefined;
}

/** Two rules below a title enclose prose; front matter begins with a key. */
function isRule(text: string, block: FrontMatter): boolean {
  if (block.kind === 'toml') return false;
  const source = text.slice(block.inner.start, block.inner.end);
  const telling = linesOf(source, 0)
    .map((line) => source.slice(line.start, Math.min(line.end, line.start + 1000)))
    .filter((line) => !/^[ \t]*$/.test(line));
  if (telling.length === 0) return false;
  const first = telling.find((line) => !/^[ \t]*#/.test(line));
  return first === undefined || !/^[ \t]*(?:[{?]|(?:"[^"]*"|'[^']*'|[^\s:#`*>|-][^:]*):(?:[ \t]|$))/.test(first);
}

function titleAt(text: string, line: Line): Line | undefined {
  return /^#[ \t]+[^ \t]/.test(text.slice(line.start, line.end)) ? line : undefined;
}

/** Start of the first line from `from` on that is not blank, or the end of the text. */
function skipBlank(text: string, from: number): number {
  let start = from;
  for (let line = lineAt(text, start); start < text.length && isBlank(text, line); line = lineAt(text, start)) start = line.next;
  return start;
}
