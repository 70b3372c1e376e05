// What a session asks, as a person reads it, with the command that answers it.
import { z } from 'zod';
import { oneLine } from '../core/history.ts';
import { REQUEST_KINDS } from '../core/talk.ts';
import { safe } from './render.ts';

export const Asked = z.looseObject({
  requestId: z.string(),
  kind: z.enum(REQUEST_KINDS),
  text: z.string(),
  options: z.array(z.string()).default([]),
});
export type Asked = z.infer<typeof Asked>;

/** So many characters of what is asked are shown; session get shows more. */
const SHOWN = 300;

/** One request in a line. */
export function askLine({ requestId, kind, text, options }: Asked): string {
  const choice = options.length > 0 ? ` (${options.join(', ')})` : '';
  const answer = kind === 'question' ? 'answer "…"' : 'allow';
  return `asks: ${safe(oneLine(text + choice, SHOWN))} — answer with: sc request answer ${requestId} ${answer}`;
}
