// The record an interactive agent keeps of itself: hooks of Claude Code, and lines of its transcript or of what the built-in agent prints.
// Each becomes at most a few facts. What is not understood tells nothing.
import { z } from 'zod';
import type { AgentResult } from '../core/ending.ts';
import { figure } from './agent-result.ts';
import { jsonOf } from './json-line.ts';
import { withoutPasteMarks } from './pasted.ts';
import { readLine } from './transcript.ts';

export type Fact =
  /** A conversation begins, and this file is its transcript. */
  | { readonly kind: 'begins'; readonly transcript: string | undefined; readonly source: string }
  /** It took up a prompt. `key` is the same in every record of one prompt. */
  | { readonly kind: 'prompt'; readonly text: string; readonly key: string | undefined; readonly wasQueued?: boolean }
  /** It put a prompt aside until it has time. */
  | { readonly kind: 'enqueued'; readonly text: string; readonly key: string }
  /** It has nothing more to do. */
  | {
      readonly kind: 'rests';
      readonly text: string | undefined;
      readonly result?: AgentResult | undefined;
      /** Of the prompt on which it worked. */
      readonly key?: string | undefined;
    }
  /** Somebody must allow or answer something; `ask` where that can be done from outside. */
  | { readonly kind: 'asks'; readonly text: string; readonly ask?: Asked | undefined }
  /** A tool answered, or it said something, perhaps that it uses tools. */
  | {
      readonly kind: 'works';
      readonly said: Said | undefined;
      readonly uses?: readonly ToolUse[];
      readonly answered?: readonly ToolAnswer[];
    }
  /** Somebody broke off what it did. */
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'leaves'; readonly reason: string };

/** What a hook waits for an answer to. */
export interface Asked {
  readonly callId: string;
  readonly tool: string;
  readonly input: unknown;
  /** False where one of its own agents asks: that may go on while the main one works or rests, and its transcript is not read. */
  readonly isOfMain: boolean;
  /** The key of the prompt on which it works. */
  readonly promptKey: string | undefined;
}

/** A use of a tool, as the transcript tells of it. */
export interface ToolUse {
  readonly id: string;
  readonly tool: string;
  readonly input: unknown;
}

/** A tool, or a person who refused its use, answered; `at` is when, in milliseconds since the epoch. */
export interface ToolAnswer {
  readonly id: string;
  /** What was decided about that use; undefined where nothing was. */
  readonly decision: 'allow' | 'deny' | undefined;
  readonly at: number | undefined;
}

/** Something the agent said, and what it took to say it. */
export interface Said {
  readonly messageId: string | undefined;
  readonly text: string | undefined;
  readonly isError: boolean;
  readonly status: number | undefined;
  readonly usage: z.infer<typeof Usage> | undefined;
}

const Hook = z.looseObject({
  hook_event_name: z.string(),
  transcript_path: z.string().optional(),
  source: z.string().optional(),
  reason: z.string().optional(),
  prompt: z.string().optional(),
  prompt_id: z.string().optional(),
  message: z.string().optional(),
  notification_type: z.string().optional(),
  tool_name: z.string().optional(),
  tool_input: z.unknown().optional(),
  /** Where one of its own agents works. */
  agent_id: z.string().optional(),
  last_assistant_message: z.string().optional(),
});

const Usage = z.looseObject({
  input_tokens: figure.default(0),
  cache_creation_input_tokens: figure.default(0),
  cache_read_input_tokens: figure.default(0),
  output_tokens: figure.default(0),
});

