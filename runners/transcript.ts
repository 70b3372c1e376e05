// Understands what an agent prints: one line of its output becomes entries of the session's log, and facts about the run.
import { z } from 'zod';
import type { AgentResult } from '../core/ending.ts';
import { seenText } from '../core/hidden-text.ts';
import type { LogEntry } from '../core/ports.ts';
import { agentResult, isoOfSeconds, ResultRecord } from './agent-result.ts';
import type { TaskNote } from './background-tasks.ts';
import { HUB_SERVER } from './hub-server.ts';
import { jsonOf } from './json-line.ts';
import { withoutPasteMarks } from './pasted.ts';
import { systemRecord } from './system-record.ts';
import { transcriptOnly } from './transcript-record.ts';

export type Entry = Omit<LogEntry, 'seq'>;

/** A permission that is asked for, by the id of its control request. */
export interface Asked {
  readonly callId: string;
  readonly tool: string;
  readonly input: unknown;
}

/** A message to the MCP server of the hub, by the id of its control request; undefined where it is too long to be read. */
export interface Called {
  readonly callId: string;
  readonly message: unknown;
}

export interface Reading {
  readonly entries: readonly Entry[];
  /** The agent's word on how it went. */
  readonly result?: AgentResult;
  /** The account's quota is used up. */
  readonly quota?: { readonly resetsAt: string | undefined };
  /** True when the agent itself, and not one of its own agents, is at work: it said something, or a tool answered. */
  readonly works?: true;
  /** True where a turn begins. */
  readonly begins?: true;
  /** The message with this promptId was taken up. */
  readonly received?: string;
  /** It asks whether it may use this tool. */
  readonly asks?: Asked;
  /** It does not ask that any more. */
  readonly withdrawn?: string;
  /** It says this to the MCP server of its hub. */
  readonly calls?: Called;
  /** It tells this of its tasks in the background. */
  readonly task?: TaskNote;
}

const Text = z.looseObject({ type: z.literal('text'), text: z.string() });
const Thinking = z.looseObject({ type: z.literal('thinking'), thinking: z.string() });
const ToolUse = z.looseObject({ type: z.literal('tool_use'), id: z.string(), name: z.string(), input: z.unknown() });
const ToolResult = z.looseObject({ type: z.literal('tool_result'), tool_use_id: z.string(), content: z.unknown() });
const Block = z.union([Text, Thinking, ToolUse, ToolResult, z.looseObject({ type: z.string() })]);
type Block = z.infer<typeof Block>;

