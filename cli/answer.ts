// The answer of a tool as text for a person.
import type { Tool } from '../tools/define.ts';
import { linesOf, safe, tableOf } from './render.ts';

type Answer = Readonly<Record<string, unknown>>;

/** Its rows as tables, or its fields as lines, with how to go on. */
export function answerText(answer: Answer, { tables, input }: Tool): string {
  if (tables.length === 0) return [String(answer.summary ?? ''), linesOf(answer), hint(answer)].filter(Boolean).join('\n');
  const width = process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY;
  const blocks = tables.map(({ title, rows, columns }) => {
    const found = answer[rows];
    const table = Array.isArray(found) && found.length > 0 ? tableOf(found, columns, width) : '';
    return table && [title, table].filter(Boolean).join('\n');
  });
  const end = [String(answer.summary ?? ''), more(answer, 'cursor' in input.shape)].filter(Boolean).join('\n');
  // what a prompt says, and what a file would hold, is what was asked for
  const words = typeof answer.text === 'string' ? safe(answer.text).trimEnd() : '';
  return [words, ...blocks, end].filter(Boolean).join(tables.length > 1 || words !== '' ? '\n\n' : '\n');
}

function hint({ id, next }: Answer): string {
  return typeof id === 'string' && next !== undefined ? `\nFollow it: sc session logs ${id} --follow` : '';
}

/** How to read on: behind a cursor there is more now, behind a place in the ledger there may be. */
function more({ nextCursor }: Answer, isCursor: boolean): string {
  if (typeof nextCursor !== 'string') return '';
  return isCursor ? `More: --cursor=${nextCursor}` : `What comes next: --after=${nextCursor}`;
}
