// Reads the screen of Claude Code: where its input box is and what stands in it, and whether it works. The prompt sign of the box is
// followed by a no-break space, which tells it from earlier prompts and from the choices of dialogs.

import { squeezed } from './plain-text.ts';

export interface Box {
  /** `none`: there is no box, as while a dialog is open. A placeholder does not count as text. */
  readonly kind: 'empty' | 'text' | 'none';
  readonly text: string;
}

const SIGN = /^[\u276f!>]\u00a0/;
const RULE = /^\u2500{10}/;
const TALL_LINES = 4;
const STYLE = /\x1b\[([\d;:]*)m|([^\x1b]+)|\x1b/g;

/** What stands in the box; `screen` is the screen with its styles, as `capture-pane -e` prints it. */
export function inputBox(screen: string): Box {
  const lines = screen.split('\n').map(readLine);
  const first = lines.findLastIndex(({ plain }) => SIGN.test(plain));
  const end = lines.findIndex(({ plain }, at) => at > first && RULE.test(plain));
  if (first < 1 || end < 0 || !RULE.test(lines[first - 1]?.plain ?? '')) return { kind: 'none', text: '' };
  const rows = lines.slice(first, end);
  const isShell = rows[0]?.plain.startsWith('!') === true;
  const text = rows.map(({ plain }) => plain.slice(2).trimEnd()).join('\n');
  const isPlaceholder = rows.some(({ hasDim }) => hasDim) && rows.every(({ solid }) => solid.slice(2).trim() === '');
  if (!isShell && (text.trim() === '' || isPlaceholder)) return { kind: 'empty', text: '' };
  return { kind: 'text', text: isShell ? `!${text}` : text };
}

/** True when the box holds exactly what was pasted, as far as a screen can tell. */
export function holds(box: Box, pasted: string): boolean {
  if (box.kind !== 'text') return false;
  // long pastes are shown as a mark
  if (/^\[(?:\.\.\.)?(?:Pasted|Truncated) text #\d+[^\]]*\]$/.test(box.text.trim())) return true;
  const [shown, wanted] = [squeezed(box.text), squeezed(pasted)];
  // in a small terminal a tall box scrolls
  const isTall = box.text.split('\n').length >= TALL_LINES;
  return shown === wanted || (isTall && shown !== '' && wanted.includes(shown));
}

/** By the title of its terminal: a turning wheel while it works, of dots or half a disc, a star while it does not. Undefined when the title says neither. */
export function worksByTitle(title: string): boolean | undefined {
  if (/^[\u2800-\u28ff\u25d0-\u25d3]/.test(title)) return true;
  return title.startsWith('✳') ? false : undefined;
}

/** The last so many lines that are not blank, without styles. */
export function lastLines(screen: string, count: number): string {
  const lines = screen.split('\n').map((line) => readLine(line).plain.trimEnd());
  return lines
    .filter((line) => line !== '' && !line.startsWith('Pane is dead ('))
    .slice(-count)
    .join('\n');
}

/** A line without styles, and the same with blanks for what is dim and for the cell of the cursor. */
function readLine(line: string): { plain: string; solid: string; hasDim: boolean } {
  let [plain, solid, isDim, isInverse, hasDim] = ['', '', false, false, false];
  for (const [, codes, text] of line.matchAll(STYLE)) {
    if (codes !== undefined) {
      for (const code of plainCodes(codes)) {
        if (code === '0' || code === '') isDim = isInverse = false;
        if (code === '2') isDim = true;
        if (code === '22') isDim = false;
        if (code === '7') isInverse = true;
        if (code === '27') isInverse = false;
      }
    }
    if (text === undefined) continue;
    plain += text;
    solid += isDim || isInverse ? ' '.repeat(text.length) : text;
    hasDim ||= isDim && text.trim() !== '';
  }
  return { plain, solid, hasDim };
}

/** The codes without those of colours, whose parts look like others. */
function plainCodes(codes: string): string[] {
  return codes.replace(/[34]8[;:](?:5[;:]\d+|2(?:[;:]\d+){3})/g, '').split(/[;:]/);
}
