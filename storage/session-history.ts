// The edits that make the section `## Session History` hold the history of given sessions. Every other byte keeps its place.
//
// A session has a block there, `### Session: <id> (Autonomous)` with one line for each thing that happened. Lines only ever join a
// block: what an agent or a person wrote between ours is kept, for a block is also where an agent's own notes end up. A missing
// section is added before `## Log`, or at the end.
import type { HistoryLine } from '../core/history.ts';
import { findSection, headingOf, type Markdown, readMarkdown, type Section, sectionsIn } from './markdown-sections.ts';
import type { SessionText } from './session-text.ts';
import { type Edit, isBlank, lineEndOf } from './text-lines.ts';

export const HISTORY_HEADING = 'Session History';
const STAMPED = /^- (\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2}): (.*)$/s;

export type HistoryEdits = { readonly edits: readonly Edit[] } | { readonly refused: 'open_fence' };

/** The edits of `text` whose Markdown begins at `bodyStart`. */
export function historyEdits(text: string, bodyStart: number, sessions: readonly SessionText[]): HistoryEdits {
  const markdown = readMarkdown(text, bodyStart);
  const section = findSection(text, markdown, 2, HISTORY_HEADING);
  const lineEnd = lineEndOf(text);
  if (!section) return newSection(text, markdown, sessions, lineEnd);
  const blocks = sectionsIn(markdown, section, 3);
  const edits: Edit[] = [];
  const fresh: SessionText[] = [];
  for (const session of sessions) {
    const block = blocks.find(({ from }) => sessionNamedAt(text, markdown, from) === session.id);
    if (block) edits.push(...joined(text, markdown, block, session.history, lineEnd));
    else fresh.push(session);
  }
  if (fresh.length === 0) return { edits };
  if (markdown.open && section.to === markdown.lines.length) return { refused: 'open_fence' };
  const last = lastFilled(text, markdown, section);
  const gap = last === section.from ? lineEnd : lineEnd + lineEnd;
  return { edits: [...edits, putBehind(markdown, last, gap + blocksOf(fresh, lineEnd))] };
}

/** The history of each session the section tells of, as far as its lines can be read. */
export function readHistory(text: string, bodyStart: number): ReadonlyMap<string, readonly HistoryLine[]> {
  const markdown = readMarkdown(text, bodyStart);
  const section = findSection(text, markdown, 2, HISTORY_HEADING);
  const found = new Map<string, HistoryLine[]>();
  for (const block of section ? sectionsIn(markdown, section, 3) : []) {
    const id = sessionNamedAt(text, markdown, block.from);
    if (id !== undefined && !found.has(id)) found.set(id, linesOfBlock(text, markdown, block).flatMap(historyLineOf));
  }
  return found;
}

function newSection(text: string, markdown: Markdown, sessions: readonly SessionText[], lineEnd: string): HistoryEdits {
  const section = `## ${HISTORY_HEADING}${lineEnd}${blocksOf(sessions, lineEnd)}`;
  const log = findSection(text, markdown, 2, 'Log');
  const before = log && markdown.lines[log.from];
  if (log && before) {
    const previous = markdown.lines[log.from - 1];
    const gap = previous && !isBlank(text, previous) ? lineEnd : '';
    return { edits: [{ start: before.start, end: before.start, text: `${gap}${section}${lineEnd}${lineEnd}` }] };
  }
  if (markdown.open) return { refused: 'open_fence' };
  const last = markdown.lines.at(-1);
  const end = { start: text.length, end: text.length };
  if (!text.endsWith('\n')) return { edits: [{ ...end, text: `${lineEnd}${lineEnd}${section}` }] };
  const gap = last && isBlank(text, last) ? '' : lineEnd;
  return { edits: [{ ...end, text: `${gap}${section}${lineEnd}` }] };
}

/** Edits that put the missing lines into a block, each behind the line of ours it follows. */
function joined(text: string, markdown: Markdown, block: Section, history: readonly string[], lineEnd: string): Edit[] {
  const there = new Map<string, number[]>();
  for (let index = block.from + 1; index < block.to; index++) {
    const line = contentAt(text, markdown, index);
    there.set(line, [...(there.get(line) ?? []), index]);
  }
  const places = history.map((line) => there.get(line)?.shift());
  const edits: Edit[] = [];
  for (const [index, line] of history.entries()) {
    if (places[index] !== undefined) continue;
    const following = places.slice(index + 1).find((place) => place !== undefined);
    edits.push(putBehind(markdown, following === undefined ? tailOf(text, markdown, block) : following - 1, lineEnd + line));
  }
  return edits;
}

/** The last line of the block that tells of something, with the lines that go on with it. */
function tailOf(text: string, markdown: Markdown, block: Section): number {
  let tail = block.from;
  for (let index = block.from + 1; index < block.to; index++) {
    if (!markdown.lines[index]?.hidden && STAMPED.test(contentAt(text, markdown, index))) tail = index;
  }
  while (tail > block.from && tail + 1 < block.to && /^[ \t]+[^ \t]/.test(contentAt(text, markdown, tail + 1))) tail++;
  return tail;
}

function lastFilled(text: string, markdown: Markdown, section: Section): number {
  let last = section.to - 1;
  for (let line = markdown.lines[last]; line && last > section.from && isBlank(text, line); line = markdown.lines[last]) last--;
  return last;
}

function putBehind(markdown: Markdown, index: number, text: string): Edit {
  const end = markdown.lines[index]?.end ?? 0;
  return { start: end, end, text };
}

function blocksOf(sessions: readonly SessionText[], lineEnd: string): string {
  return sessions.map(({ heading, history }) => [heading, ...history].join(lineEnd)).join(lineEnd + lineEnd);
}

function sessionNamedAt(text: string, markdown: Markdown, index: number): string | undefined {
  const line = markdown.lines[index];
  return line && /^Session:[ \t]+([^ \t]+)/.exec(headingOf(text, line))?.[1];
}

function linesOfBlock(text: string, markdown: Markdown, block: Section): string[] {
  return Array.from({ length: block.to - block.from - 1 }, (_, index) => contentAt(text, markdown, block.from + 1 + index));
}

function historyLineOf(content: string): HistoryLine[] {
  const [, day, time, said] = STAMPED.exec(content) ?? [];
  const at = Date.parse(`${day}T${time}Z`);
  return said === undefined || Number.isNaN(at) ? [] : [{ at, text: said }];
}

function contentAt(text: string, { lines }: Markdown, index: number): string {
  const line = lines[index];
  return line ? text.slice(line.start, line.end) : '';
}
