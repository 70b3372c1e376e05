// Writes sessions into the text of a task file by changing two places, the `sessions:` key and the section `## Session History`,
// and reads them back from there. Pure: text in, text out. Done twice it gives the same text.

import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { HistoryLine } from '../core/history.ts';
import { type Fields, type FrontMatter, type Layout, layoutOf, MAX_FRONT_MATTER, readFields } from './front-matter.ts';
import { MAX_TASK_BYTES } from './inside.ts';
import { historyEdits, readHistory } from './session-history.ts';
import { type ProjectedSession, type SessionText, sessionText } from './session-text.ts';
import { newKey, sessionsKeyEdits } from './sessions-key.ts';
import { applyEdits, type Edit, lineEndOf, linesOf } from './text-lines.ts';

export type { ProjectedSession } from './session-text.ts';

/** Why a text was left alone. */
export const REFUSALS = {
  toml: 'its front matter is TOML, which has no place for sessions',
  broken_front_matter: 'its front matter cannot be read as a YAML mapping',
  not_a_list: 'its `sessions:` key is not a list that can be added to',
  open_fence: 'a code fence or comment in it is never closed',
  too_large: 'its front matter or the whole file would be larger than can be read',
} as const satisfies Record<string, string>;
export type Refusal = keyof typeof REFUSALS;

export type Spliced<Text> = { readonly text: Text } | { readonly refused: Refusal };

const Remembered = z.looseObject({
  id: z.string().min(1),
  type: z.string().optional(),
  status: z.string().optional(),
  startTime: z.string().optional(),
  endTime: z.string().optional(),
  agent: z.string().optional(),
  parentId: z.string().optional(),
  tmuxSession: z.string().optional(),
  conversationId: z.string().optional(),
  cause: z.string().optional(),
  costUsd: z.number().optional(),
  customPrompts: z.array(z.string()).optional(),
});

/** A session as its task file tells of it. */
export type RememberedSession = z.infer<typeof Remembered> & { readonly history: readonly HistoryLine[] };

/** The file with its two places true for these sessions, or why it was left alone; bytes that are no UTF-8 survive where they are. */
export function spliceBytes(bytes: Buffer, sessions: readonly ProjectedSession[]): Spliced<Buffer> {
  // latin1 gives each byte one character, so offsets are byte offsets and nothing is lost
  const texts = sessions.map((session) => sessionText(session, (words) => Buffer.from(words, 'utf8').toString('latin1')));
  const result = spliced(bytes.toString('latin1'), texts);
  return 'refused' in result ? result : { text: Buffer.from(result.text, 'latin1') };
}

/** The sessions a task file tells of; items that are no sessions are left out. For a fresh clone, where the journal is missing. */
export function readBack(text: string): readonly RememberedSession[] {
  const layout = layoutOf(text);
  const outcome = readFields(text, layout.frontMatter);
  const items: unknown = 'fields' in outcome ? outcome.fields.sessions : undefined;
  if (!Array.isArray(items)) return [];
  const history = readHistory(text, layout.bodyStart);
  return items.flatMap((item) => {
    const session = Remembered.safeParse(item);
    return session.success ? [{ ...session.data, history: history.get(session.data.id) ?? [] }] : [];
  });
}

function spliced(text: string, sessions: readonly SessionText[]): Spliced<string> {
  if (sessions.length === 0) return { text };
  const layout = layoutOf(text);
  if (layout.frontMatter?.kind === 'toml') return { refused: 'toml' };
  const before = readFields(text, layout.frontMatter);
  if (!('fields' in before)) return { refused: 'broken_front_matter' };
  const key = layout.frontMatter
    ? sessionsKeyEdits(text, layout.frontMatter.inner, sessions)
    : { edits: [newFrontMatter(text, layout, sessions)] };
  if ('refused' in key) return key;
  const keyed = applyEdits(text, key.edits);
  const keyedLayout = layoutOf(keyed);
  if ((keyedLayout.frontMatter?.inner.end ?? 0) - (keyedLayout.frontMatter?.inner.start ?? 0) > MAX_FRONT_MATTER)
    return { refused: 'too_large' };
  if (!holds(keyed, keyedLayout.frontMatter, before.fields, sessions)) return { refused: 'not_a_list' };
  const history = historyEdits(keyed, keyedLayout.bodyStart, sessions);
  if ('refused' in history) return history;
  const result = applyEdits(keyed, history.edits);
  return result.length > MAX_TASK_BYTES ? { refused: 'too_large' } : { text: result };
}

/** Front matter for a file without: below the title where the file begins with one, else at its top. */
function newFrontMatter(text: string, layout: Layout, sessions: readonly SessionText[]): Edit {
  const lineEnd = lineEndOf(text);
  const block = `---${lineEnd}${newKey(sessions, 0, lineEnd)}---`;
  const start = layout.title?.end ?? layout.bom;
  const following = linesOf(text, start)[layout.title ? 1 : 0];
  const isFilled = following !== undefined && /[^ \t]/.test(text.slice(following.start, following.end));
  if (layout.title) return { start, end: start, text: `${lineEnd}${lineEnd}${block}${isFilled ? lineEnd : ''}` };
  return { start, end: start, text: `${block}${lineEnd}${isFilled ? lineEnd : ''}` };
}

/** A last look before anything is written: the sessions are in the list, and all other keys say what they said. */
function holds(text: string, frontMatter: FrontMatter | undefined, before: Fields, sessions: readonly SessionText[]): boolean {
  const outcome = readFields(text, frontMatter);
  if (!frontMatter || !('fields' in outcome)) return false;
  const { sessions: list, ...others } = outcome.fields;
  const { sessions: _list, ...othersBefore } = before;
  const ids = Array.isArray(list) ? list.map((item) => z.object({ id: z.string() }).safeParse(item).data?.id) : [];
  return isDeepStrictEqual(others, othersBefore) && sessions.every(({ id }) => ids.includes(id));
}
