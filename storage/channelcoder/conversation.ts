// What channelcoder keeps of a session, as it is stored and as its task file tells of it.
//
// The task file gets the short of it: when it began, its prompts, and the id by which it can be resumed. The whole, with every message,
// is a JSON file of the same form that channelcoder's own file storage writes. Where that file is missing, as in a fresh clone, the
// task file is enough to go on with the conversation.
import type { SessionState } from 'channelcoder';
import { z } from 'zod';
import { fail } from '../../core/errors.ts';
import { oneLine } from '../../core/history.ts';
import type { ProjectedSession, RememberedSession } from '../task-splice.ts';

/** The agent by which our entries in a task file are told from those of the hub. */
export const AGENT = 'channelcoder';

const PROMPT_LENGTH = 200;
/** Ids are short; what is longer is none, and stays out of the task file. */
const LONGEST_ID = 200;

const when = z.union([z.date(), z.string()]).pipe(z.coerce.date());

const Stored = z.object({
  sessionChain: z.array(z.string()),
  currentSessionId: z.string().optional(),
  messages: z.array(
    z.object({ role: z.enum(['user', 'assistant']), content: z.string(), timestamp: when, sessionId: z.string() }),
  ),
  metadata: z.object({ name: z.string().optional(), created: when, lastActive: when }),
});

/** A state out of the text of its file; undefined when it is none. */
export function readState(text: string): SessionState | undefined {
  try {
    return asState(Stored.parse(JSON.parse(text)));
  } catch {
    // no JSON, or JSON of another form
    return undefined;
  }
}

/** The state as it is at this moment, under this name; channelcoder goes on changing its own. Fails with INVALID_INPUT. */
export function copyOf(state: SessionState, name: string): SessionState {
  const { data, error } = Stored.safeParse(state);
  if (error) return fail('INVALID_INPUT', `The session "${name}" is none of channelcoder: ${z.prettifyError(error)}`);
  return asState({ ...data, metadata: { ...data.metadata, name } });
}

/** The session as its task file tells of it. It never settles: it waits for its next prompt. */
export function shownSession(name: string, state: SessionState): ProjectedSession {
  const { created } = state.metadata;
  const prompts = state.messages.filter(({ role }) => role === 'user');
  const conversation = state.currentSessionId ?? state.sessionChain.at(-1);
  return {
    id: name,
    type: 'autonomous',
    status: 'waiting',
    agent: AGENT,
    customPrompts: prompts.map(({ content }) => content),
    startedAt: created.getTime(),
    conversation: conversation !== undefined && conversation.length <= LONGEST_ID ? conversation : undefined,
    history: [
      { at: created.getTime(), text: `Session started (agent ${AGENT})` },
      ...prompts.map(({ content, timestamp }) => ({ at: timestamp.getTime(), text: promptLine(content) })),
    ],
  };
}

/** A state from what a task file tells: the prompts, cut as they are there, and the way to go on. */
export function rememberedState({ id, startTime, conversationId, customPrompts = [], history }: RememberedSession): SessionState {
  const created = new Date(Date.parse(startTime ?? '') || (history[0]?.at ?? 0));
  const said = history.filter(({ text }) => text.startsWith(PROMPT)).slice(-customPrompts.length);
  const messages = customPrompts.map((content, index) => ({
    role: 'user' as const,
    content,
    timestamp: new Date(said[index]?.at ?? created),
    sessionId: conversationId ?? id,
  }));
  return {
    sessionChain: conversationId === undefined ? [] : [conversationId],
    ...(conversationId !== undefined && { currentSessionId: conversationId }),
    messages,
    metadata: { name: id, created, lastActive: messages.at(-1)?.timestamp ?? created },
  };
}

const PROMPT = 'Custom prompt: ';

function promptLine(prompt: string): string {
  return `${PROMPT}"${oneLine(prompt, PROMPT_LENGTH)}"`;
}

function asState({ currentSessionId, metadata: { name, ...times }, ...rest }: z.infer<typeof Stored>): SessionState {
  return {
    ...rest,
    ...(currentSessionId !== undefined && { currentSessionId }),
    metadata: { ...times, ...(name !== undefined && { name }) },
  };
}