const Block = z.looseObject({
  type: z.string(),
  text: z.string().optional(),
  // of a use of a tool, and of its answer
  id: z.string().optional(),
  name: z.string().optional(),
  input: z.unknown().optional(),
  tool_use_id: z.string().optional(),
  content: z.unknown().optional(),
});
type Block = z.infer<typeof Block>;
const Line = z.looseObject({
  type: z.string(),
  subtype: z.string().optional(),
  operation: z.string().optional(),
  content: z.unknown().optional(),
  timestamp: z.string().optional(),
  promptId: z.string().optional(),
  promptSource: z.string().optional().catch(undefined),
  uuid: z.string().optional(),
  isMeta: z.boolean().optional(),
  isSidechain: z.boolean().optional(),
  isApiErrorMessage: z.boolean().optional(),
  apiErrorStatus: z.number().nullish(),
  result: z.string().optional(),
  attachment: z.looseObject({ type: z.string(), prompt: z.string().optional() }).optional(),
  message: z
    .looseObject({
      id: z.string().optional(),
      content: z.union([z.string(), z.array(Block)]).optional(),
      usage: Usage.optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
});
type Line = z.infer<typeof Line>;

const TEXT_LENGTH = 1000;

/** How Claude Code tells its model that the use of a tool was refused, and that it was never decided: broken off, or put aside with another one. */
const REFUSED = "The user doesn't want to proceed";
const UNDECIDED =
  /^(?:The user doesn't want to take this action|\[Tool call skipped|\[Request interrupted by user|<tool_use_error>(?:Cancelled|Interrupted))/;

/** What a hook tells. A line that waits for an answer begins with its id. */
export function factOfHook(line: string): Fact | undefined {
  const [, callId, told = line] = /^(\d+\.*) (.*)$/s.exec(line) ?? [];
  const read = Hook.safeParse(jsonOf(told));
  if (!read.success) return undefined;
  const hook = read.data;
  switch (hook.hook_event_name) {
    case 'SessionStart':
      return { kind: 'begins', transcript: hook.transcript_path, source: hook.source ?? '' };
    case 'UserPromptSubmit':
      return { kind: 'prompt', text: withoutPasteMarks(hook.prompt ?? ''), key: hook.prompt_id };
    case 'Stop':
      return { kind: 'rests', text: hook.last_assistant_message, key: hook.prompt_id };
    case 'PermissionRequest':
      return askedBy(hook, callId);
    case 'Notification':
      return noticed(hook.notification_type, hook.message ?? '');
    case 'SessionEnd':
      return { kind: 'leaves', reason: hook.reason ?? '' };
    default:
      return undefined;
  }
}

/** What a line of a transcript, or of stream-json, tells. */
export function factOfLine(text: string): Fact | undefined {
  const read = Line.safeParse(jsonOf(text));
  if (!read.success || read.data.isMeta || read.data.isSidechain) return undefined;
  const line = read.data;
  switch (line.type) {
    case 'queue-operation':
      return line.operation === 'enqueue' && typeof line.content === 'string'
        ? { kind: 'enqueued', text: withoutPasteMarks(line.content), key: `queue ${line.timestamp ?? ''}` }
        : undefined;
    case 'attachment':
      return line.attachment?.type === 'queued_command' && line.attachment.prompt !== undefined
        ? { kind: 'prompt', text: withoutPasteMarks(line.attachment.prompt), key: line.uuid }
        : undefined;
    case 'user':
      return factOfUser(line);
    case 'assistant':
      return { kind: 'works', said: saidIn(line), uses: usesIn(blocksOf(line)) };
    case 'system':
      return line.subtype === 'init' ? { kind: 'begins', transcript: undefined, source: '' } : undefined;
    case 'result':
      return { kind: 'rests', text: line.result, result: readLine(text, 'stream-json').result };
    default:
      return undefined;
  }
}

function askedBy(
  { tool_name: tool = '', tool_input: input = {}, agent_id, prompt_id: promptKey }: z.infer<typeof Hook>,
  callId: string | undefined,
): Fact {
  const text = `${tool} ${JSON.stringify(input)}`.slice(0, TEXT_LENGTH);
  const isOfMain = agent_id === undefined;
  return { kind: 'asks', text, ...(callId !== undefined && { ask: { callId, tool, input, isOfMain, promptKey } }) };
}

function noticed(type: string | undefined, message: string): Fact | undefined {
  if (type === 'idle_prompt') return { kind: 'rests', text: undefined };
  if (type === 'permission_prompt' || type?.startsWith('elicitation')) return { kind: 'asks', text: message };
  return undefined;
}

function factOfUser(line: Line): Fact | undefined {
  const blocks = blocksOf(line);
  const at = Date.parse(line.timestamp ?? '') || undefined;
  const answered = blocks.flatMap((block) =>
    block.type === 'tool_result' ? { id: block.tool_use_id ?? '', decision: decisionIn(block), at } : [],
  );
  if (answered.length > 0) return { kind: 'works', said: undefined, answered };
  const text = blocks.map((block) => block.text ?? '').join('\n');
  if (text.startsWith('[Request interrupted by user')) return { kind: 'interrupted' };
  const wasQueued = line.promptSource === 'queued';
  return { kind: 'prompt', text: withoutPasteMarks(text), key: line.promptId ?? line.uuid, ...(wasQueued && { wasQueued }) };
}

/** What was decided about the use of a tool that ended with this; undefined where nothing was. */
function decisionIn({ content }: Block): ToolAnswer['decision'] {
  const blocks = z.array(z.looseObject({ text: z.string().default('') })).safeParse(content).data ?? [];
  const text = typeof content === 'string' ? content : blocks.map((block) => block.text).join('\n');
  if (text.startsWith(REFUSED)) return 'deny';
  return UNDECIDED.test(text) ? undefined : 'allow';
}

function blocksOf({ message }: Line): readonly Block[] {
  const content = message?.content ?? '';
  return typeof content === 'string' ? [{ type: 'text', text: content }] : content;
}

function usesIn(blocks: readonly Block[]): ToolUse[] {
  return blocks.flatMap(({ type, id, name, input }) =>
    type === 'tool_use' && id !== undefined && name !== undefined ? { id, tool: name, input } : [],
  );
}

function saidIn(line: Line): Said {
  const { message, isApiErrorMessage, apiErrorStatus } = line;
  const text = blocksOf(line)
    .map((block) => block.text ?? '')
    .join('');
  return {
    messageId: message?.id,
    text: text === '' ? undefined : text,
    isError: isApiErrorMessage === true,
    status: apiErrorStatus ?? undefined,
    usage: message?.usage,
  };
}
