// Cuts the two places of a task file out of it, by simple means of its own: what is left must be the user's, byte for byte.
// Works on latin1 text, so that a character is a byte.

const MARK = '\u00EF\u00BB\u00BF';

/** What stands before, between and behind the places; fewer pieces when a place is missing. */
export function outsideOf(text: string): string[] {
  const mark = text.startsWith(MARK) ? MARK : '';
  const lines = text.slice(mark.length).split(/(?<=\n)/);
  const owner = lines.map(() => 'user');
  const opening = lines.findIndex((line) => bare(line).trimEnd() === '---');
  const isFrontMatter =
    opening >= 0 && lines.slice(0, opening).every((line) => bare(line).trim() === '' || /^\s*#\s/.test(bare(line)));
  const length = isFrontMatter ? lines.slice(opening + 1).findIndex((line) => bare(line).trimEnd() === '---') : -1;
  const closing = length < 0 ? -1 : opening + 1 + length;
  if (closing > 0) markKey(lines, owner, opening, closing);
  markHistory(lines, owner, closing + 1);
  const pieces = [mark];
  for (const [at, line] of lines.entries()) {
    if (owner[at] === 'user') pieces.push(`${pieces.pop()}${line}`);
    else if (owner[at - 1] !== owner[at]) pieces.push('');
  }
  return pieces;
}

/**
 * True when `after` is `before` with nothing changed outside the two places. Where `before` had a place, the pieces must be equal;
 * where one was added, only line ends may be new, and only at its borders.
 */
export function differsOnlyInPlaces(before: string, after: string): boolean {
  const [old, now] = [outsideOf(before), outsideOf(after)];
  if (old.length === now.length) return old.every((piece, at) => piece === now[at]);
  const whole = old.map((piece, at) => trimmed(piece, at > 0, at < old.length - 1)).join('\n');
  let position = 0;
  for (const [at, piece] of now.entries()) {
    const wanted = trimmed(piece, at > 0, at < now.length - 1);
    if (at > 0) while (/[\r\n]/.test(whole[position] ?? '')) position++;
    if (!whole.startsWith(wanted, position)) return false;
    position += wanted.length;
  }
  return /^[\r\n]*$/.test(whole.slice(position));
}

function markKey(lines: readonly string[], owner: string[], opening: number, closing: number): void {
  const key = lines.findIndex((line, at) => at > opening && at < closing && /^ *"?sessions"?:/.test(line));
  // front matter that holds nothing else is a place as a whole
  if (closing === opening + 1) owner.fill('key', opening, closing + 1);
  if (key < 0) return;
  const depth = indentOf(lines[key] ?? '');
  let end = key + 1;
  const belongs = (line: string) =>
    indentOf(line) > depth || (indentOf(line) === depth && /^ *-/.test(line)) || bare(line).trim() === '';
  while (end < closing && belongs(lines[end] ?? '')) end++;
  // blank lines and comments behind the last item are the user's
  while (end > key + 1 && bare(lines[end - 1] ?? '').trim() === '') end--;
  owner.fill('key', key, end);
  if (owner.slice(opening + 1, closing).every((one) => one === 'key')) owner.fill('key', opening, closing + 1);
}

function markHistory(lines: readonly string[], owner: string[], from: number): void {
  let fence = '';
  let start = -1;
  for (let at = from; at < lines.length; at++) {
    const line = bare(lines[at] ?? '');
    if (fence !== '') {
      if (line.trim() === fence || (fence === '<!--' && line.includes('-->'))) fence = '';
      continue;
    }
    if (line.startsWith('<!--') && !line.includes('-->')) fence = '<!--';
    const mark = /^(`{3,}|~{3,})[^`]*$/.exec(line)?.[1];
    if (mark) fence = mark;
    if (start < 0 && line.trimEnd() === '## Session History') start = at;
    else if (start >= 0 && /^##? /.test(line)) {
      owner.fill('history', start, at);
      return;
    }
  }
  if (start >= 0) owner.fill('history', start, lines.length);
}

function trimmed(piece: string, front: boolean, back: boolean): string {
  const text = front ? piece.replace(/^[\r\n]+/, '') : piece;
  return back ? text.replace(/[\r\n]+$/, '') : text;
}

function bare(line: string): string {
  return line.replace(/\r?\n$/, '');
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}
