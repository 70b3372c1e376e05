// Finds headings and their sections in Markdown, without mistaking what stands in code fences and comments for headings.
import { type Line, linesOf, type Span } from './text-lines.ts';

export interface MarkdownLine extends Line {
  /** True inside a code fence or an HTML comment, its first and last line included. */
  readonly hidden: boolean;
  /** 1 … 6 for a heading, else 0. */
  readonly level: number;
}

export interface Markdown {
  readonly lines: readonly MarkdownLine[];
  /** True when a fence or comment is still open at the end, so that whatever is added there would be part of it. */
  readonly open: boolean;
}

/** A heading with what belongs to it, as places in `Markdown.lines`: `from` is the heading, `to` is behind its last line. */
export interface Section {
  readonly from: number;
  readonly to: number;
}

type Cover = { readonly mark: string; readonly length: number } | 'comment' | undefined;

/** Reads the lines of Markdown from `from` on. */
export function readMarkdown(text: string, from: number): Markdown {
  let cover: Cover;
  const lines = linesOf(text, from).map((line) => {
    const before = cover;
    // most lines are neither heading, fence nor comment, and files may be hostile: they are not looked at twice
    const content = before !== undefined || isMarked(text, line) ? text.slice(line.start, line.end) : '';
    cover = before ? coverAfter(before, content) : content ? coverOpenedBy(content) : undefined;
    const hidden = before !== undefined || cover !== undefined || content.startsWith('<!--');
    // spelled out: `...line` takes ten times as long
    return { start: line.start, end: line.end, next: line.next, hidden, level: hidden ? 0 : levelOf(content) };
  });
  return { lines, open: cover !== undefined };
}

/** The first section of this level under this name, or undefined. It ends at the next heading of the same or a higher rank. */
export function findSection(text: string, { lines }: Markdown, level: number, name: string): Section | undefined {
  const from = lines.findIndex((line) => line.level === level && headingOf(text, line) === name);
  return from < 0 ? undefined : { from, to: endOfSection(lines, from, level) };
}

/** The sections of exactly this level inside another one. */
export function sectionsIn({ lines }: Markdown, outer: Section, level: number): Section[] {
  const found: Section[] = [];
  for (let from = outer.from + 1; from < outer.to; from++) {
    if (lines[from]?.level === level) found.push({ from, to: Math.min(outer.to, endOfSection(lines, from, level)) });
  }
  return found;
}

/** The words of a heading line. */
export function headingOf(text: string, line: Span): string {
  return text
    .slice(line.start, line.end)
    .replace(/^#+[ \t]+/, '')
    .replace(/(?<![ \t])[ \t]+$/, '');
}

/** True when the line may begin a heading, a fence or a comment. */
function isMarked(text: string, { start, end }: Span): boolean {
  let at = start;
  while (at < end && at < start + 3 && text[at] === ' ') at++;
  return at < end && '#`~<'.includes(text[at] ?? '');
}

function endOfSection(lines: readonly MarkdownLine[], from: number, level: number): number {
  const end = lines.findIndex((line, at) => at > from && line.level > 0 && line.level <= level);
  return end < 0 ? lines.length : end;
}

function levelOf(content: string): number {
  return /^(#{1,6})(?:[ \t]|$)/.exec(content)?.[1]?.length ?? 0;
}

function coverOpenedBy(content: string): Cover {
  const fence = /^ {0,3}(`{3,}|~{3,})(.*)$/s.exec(content);
  const marks = fence?.[1] ?? '';
  // a fence of backticks has none in the words behind it: else it is inline code
  if (fence && !(marks.startsWith('`') && fence[2]?.includes('`'))) return { mark: marks.slice(0, 1), length: marks.length };
  const comment = /^ {0,3}<!--/.exec(content);
  return comment && !content.includes('-->', comment[0].length) ? 'comment' : undefined;
}

function coverAfter(cover: Exclude<Cover, undefined>, content: string): Cover {
  if (cover === 'comment') return content.includes('-->') ? undefined : cover;
  const closing = /^ {0,3}(`{3,}|~{3,})[ \t]*$/.exec(content)?.[1];
  return closing?.startsWith(cover.mark) && closing.length >= cover.length ? undefined : cover;
}
