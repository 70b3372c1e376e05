// What Claude Code tells in stream-json of itself, besides what is said: its tasks, its hooks, notes for a person, and much that says nothing to one.
import { z } from 'zod';
import type { LogEntry } from '../core/ports.ts';
import type { TaskNote } from './background-tasks.ts';

/** Entries of the log, and what it tells of tasks in the background. */
export interface SystemReading {
  readonly entries: readonly Omit<LogEntry, 'seq'>[];
  readonly task?: TaskNote;
}

const System = z.looseObject({ type: z.string(), subtype: z.string().optional() });
const Started = z.looseObject({
  task_id: z.string(),
  is_backgrounded: z.boolean().optional(),
  ambient: z.boolean().optional(),
});
const Notified = z.looseObject({
  task_id: z.string(),
  tool_use_id: z.string().optional(),
  status: z.string(),
  summary: z.string(),
});
const Listed = z.looseObject({
  tasks: z.array(z.looseObject({ task_id: z.string(), ambient: z.boolean().optional(), off_host: z.boolean().optional() })),
});
const HookEnded = z.looseObject({ hook_name: z.string(), outcome: z.string(), output: z.string() });
const Compacted = z.looseObject({ compact_metadata: z.looseObject({ trigger: z.string() }) });
const Worded = z.union([
  z.looseObject({ content: z.string() }),
  z.looseObject({ text: z.string() }).transform(({ text }) => ({ content: text })),
]);

/** How far a message has come, a tool is, or a word: all of it is told again by what comes of it. */
const SILENT_TYPES = ['command_lifecycle', 'tool_progress', 'tool_use_summary', 'prompt_suggestion', 'stream_event'];
/** That a use of a tool was denied is in the tool's answer. */
const SILENT = [
  'hook_started',
  'hook_progress',
  'permission_denied',
  'session_state_changed',
  'session_title_changed',
  'status',
  'task_progress',
  'task_summary',
  'task_updated',
  'thinking_tokens',
];
/** What is written for a person. */
const WORDED = [
  'informational',
  'local_command_output',
  'model_consent_fallback',
  'model_fallback',
  'model_refusal_fallback',
  'model_refusal_no_fallback',
  'notification',
  'permission_retry',
  'scheduled_task_fire',
];

/**
 * What such a record tells; undefined when it is another, or lacks what makes it one.
 * `isOpen` says whether this use of a tool has no answer yet.
 */
export function systemRecord(record: unknown, isOpen: (toolUseId: string) => boolean): SystemReading | undefined {
  const { type, subtype = '' } = System.safeParse(record).data ?? { type: '' };
  if (SILENT_TYPES.includes(type)) return { entries: [] };
  if (type !== 'system') return undefined;
  if (SILENT.includes(subtype)) return { entries: [] };
  if (WORDED.includes(subtype)) return saying(Worded.safeParse(record).data?.content);
  switch (subtype) {
    case 'task_started':
      return begun(Started.safeParse(record).data);
    case 'task_notification':
      return ended(Notified.safeParse(record).data, isOpen);
    case 'background_tasks_changed':
      return listed(Listed.safeParse(record).data);
    case 'hook_response':
      return hookEnded(HookEnded.safeParse(record).data);
    case 'compact_boundary':
      return saying(compactedText(Compacted.safeParse(record).data));
    default:
      return undefined;
  }
}

function saying(text: string | undefined): SystemReading | undefined {
  return text === undefined ? undefined : { entries: [{ kind: 'output', text }] };
}

function begun(task: z.infer<typeof Started> | undefined): SystemReading | undefined {
  if (!task) return undefined;
  const isWaitedFor = task.is_backgrounded === false || task.ambient === true;
  return { entries: [], ...(!isWaitedFor && { task: { kind: 'begun', id: task.task_id } }) };
}

/** What is waited for tells the same in the tool's answer. */
function ended(task: z.infer<typeof Notified> | undefined, isOpen: (toolUseId: string) => boolean): SystemReading | undefined {
  if (!task) return undefined;
  const { task_id: id, tool_use_id: toolUseId, status, summary } = task;
  const isWaitedFor = toolUseId !== undefined && isOpen(toolUseId);
  return {
    entries: isWaitedFor ? [] : [{ kind: 'output', text: `a background task has ${status}: ${summary}` }],
    task: { kind: 'ended', id },
  };
}

function listed(list: z.infer<typeof Listed> | undefined): SystemReading | undefined {
  if (!list) return undefined;
  const ids = list.tasks.flatMap(({ task_id, ambient, off_host }) => (ambient || off_host ? [] : [task_id]));
  return { entries: [], task: { kind: 'all', ids } };
}

function hookEnded(hook: z.infer<typeof HookEnded> | undefined): SystemReading | undefined {
  if (!hook) return undefined;
  const { hook_name: name, outcome, output } = hook;
  if (outcome === 'success') return { entries: [] };
  return saying(`the hook ${name} ended with ${outcome}${output.trim() === '' ? '' : `: ${output.trim()}`}`);
}

function compactedText(compacted: z.infer<typeof Compacted> | undefined): string | undefined {
  return compacted && `the conversation was compacted (${compacted.compact_metadata.trigger})`;
}