const Message = z.looseObject({
  type: z.enum(['assistant', 'user']),
  timestamp: z.string().optional().catch(undefined),
  uuid: z.string().optional().catch(undefined),
  /** With `user`: it repeats what was said to it, or what it says to itself. */
  isReplay: z.boolean().optional().catch(undefined),
  isSynthetic: z.boolean().optional().catch(undefined),
  /** Where one of its own agents works. */
  parent_tool_use_id: z.string().nullish().catch(undefined),
  /** With `user`: who says it, where that is no person. */
  origin: z.looseObject({ kind: z.string() }).optional().catch(undefined),
  message: z.looseObject({ content: z.union([z.string(), z.array(Block)]) }),
});
const Init = z.looseObject({
  type: z.literal('system'),
  subtype: z.literal('init'),
  session_id: z.string(),
  model: z.string().optional(),
  permissionMode: z.string().optional(),
});
const Retry = z.looseObject({
  type: z.literal('system'),
  subtype: z.literal('api_retry'),
  attempt: z.number().int(),
  max_retries: z.number().optional(),
  retry_delay_ms: z.number().optional(),
  error_status: z.number().nullish(),
  error: z.string().optional(),
});
const Quota = z.looseObject({
  type: z.literal('rate_limit_event'),
  rate_limit_info: z.looseObject({ status: z.string(), resetsAt: z.number().optional() }),
});
const Asks = z.looseObject({
  type: z.literal('control_request'),
  request_id: z.string(),
  request: z.looseObject({
    subtype: z.literal('can_use_tool'),
    tool_name: z.string(),
    input: z.unknown(),
    /** Where one of its own agents asks. */
    agent_id: z.string().optional(),
  }),
});
const Calls = z.looseObject({
  type: z.literal('control_request'),
  request_id: z.string(),
  request: z.looseObject({ subtype: z.literal('mcp_message'), server_name: z.literal(HUB_SERVER), message: z.unknown() }),
});
/** How the line of a call begins that was cut, and that of an answer to one, which Claude Code repeats. */
const CUT =
  /^\{(?:"type":"control_request","request_id":"([\w-]{1,100})","request":\{"subtype":"mcp_message"|"response":\{"request_id":")/;
const Withdraws = z.looseObject({ type: z.literal('control_cancel_request'), request_id: z.string() });
const Control = z.looseObject({ type: z.enum(['control_request', 'control_response', 'keep_alive']) });
const Known = z.union([Message, Init, Retry, Quota, ResultRecord, Withdraws, Control]);

/**
 * Reads one line. `tools` remembers the names of tools by the id of their call until its answer, from one line to the next.
 * Never throws: what is not understood is an `output` entry.
 */
export function readLine(line: string, output: 'stream-json' | 'text', tools: Map<string, string> = new Map()): Reading {
  if (output === 'text') return { entries: [{ kind: 'output', text: seenText(line) }] };
  const said = jsonOf(line);
  const housekeeping = transcriptOnly(said);
  if (housekeeping) return { entries: housekeeping };
  const known = Known.safeParse(said);
  if (!known.success) {
    const ofItself = systemRecord(said, (id) => tools.has(id));
    if (ofItself) return ofItself;
    const [cut, callId] = CUT.exec(line) ?? [];
    if (cut !== undefined) return { entries: [], ...(callId !== undefined && { calls: { callId, message: undefined } }) };
    return { entries: line.trim() === '' ? [] : [{ kind: 'output', text: seenText(line) }] };
  }
  const record = known.data;
  switch (record.type) {
    case 'assistant':
    case 'user':
      // here a record before it told of that end; a transcript has no other
      if (record.isReplay && isOfTask(record)) return { entries: [], works: true, task: { kind: 'told' } };
      return {
        entries: messageEntries(record, tools),
        ...(!record.parent_tool_use_id && { works: true }),
        ...(record.isReplay && record.uuid !== undefined && { received: record.uuid }),
      };
    case 'control_request': {
      // what it asks about, or calls, is in the log as a tool use
      const { data: calls } = Calls.safeParse(record);
      if (calls) return { entries: [], calls: { callId: calls.request_id, message: calls.request.message } };
      const { data: asks } = Asks.safeParse(record);
      if (!asks) return { entries: [] };
      const { tool_name: tool, input, agent_id } = asks.request;
      return { entries: [], ...(!agent_id && { works: true }), asks: { callId: asks.request_id, tool, input } };
    }
    case 'control_cancel_request':
      return { entries: [], withdrawn: record.request_id };
    case 'control_response':
    case 'keep_alive':
      return { entries: [] };
    case 'rate_limit_event':
      return quotaReading(record);
    case 'result': {
      const result = agentResult(record);
      const text = result.isError ? `${result.errorKind ?? 'error'}: ${result.text || (result.subtype ?? '')}` : result.text;
      return { entries: [{ kind: 'result', text }], result };
    }
    case 'system':
      return record.subtype === 'init'
        ? { entries: [{ kind: 'start', text: startText(record) }], works: true, begins: true }
        : retryReading(record);
  }
}

/** It is told that a task in the background has ended. */
function isOfTask({ origin }: z.infer<typeof Message>): boolean {
  return origin?.kind === 'task-notification';
}

function messageEntries(record: z.infer<typeof Message>, tools: Map<string, string>): Entry[] {
  const { type, timestamp, isReplay, isSynthetic, message } = record;
  const all: readonly Block[] = typeof message.content === 'string' ? [{ type: 'text', text: message.content }] : message.content;
  // messages taken up together are repeated one by one, and then all in one with the last of them at the end
  const blocks = isReplay ? all.slice(-1) : all;
  const isOutput = isSynthetic || isOfTask(record);
  const said = (text: string) =>
    type === 'assistant' ? 'text' : isOutput || text.startsWith('[Request interrupted by user') ? 'output' : 'prompt';
  return blocks.flatMap((block): Entry[] => {
    const at = timestamp === undefined ? {} : { at: timestamp };
    const text = Text.safeParse(block);
    if (text.success) {
      const kind = said(text.data.text);
      return [{ ...at, kind, text: kind === 'prompt' ? withoutPasteMarks(text.data.text) : text.data.text }];
    }
    const thinking = Thinking.safeParse(block);
    if (thinking.success) return thinking.data.thinking === '' ? [] : [{ ...at, kind: 'thinking', text: thinking.data.thinking }];
    const use = ToolUse.safeParse(block);
    if (use.success) {
      tools.set(use.data.id, use.data.name);
      return [{ ...at, kind: 'tool_use', tool: use.data.name, text: JSON.stringify(use.data.input ?? {}) }];
    }
    const answer = ToolResult.safeParse(block);
    if (!answer.success) return [{ ...at, kind: 'output', text: `[${block.type}]` }];
    const { tool_use_id: id, content } = answer.data;
    const tool = tools.get(id);
    tools.delete(id);
    return [{ ...at, kind: 'tool_result', tool, text: contentText(content) }];
  });
}

/** A tool's answer is a string or a list of blocks; what is not text is named. */
function contentText(content: unknown): string {
  if (typeof content === 'string') return content;
  const blocks = z.array(z.looseObject({ type: z.string(), text: z.string().optional() })).safeParse(content);
  if (!blocks.success) return content === undefined || content === null ? '' : JSON.stringify(content);
  return blocks.data.map((block) => block.text ?? `[${block.type}]`).join('\n');
}

function startText({ session_id, model, permissionMode }: z.infer<typeof Init>): string {
  return [`conversation ${session_id}`, model && `model ${model}`, permissionMode && `permission mode ${permissionMode}`]
    .filter(Boolean)
    .join(', ');
}

function retryReading({ attempt, max_retries, retry_delay_ms, error_status, error }: z.infer<typeof Retry>): Reading {
  const what = [error, error_status].filter((part) => part !== undefined && part !== null).join(' ');
  const next = retry_delay_ms === undefined ? '' : `, again in ${Math.round(retry_delay_ms)} ms`;
  const text = `attempt ${attempt}${max_retries === undefined ? '' : ` of ${max_retries}`} failed: ${what || 'no answer'}${next}`;
  return { entries: [{ kind: 'retry', text }] };
}

function quotaReading({ rate_limit_info: { status, resetsAt } }: z.infer<typeof Quota>): Reading {
  if (status !== 'rejected') return { entries: [] };
  const at = resetsAt === undefined ? undefined : isoOfSeconds(resetsAt);
  return {
    entries: [{ kind: 'error', text: `the account's quota is used up${at ? `; it resets at ${at}` : ''}` }],
    quota: { resetsAt: at },
  };
}
