// session_start: puts an agent to work on a task.
import { z } from 'zod';
import { SessionType } from '../core/session.ts';
import { SessionDefaults } from '../core/session-defaults.ts';
import type { StartRequest } from '../core/start.ts';
import { SessionView } from '../core/views.ts';
import { defineTool } from './define.ts';
import { priority, requestKey, ruleArguments, ruleName, taskId, valuesOf } from './fields.ts';

/** What clients write that send every argument as text; nobody wants a branch of that name. */
const WORDS: ReadonlyMap<unknown, boolean> = new Map([
  ['true', true],
  ['false', false],
]);

const StartInput = z.strictObject({
  taskId: taskId.optional().describe('Task to work on, as task_list gives it. Default: one made from the prompt.'),
  prompt: z.string().optional().describe('What the agent is told, word for word. Default: what the fitting rule says.'),
  type: SessionType.optional().describe(
    'autonomous (usual): runs by itself to its end. interactive: in a terminal (tmux) people can attach to; waits for session_prompt.',
  ),
  agent: z.string().max(32).optional().describe('Which declared agent, such as claude or demo. Default: the configured one.'),
  priority,
  queue: z.boolean().default(true).describe('false: start now or fail with NO_SLOT instead of waiting in the line.'),
  parentId: z.string().max(128).optional().describe('Session this one is a part of.'),
  label: z.string().min(1).max(80).optional().describe('A word of your own to find it again with session_list.'),
  model: SessionDefaults.shape.model,
  cwd: z.string().max(1000).optional().describe('Folder to work in, inside the workspace. Default: the workspace.'),
  timeoutSeconds: z.number().int().min(1).max(604_800).optional().describe('Longest time the agent may run; then it is ended.'),
  maxCostUsd: z
    .number()
    .positive()
    .max(10_000)
    .optional()
    .describe('Most it may cost in US dollars, for agents that keep count.'),
  worktree: z
    .union([z.boolean(), z.string().max(200)])
    .optional()
    .describe('true or a branch name: it works in a git worktree of its own.'),
  resultSchema: z
    .string()
    .optional()
    .describe(
      'JSON Schema of an object, as text (no `pattern`, no recursion): the agent ends with such data, returned as `data`.',
    ),
  concurrent: z.boolean().default(false).describe('true: may run beside another session on its task.'),
  notBefore: z.string().max(40).optional().describe('Not to be started before this time, ISO 8601.'),
  rule: ruleName.optional().describe('Prompt rule to use instead of the fitting one.'),
  template: ruleName.optional().describe('Session template: named defaults.'),
  arguments: ruleArguments,
  requestKey,
});

export const sessionStart = defineTool({
  name: 'session_start',
  title: 'Start a session',
  description:
    'Put a coding agent to work on a task, or on a prompt alone. Returns at once with the session id and its place in the line; the agent works on by itself. ' +
    'Follow it with session_wait, do not poll; for a single session session_run does both.',
  effect: 'creates',
  toolset: 'core',
  input: StartInput,
  output: SessionView,
  positional: ['taskId'],
  fails: [
    'TASK_NOT_FOUND',
    'TASK_UNREADABLE',
    'TASK_EXISTS',
    'PATH_OUTSIDE',
    'PROMPT_EMPTY',
    'PROMPT_TOO_LARGE',
    'SESSION_NOT_FOUND',
    'RULE_NOT_FOUND',
    'RULE_INVALID',
    'AGENT_UNKNOWN',
    'AGENT_MISSING',
    'WORKTREE_FAILED',
    'CONFIG_INVALID',
    'CONFIG_UNTRUSTED',
    'QUEUE_FULL',
    'DEPTH_EXCEEDED',
    'TASK_BUSY',
    'NO_SLOT',
    'REQUEST_KEY_REUSED',
    'WORKSPACE_MISSING',
    'STORAGE_FAILED',
    'STORAGE_FULL',
  ],
  examples: [
    { taskId: 'fix-login', agent: 'demo' },
    { prompt: 'Say hello.', agent: 'demo', priority: 'high', label: 'greeting' },
  ],
  async handle(input, { orchestrator, caller, callKey }) {
    const { session, notes } = await orchestrator.start(startRequestOf(input, callKey), caller);
    const view = orchestrator.detailed(session);
    return notes.length > 0 ? { ...view, notes: [...notes] } : view;
  },
  say: (session) => session.summary,
});

/** What was asked for as the core takes it. */
export function startRequestOf(input: z.infer<typeof StartInput>, callKey: string | undefined): StartRequest {
  const values = input.arguments && valuesOf(input.arguments);
  const worktree = WORDS.get(input.worktree) ?? input.worktree;
  return { ...input, worktree, arguments: values, requestKey: input.requestKey ?? callKey };
}
