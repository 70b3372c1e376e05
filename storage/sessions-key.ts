// The edits that make the `sessions:` key of a front matter hold given sessions. Every other byte keeps its place.
//
// The list is found with the ranges the YAML parser gives, never written by a YAML printer: that would touch quotes, comments and
// numbers elsewhere. An item with the id of a session gives way to the new one, others stay, new ones come last. A list in brackets
// stays in brackets. What is no list that can be owned (a word, a mapping, an anchor) is refused.
import { isAlias, isMap, isScalar, isSeq, type Pair, type ParsedNode, type YAMLMap, type YAMLSeq } from 'yaml';
import type { SessionText } from './session-text.ts';
import { type Edit, lineEndOf, type Span } from './text-lines.ts';
import { yamlDocument } from './yaml-document.ts';

export type KeyRefusal = 'broken_front_matter' | 'not_a_list';
export type KeyEdits = { readonly edits: readonly Edit[] } | { readonly refused: KeyRefusal };

type Node = ParsedNode | null;
type RootMap = YAMLMap.Parsed<ParsedNode, Node>;

/** The edits of `text` whose front matter lies at `inner`. */
export function sessionsKeyEdits(text: string, inner: Span, sessions: readonly SessionText[]): KeyEdits {
  const source = text.slice(inner.start, inner.end);
  const lineEnd = lineEndOf(text);
  const root = rootOf(source);
  if (root === 'broken') return { refused: 'broken_front_matter' };
  const edits = root ? editsIn(source, root, sessions, lineEnd) : [{ ...at(source.length), text: newKey(sessions, 0, lineEnd) }];
  if (edits === undefined) return { refused: 'not_a_list' };
  return { edits: edits.map((edit) => ({ start: edit.start + inner.start, end: edit.end + inner.start, text: edit.text })) };
}

/** The `sessions:` key with its items, each line ended. */
export function newKey(sessions: readonly SessionText[], indent: number, lineEnd: string): string {
  const margin = ' '.repeat(indent);
  return `${margin}sessions:${newItems(sessions, indent + 2, lineEnd)}${lineEnd}`;
}

function rootOf(source: string): RootMap | undefined | 'broken' {
  try {
    const document = yamlDocument(source);
    if (document.errors.length > 0) return 'broken';
    if (document.contents === null) return undefined;
    if (isScalar(document.contents) && document.contents.value === null && document.contents.source === '') return undefined;
    return isMap(document.contents) && !document.contents.flow ? document.contents : 'broken';
  } catch {
    // nesting so deep that the parser gave up
    return 'broken';
  }
}

function editsIn(source: string, root: RootMap, sessions: readonly SessionText[], lineEnd: string): Edit[] | undefined {
  const pair = root.items.find(({ key }) => isScalar(key) && key.value === 'sessions');
  const indent = columnOf(source, root.range[0]);
  if (!pair) return [{ ...at(source.length), text: newKey(sessions, indent, lineEnd) }];
  const colon = colonBehind(source, pair);
  if (colon === undefined) return undefined;
  const { value } = pair;
  if (value && (isAlias(value) || value.anchor || value.tag)) return undefined;
  if (isSeq(value))
    return value.items.length > 0
      ? listEdits(source, value, sessions, lineEnd)
      : filled(source, colon, value.range[1], sessions, indent, lineEnd);
  if (value && !(isScalar(value) && value.value === null)) return undefined;
  return filled(source, colon, value?.source ? value.range[1] : colon, sessions, indent, lineEnd);
}

/** For a key without items: what stands for "none" goes, the items follow on lines of their own. */
function filled(
  source: string,
  colon: number,
  valueEnd: number,
  sessions: readonly SessionText[],
  indent: number,
  lineEnd: string,
): Edit[] {
  const none = { start: colon, end: Math.max(colon, valueEnd), text: '' };
  const items = { ...at(endOfLine(source, none.end)), text: newItems(sessions, indent + 2, lineEnd) };
  return none.start === none.end ? [items] : [none, items];
}

function listEdits(source: string, list: YAMLSeq.Parsed, sessions: readonly SessionText[], lineEnd: string): Edit[] | undefined {
  const last = list.items.at(-1);
  if (!last) return undefined;
  const edits: Edit[] = [];
  const fresh: SessionText[] = [];
  for (const session of sessions) {
    const item = list.items.find((candidate) => isMap(candidate) && String(candidate.get('id')) === session.id);
    if (!item) fresh.push(session);
    else if (!isMap(item) || item.anchor || item.tag) return undefined;
    else edits.push(replaced(source, item, session, list.flow === true, lineEnd));
  }
  if (fresh.length === 0) return edits;
  if (list.flow) return [...edits, { ...at(last.range[1]), text: fresh.map((session) => `, ${session.flowItem}`).join('') }];
  const indent = columnOf(source, list.range[0]);
  return [...edits, { ...at(endOfLine(source, endOf(source, last))), text: newItems(fresh, indent, lineEnd) }];
}

function replaced(source: string, item: YAMLMap.Parsed, session: SessionText, inFlow: boolean, lineEnd: string): Edit {
  const [start, end] = item.range;
  if (inFlow || item.flow) return { start, end, text: session.flowItem };
  const margin = ' '.repeat(columnOf(source, start));
  return { start, end: endOf(source, item), text: session.item.join(lineEnd + margin) };
}

/** Items to be put at the end of a line; the last one is left without a line end. */
function newItems(sessions: readonly SessionText[], indent: number, lineEnd: string): string {
  const margin = ' '.repeat(indent);
  return sessions.map(({ item }) => `${lineEnd}${margin}- ${item.join(`${lineEnd}${margin}  `)}`).join('');
}

/** Where what a node says ends, without the blank lines and comments the parser counts as its own. */
function endOf(source: string, node: ParsedNode): number {
  const lastInside = isSeq(node) && !node.flow ? node.items.at(-1) : undefined;
  if (lastInside) return endOf(source, lastInside);
  const lastPair: Pair<ParsedNode, Node> | undefined = isMap(node) && !node.flow ? node.items.at(-1) : undefined;
  if (lastPair)
    return lastPair.value && lastPair.value.range[1] > lastPair.key.range[1]
      ? endOf(source, lastPair.value)
      : (colonBehind(source, lastPair) ?? lastPair.key.range[1]);
  let end = node.range[1];
  while (end > node.range[0] && /[ \t\r\n]/.test(source[end - 1] ?? '')) end--;
  return end;
}

/** The offset behind the colon of a key, or undefined when no colon follows it directly. */
function colonBehind(source: string, { key }: Pair<ParsedNode, Node>): number | undefined {
  const between = /^[ \t]*:/.exec(source.slice(key.range[1], key.range[1] + 100));
  return between ? key.range[1] + between[0].length : undefined;
}

function endOfLine(source: string, from: number): number {
  const feed = source.indexOf('\n', from);
  if (feed < 0) return source.length;
  return feed > from && source[feed - 1] === '\r' ? feed - 1 : feed;
}

function columnOf(source: string, offset: number): number {
  return offset - (source.lastIndexOf('\n', offset - 1) + 1);
}

function at(offset: number): Span {
  return { start: offset, end: offset };
}
