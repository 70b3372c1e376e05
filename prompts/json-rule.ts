// A rule in the JSON form: one object with the keys of the front matter, whose `promptTemplate` is the text. Reads it, and changes single keys of it.
import { type FrontMatter, MAX_RULE_BYTES, MAX_RULE_FRONT_MATTER, type Place, type PlacedProblem } from './front-matter.ts';
import { type JsonNode, readJson } from './json-text.ts';

/** True for the text of a rule in the JSON form. */
export function isJsonForm(text: string): boolean {
  return text.trimStart().startsWith('{');
}

/** The keys of a rule in the JSON form, as those of a front matter with nothing below it; or what is wrong with it. */
export function readJsonRule(raw: string): FrontMatter | { readonly problem: PlacedProblem } {
  const text = raw.replace(/^\uFEFF/, '');
  const at = (offset: number, message: string) => ({ problem: { ...placeIn(text, offset), message } });
  if (Buffer.byteLength(raw) > MAX_RULE_BYTES) return at(0, `The file has more than ${MAX_RULE_BYTES} bytes.`);
  const read = readJson(text);
  if ('fault' in read) return at(read.fault.at, read.fault.message);
  const { node } = read;
  const { value } = node;
  if (Array.isArray(value)) return at(0, 'The file holds a list; `sc rule import` makes a file of each of its rules.');
  if (typeof value !== 'object' || value === null) return at(0, 'A rule in the JSON form is an object.');
  const template = node.parts.get('promptTemplate')?.node;
  if (text.length - (template ? template.end - template.start : 0) > MAX_RULE_FRONT_MATTER)
    return at(0, `Besides its "promptTemplate" the file has more than ${MAX_RULE_FRONT_MATTER} characters.`);
  return {
    fields: { ...value },
    body: '',
    bodyLine: 1,
    placeOf: (path, what) => placeIn(text, offsetOf(node, path, what)),
  };
}

/** The text with these keys set, each in its own place; what is new stands behind the others. The text is a rule that can be read. */
export function withJsonKeys(text: string, wanted: readonly (readonly [string, unknown])[]): string {
  return wanted.reduce((before, [key, value]) => {
    const read = readJson(before);
    return 'node' in read ? withKey(before, read.node, key, value) : before;
  }, text);
}

function withKey(text: string, node: JsonNode, key: string, value: unknown): string {
  const parts = [...node.parts.values()];
  const [first, last] = [parts[0], parts.at(-1)];
  // as the keys that are there are set off from each other
  const gap = first ? text.slice(node.start + 1, first.keyAt) : '\n  ';
  const written = shown(value, gap);
  const old = node.parts.get(key)?.node;
  if (old) return `${text.slice(0, old.start)}${written}${text.slice(old.end)}`;
  const at = last?.node.end ?? node.start + 1;
  return `${text.slice(0, at)}${last ? ',' : ''}${gap}${JSON.stringify(key)}: ${written}${last ? '' : '\n'}${text.slice(at)}`;
}

/** A list of conditions has a line for each, all else is on one. */
function shown(value: unknown, gap: string): string {
  const isOnLines = Array.isArray(value) && gap.includes('\n') && value.some((one) => typeof one === 'object');
  if (!isOnLines) return inOneLine(value);
  return `[${value.map((one) => `${gap}  ${inOneLine(one)}`).join(',')}${gap}]`;
}

function inOneLine(value: unknown): string {
  return JSON.stringify(value, null, 1)
    .replace(/([[{])\n\s*|\n\s*([\]}])/g, (_, open = '', close = '') =>
      open === '{' ? '{ ' : close === '}' ? ' }' : `${open}${close}`,
    )
    .replace(/\n\s*/g, ' ');
}

/** Offset of what lies at the path, or of the nearest thing above it. */
function offsetOf(root: JsonNode, path: readonly PropertyKey[], what: 'key' | undefined): number {
  let node = root;
  for (const [depth, key] of path.entries()) {
    const part = typeof key === 'symbol' ? undefined : node.parts.get(key);
    if (!part) break;
    if (what === 'key' && depth === path.length - 1) return part.keyAt;
    node = part.node;
  }
  return node.start;
}

function placeIn(text: string, offset: number): Place {
  const before = text.slice(0, offset).split('\n');
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}
