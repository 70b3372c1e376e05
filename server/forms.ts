// What a session asks, as a form that a client can show a person, and what the person put in, as an answer to the session.
import { z } from 'zod';
import type { AnswerRequest, OpenRequest } from '../core/requests.ts';

/** Longest text of an agent in a form. */
const SHOWN_LENGTH = 2000;
const TEXT_LENGTH = 20_000;

const text = (title: string) => ({ type: 'string' as const, title, maxLength: TEXT_LENGTH });
const Reply = z.union([
  z.looseObject({
    action: z.literal('accept'),
    content: z.looseObject({
      decision: z.enum(['allow', 'deny']).optional(),
      answer: z.string().max(TEXT_LENGTH).optional(),
      text: z.string().max(TEXT_LENGTH).optional(),
      remember: z.boolean().optional(),
    }),
  }),
  z.looseObject({ action: z.enum(['decline', 'cancel']) }),
]);

/** The form for one request; a person sees it, so it says who asks. */
export function formOf({ sessionId, kind, text: asked, tool, options }: OpenRequest) {
  const shown = asked.length > SHOWN_LENGTH ? `${asked.slice(0, SHOWN_LENGTH)}...` : asked;
  const message =
    kind === 'permission' ? `Session ${sessionId} asks to use ${tool}: ${shown}` : `Session ${sessionId} asks: ${shown}`;
  const requestedSchema = kind === 'permission' ? permissionForm : questionForm(options ?? []);
  return { method: 'elicitation/create' as const, params: { mode: 'form' as const, message, requestedSchema } };
}

const permissionForm = {
  type: 'object' as const,
  properties: {
    decision: { type: 'string' as const, title: 'Decision', enum: ['allow', 'deny'] },
    text: { ...text('Why it is denied'), description: 'The agent reads it.' },
    remember: {
      type: 'boolean' as const,
      title: 'For the rest of the session',
      description: 'Every use of this tool is answered so.',
    },
  },
  required: ['decision'],
};

function questionForm(options: readonly string[]) {
  if (options.length === 0)
    return { type: 'object' as const, properties: { answer: { ...text('Answer'), minLength: 1 } }, required: ['answer'] };
  return {
    type: 'object' as const,
    properties: {
      answer: { type: 'string' as const, title: 'Answer', enum: [...options] },
      text: { ...text('Another answer'), description: 'It counts instead of the one chosen above.' },
    },
  };
}

/** True when a person filled the form in, false when it was put aside; undefined for what is no reply to a form. */
export function isAccepted(reply: unknown): boolean | undefined {
  const parsed = Reply.safeParse(reply);
  return parsed.success ? parsed.data.action === 'accept' : undefined;
}

/** The answer that a reply to the form gives; undefined when it gives none. What was put aside is denied. */
export function answerOf({ requestId, kind }: OpenRequest, reply: unknown): AnswerRequest | undefined {
  const parsed = Reply.safeParse(reply);
  if (!parsed.success) return undefined;
  const { data } = parsed;
  if (data.action !== 'accept') return { requestId, decision: 'deny', text: 'The person who was asked put the question aside.' };
  const { decision, answer, text: said, remember } = data.content;
  if (kind === 'permission') return decision && { requestId, decision, text: said, remember };
  const words = said?.trim() ? said : answer;
  return words?.trim() ? { requestId, decision: 'answer', text: words } : undefined;
}
