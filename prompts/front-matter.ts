// The front matter of a Markdown rule file: reads it with the places of everything, so that what is wrong is told by line and column. Nothing is executed.
import matter from 'gray-matter';
import { type Document, isAlias, isCollection, isMap, isScalar, LineCounter, parseDocument, visit } from 'yaml';

export const MAX_RULE_BYTES = 64 * 1024;
/** The reader of YAML takes a millisecond for about a thousand characters in its first moments. */
export const MAX_RULE_FRONT_MATTER = 16 * 1024;
const MAX_BRACKETS = 120;

export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface PlacedProblem extends Place {
  readonly message: string;
}

export interface FrontMatter {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly body: string;
  /** Line of the file with the first line of the body. */
  readonly bodyLine: number;
  /** Where the value, or with `key` the key, at this path begins. */
  readonly placeOf: (path: readonly PropertyKey[], what?: 'key' | undefined) => Place;
}

/** Front matter and body of a rule file, or what is wrong with it. */
export function readFrontMatter(raw: string): FrontMatter | { readonly problem: PlacedProblem } {
  const text = raw.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n');
  const at = (line: number, column: number, message: string) => ({ problem: { line, column, message } });
  if (Buffer.byteLength(raw) > MAX_RULE_BYTES) return at(1, 1, `The file has more than ${MAX_RULE_BYTES} bytes.`);
  if (raw.includes('\0')) return at(1, 1, 'The file is no text.');
  const first = text.slice(0, Math.max(0, text.indexOf('\n')));
  if (/^---[ \t]*\S/.test(first))
    return at(1, 4, 'The front matter is YAML between two lines "---"; no other language is read, and nothing in it is run.');
  if (first.trimEnd() !== '---') return at(1, 1, 'The file does not begin with front matter: a line "---", YAML, a line "---".');
  const end = /^---[ \t]*$/m.exec(text.slice(first.length + 1))?.index;
  if (end === undefined) return at(1, 1, 'The front matter is not closed by a line "---".');
  const source = text.slice(first.length, first.length + 1 + end);
  if (source.length > MAX_RULE_FRONT_MATTER)
    return at(1, 1, `The front matter has more than ${MAX_RULE_FRONT_MATTER} characters.`);
  if (/\s{1000}/.test(source)) return at(1, 1, 'The front matter holds a very long run of blanks.');
  if (isTooDeep(source)) return at(1, 1, 'The front matter nests too deeply.');

  const lines = new LineCounter();
  const document = parseDocument(source, { schema: 'core', logLevel: 'silent', lineCounter: lines, uniqueKeys: true });
  const [error] = document.errors;
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  if (error) return { problem: { ...place(error.pos[0]), message: `The front matter is no YAML: ${shortened(error.message)}` } };
  const [warning] = document.warnings;
  if (warning)
    return { problem: { ...place(warning.pos[0]), message: `The front matter is not taken: ${shortened(warning.message)}` } };
  const alias = aliasOf(document);
  if (alias !== undefined)
    return { problem: { ...place(alias), message: 'The front matter holds an alias (*name); write the value again instead.' } };
  const { contents } = document;
  if (contents !== null && !isMap(contents)) return at(2, 1, 'The front matter is no mapping of keys to values.');
  // the package splits and hands over what was read above; its own engines would run code
  const parsed = matter(text, { language: 'yaml', engines: { ...REFUSED, yaml: () => toFields(document) } });
  return {
    fields: parsed.data,
    body: parsed.content,
    bodyLine: text.slice(0, text.length - parsed.content.length).split('\n').length,
    placeOf: (path, what) => place(offsetOf(document, path, what)),
  };
}

const refuse = () => {
  throw new Error('Front matter is never executed.');
};
const REFUSED = { json: refuse, javascript: refuse, js: refuse, coffee: refuse, toml: refuse };

function toFields(document: Document): object {
  const value: unknown = document.toJS({ maxAliasCount: 0 });
  return typeof value === 'object' && value !== null ? value : {};
}

function aliasOf(document: Document): number | undefined {
  let found: number | undefined;
  visit(document, {
    Alias(_key, node) {
      found = node.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return found;
}

/** Offset of what lies at the path, or of the nearest thing above it. */
function offsetOf(document: Document, path: readonly PropertyKey[], what: 'key' | undefined): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const [depth, key] of path.entries()) {
    if (!isCollection(node)) break;
    const isLast = depth === path.length - 1;
    const pair = isMap(node) ? node.items.find((item) => isScalar(item.key) && item.key.value === key) : undefined;
    if (pair && isScalar(pair.key)) offset = pair.key.range?.[0] ?? offset;
    if (pair && isLast && what === 'key') break;
    const next: unknown = node.get(typeof key === 'symbol' ? String(key) : key, true);
    if (typeof next !== 'object' || next === null) break;
    if ((isScalar(next) || isCollection(next) || isAlias(next)) && next.range) offset = next.range[0];
    node = next;
  }
  return offset;
}

/** The reader goes down into itself at each bracket and dash. */
function isTooDeep(source: string): boolean {
  let depth = 0;
  for (const [bracket] of source.matchAll(/[[\]{}]/g)) {
    depth = bracket === '[' || bracket === '{' ? depth + 1 : Math.max(0, depth - 1);
    if (depth > MAX_BRACKETS) return true;
  }
  return /(?:[-?][ \t]+){100}/.test(source) || /^[ \t]{400}/m.test(source);
}

/** What the reader of YAML says, without the lines of the file that it quotes. */
function shortened(message: string): string {
  const [sentence = ''] = message.split(/ at line \d+|\n/);
  return `${sentence.slice(0, 160).replace(/[.:]$/, '')}.`;
}
