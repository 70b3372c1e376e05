// The answer of a tool as text for a person.
import { z } from 'zod';
import { isSettled, SessionStatus } from '../core/session.ts';
import type { Tool } from '../tools/define.ts';
import { Asked, askLine } from './asks.ts';
import { linesOf, safe, tableOf } from './render.ts';

type Answer = Readonly<Record<string, unknown>>;

const Open = z.looseObject({
  id: z.string(),
  status: SessionStatus,
  waitsFor: z.string().optional(),
  requests: z.array(Asked).default([]),
});

/** Its rows as tables, or its fields as lines, with how to go on. */
export function answerText(answer: Answer, { name, tables, input }: Tool): string {
  if (tables.length === 0) {
    const on = onward(answer);
    // what it asks is said at the end, with how to answer
    const lines = linesOf({ ...answer, requests: undefined });
    return [String(answer.summary ?? ''), lines, on && `\n${on}`].filter(Boolean).join('\n');
  }
  const width = process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY;
  const blocks = tables.map(({ title, rows, columns }) => {
    const found = answer[rows];
    const table = Array.isArray(found) && found.length > 0 ? tableOf(found, columns, width) : '';
    return table && [title, table].filter(Boolean).join('\n');
  });
  const end = [String(answer.summary ?? ''), more(answer, 'cursor' in input.shape)].filter(Boolean).join('\n');
  const asking = name === 'session_wait' && Array.isArray(answer.sessions) ? answer.sessions.filter(isWaiting).map(onward) : [];
  // what a prompt says, and what a file would hold, is what was asked for
  const words = typeof answer.text === 'string' ? safe(answer.text).trimEnd() : '';
  return [words, ...blocks, end, ...asking].filter(Boolean).join(tables.length > 1 || words !== '' ? '\n\n' : '\n');
}

/** How to go on with a session that has not settled; nothing for any other answer. */
export function onward(answer: unknown): string {
  const session = Open.safeParse(answer).data;
  if (!session || isSettled(session)) return '';
  const { id, status, waitsFor, requests } = session;
  if (requests.length > 0) return requests.map(askLine).join('\n');
  if (status !== 'waiting') return `Follow it: sc session logs ${id} --follow`;
  return waitsFor === 'prompt' ? `Go on with: sc session prompt ${id} "…"` : `Answer it in its terminal: sc session attach ${id}`;
}

function isWaiting(row: unknown): boolean {
  return Open.safeParse(row).data?.status === 'waiting';
}

/** How to read on: behind a cursor there is more now, behind a place in the ledger there may be. */
function more({ nextCursor }: Answer, isCursor: boolean): string {
  if (typeof nextCursor !== 'string') return '';
  return isCursor ? `More: --cursor=${nextCursor}` : `What comes next: --after=${nextCursor}`;
}
