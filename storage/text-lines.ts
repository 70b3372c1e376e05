// A text as lines, without changing or copying it. Only `\n` and `\r\n` end a line: U+2028 and a lone `\r` are text.

export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Line extends Span {
  /** Start of the following line; `end` is where the line end begins. */
  readonly next: number;
}

/** The line that starts at `start`; one without a line end has `end === next`. */
export function lineAt(text: string, start: number): Line {
  const feed = text.indexOf('\n', start);
  if (feed < 0) return { start, end: text.length, next: text.length };
  return { start, end: feed > start && text[feed - 1] === '\r' ? feed - 1 : feed, next: feed + 1 };
}

/** The lines from `from` on. */
export function linesOf(text: string, from: number): Line[] {
  const lines: Line[] = [];
  for (let start = from; start < text.length; ) {
    const line = lineAt(text, start);
    lines.push(line);
    start = line.next;
  }
  return lines;
}

/** True when the line holds blanks only. */
export function isBlank(text: string, line: Span): boolean {
  for (let at = line.start; at < line.end; at++) {
    if (text[at] !== ' ' && text[at] !== '\t') return false;
  }
  return true;
}

/** The line end this text uses, judged by its first one. */
export function lineEndOf(text: string): '\n' | '\r\n' {
  const feed = text.indexOf('\n');
  return feed > 0 && text[feed - 1] === '\r' ? '\r\n' : '\n';
}

/** One change of a text: what stands from `start` to `end` gives way to `text`. */
export interface Edit extends Span {
  readonly text: string;
}

/** The text with all edits made; they must not overlap. Edits at one place come out in the order given. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  const ordered = edits.toSorted((a, b) => a.start - b.start);
  let result = '';
  let at = 0;
  for (const edit of ordered) {
    result += text.slice(at, edit.start) + edit.text;
    at = edit.end;
  }
  return result + text.slice(at);
}
