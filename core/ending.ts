// How a session ends: the typed cause, and what the agent itself said about it.
import { z } from 'zod';

/** Why a session settled. `kind` is for programs; the other fields say more where there is more. */
export const EndCause = z.object({
  kind: z.enum([
    'done',
    'agent_error',
    'refused',
    'rate_limited',
    'auth',
    'timeout',
    'idle_timeout',
    'memory',
    'budget',
    'killed',
    'cancelled',
    'spawn_failed',
    'queue_timeout',
    'log_flood',
    'schema_mismatch',
    'lost',
  ]),
  signal: z.string().optional().describe('With `killed`: the signal, such as SIGKILL.'),
  exitCode: z.number().int().optional().describe('Exit code of the agent where it was seen.'),
  resetsAt: z.string().optional().describe('With `rate_limited`: when the quota resets, ISO 8601.'),
  by: z
    .string()
    .optional()
    .describe('With `cancelled`: who asked. With `done`: who said so, where the agent did not end by itself.'),
  reason: z.string().optional().describe('What was said about it.'),
});
export type EndCause = z.infer<typeof EndCause>;

/** What the agent itself reported at the end of a run. Money in US dollars, times in milliseconds. */
export const AgentResult = z.object({
  text: z.string().describe('The final answer, cut at 20,000 characters.'),
  isError: z.boolean(),
  errorKind: z
    .enum(['agent_error', 'refused', 'rate_limited', 'auth', 'budget'])
    .optional()
    .describe('With `isError`: what it was about.'),
  resetsAt: z.string().optional().describe('With `rate_limited`: when the quota resets, ISO 8601.'),
  isTransient: z.boolean().optional().describe('With `isError`: the model API failed for a moment; trying again may help.'),
  subtype: z.string().optional(),
  costUsd: z.number().optional(),
  turns: z.number().optional(),
  durationMs: z.number().optional(),
  inputTokens: z.number().optional(),
  outputTokens: z.number().optional(),
  data: z.json().optional().describe('The structured result, where one was asked for.'),
  permissionDenials: z.array(z.string()).optional().describe('Names of the tools that were denied.'),
});
export type AgentResult = z.infer<typeof AgentResult>;
