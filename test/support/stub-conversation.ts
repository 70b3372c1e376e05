// What a Messages API request says: the newest thing the user said, how far the answer to it has come, and the last tool result.
import { z } from 'zod';

const Block = z.looseObject({
  type: z.string(),
  text: z.string().optional(),
  id: z.string().optional(),
  name: z.string().optional(),
  tool_use_id: z.string().optional(),
  tool_name: z.string().optional(),
  content: z.unknown().optional(),
});
type Block = z.infer<typeof Block>;

const Message = z.looseObject({ role: z.string(), content: z.union([z.string(), z.array(Block)]) });
type Message = z.infer<typeof Message>;

/** The parts of a Messages API request that the stub looks at. */
export const ModelRequest = z.looseObject({
  model: z.string().default('stub'),
  stream: z.boolean().default(false),
  tools: z.array(z.looseObject({ name: z.string().default(''), defer_loading: z.boolean().optional() })).default([]),
  messages: z.array(Message).default([]),
});
export type ModelRequest = z.infer<typeof ModelRequest>;

export interface Conversation {
  /** What the user said last, without what the client added around it. */
  readonly prompt: string;
  /** Assistant turns since then, searches for deferred tools not counted. */
  readonly turn: number;
  /** Searches for deferred tools since the last counted turn. */
  readonly searches: number;
  /** Texts of the last tool result that was no search; undefined when there was none. */
  readonly last: readonly string[] | undefined;
}

/** Ids of the searches that the stub itself puts before a call of a deferred tool start like this. */
export const SEARCH_ID = 'toolu_search_';

/** What was pasted into its input box, between the marks that Claude Code puts around that. */
export const PASTED = /<pasted_content id="(\w+)">\s*([\s\S]*?)\s*<\/pasted_content id="\1">/g;

/** Where the conversation of this request stands. */
export function readConversation({ messages }: ModelRequest): Conversation {
  const at = messages.findLastIndex((message) => spoken(message) !== '');
  const turns = assistantTurns(messages.slice(at + 1));
  const lastCounted = turns.lastIndexOf('turn');
  return {
    prompt: promptEndingAt(messages, at),
    turn: turns.filter((kind) => kind === 'turn').length,
    searches: turns.length - 1 - lastCounted,
    last: lastResult(messages),
  };
}

/** Whether the model may call the tool now: listed and not deferred, or loaded by a search. */
export function isLoaded({ tools, messages }: ModelRequest, name: string): boolean {
  if (tools.some((tool) => tool.name === name && tool.defer_loading !== true)) return true;
  return messages.flatMap(blocksOf).some((block) => nestedBlocks(block).some((inner) => inner.tool_name === name));
}

/** Messages the user sent one after the other, with no answer between them, are one prompt. */
function promptEndingAt(messages: readonly Message[], at: number): string {
  const start = messages.slice(0, Math.max(at, 0)).findLastIndex((message) => message.role === 'assistant') + 1;
  const said = messages.slice(start, at + 1).map(spoken);
  return said.filter((text) => text !== '').join('\n');
}

/** One word per assistant turn; a client may send one turn as several messages in a row. */
function assistantTurns(messages: readonly Message[]): readonly ('turn' | 'search')[] {
  const isFirstOfTurn = (index: number): boolean => messages[index - 1]?.role !== 'assistant';
  return messages.flatMap((message, index): ('turn' | 'search')[] => {
    if (message.role !== 'assistant' || !isFirstOfTurn(index)) return [];
    return [blocksOf(message).some((block) => block.id?.startsWith(SEARCH_ID)) ? 'search' : 'turn'];
  });
}

function lastResult(messages: readonly Message[]): readonly string[] | undefined {
  const isResult = (block: Block): boolean => block.type === 'tool_result' && !block.tool_use_id?.startsWith(SEARCH_ID);
  const block = messages.flatMap(blocksOf).findLast(isResult);
  if (block === undefined) return undefined;
  if (typeof block.content === 'string') return [block.content];
  return nestedBlocks(block).flatMap((inner) => (inner.text === undefined ? [] : [inner.text]));
}

function blocksOf(message: Message): readonly Block[] {
  return typeof message.content === 'string' ? [{ type: 'text', text: message.content }] : message.content;
}

function nestedBlocks(block: Block): readonly Block[] {
  const parsed = z.array(Block).safeParse(block.content);
  return parsed.success ? parsed.data : [];
}

// Tool results, reminders and system texts may quote whole prompts, so only these are the user's words: plain text blocks of a user message,
// and what stands inside the announcement of a message sent while the model was working (a system message, or a reminder beside a tool result).
const MID_TURN =
  /^(?:<system-reminder>\s*)?The user sent a new message while you were working:\n([\s\S]*?)(?:\n\nIMPORTANT: After completing your current task[\s\S]*)?(?:<\/system-reminder>\s*)?$/;
const ADDED_BY_THE_CLIENT = [
  /^\s*<(?:system-reminder|task-notification|local-command-\w+|command-\w+|bash-\w+)>/,
  /^\s*\[Request interrupted by user/,
  // an interactive session asks for its title, with the prompt quoted
  /^<session>\n/,
  // beside the result of a search for tools
  /^Tool loaded\.$/,
];

function spoken(message: Message): string {
  if (message.role !== 'user' && message.role !== 'system') return '';
  const texts = blocksOf(message).flatMap((block) => (block.type === 'text' && block.text !== undefined ? [block.text] : []));
  const words = texts.map((text) => {
    const midTurn = MID_TURN.exec(text)?.[1];
    // one without directives does not end the script that is running
    if (midTurn !== undefined) return /^@@\w/m.test(midTurn) ? midTurn : '';
    return message.role === 'system' || ADDED_BY_THE_CLIENT.some((pattern) => pattern.test(text)) ? '' : text;
  });
  return words
    .filter((text) => text !== '')
    .join('\n')
    .replace(PASTED, '\n$2\n')
    .trim();
}
