// What a rule sets for the sessions it is chosen for, as far as their caller says nothing else.
import { z } from 'zod';
import { PERMISSION_MODES } from './agent.ts';
import { Priority } from './priority.ts';
import { SessionType } from './session.ts';

export const SessionDefaults = z.strictObject({
  agent: z.string().min(1).max(32).optional().describe('Which declared agent.'),
  type: SessionType.optional().describe('autonomous or interactive.'),
  model: z
    .string()
    .max(100)
    .regex(/^[^-]/, {
      error: ({ input }) =>
        input === '' ? 'it is empty; without it the agent has its usual one' : 'it must not begin with a dash',
    })
    .optional()
    .describe('Model the agent is to use.'),
  sessionPriority: Priority.exclude(['urgent']).optional().describe('Priority of the session in the line.'),
  worktree: z
    .union([z.boolean(), z.string().min(1).max(200)])
    .optional()
    .describe('true or a branch name: it works in a git worktree of its own.'),
  permissionMode: z
    .enum(PERMISSION_MODES)
    .optional()
    .describe("Taken where it allows no more than the agent's own entry; a rule can only make it stricter."),
  tools: z
    .array(z.string().min(1).max(200))
    .max(100)
    .optional()
    .describe('Of the tools that the agent may use without asking only these.'),
  resultSchema: z.string().max(20_000).optional().describe('JSON Schema of the data the session is to end with.'),
  timeoutSeconds: z.number().int().min(1).max(604_800).optional().describe('Longest time the agent may run; then it is ended.'),
  maxCostUsd: z.number().positive().max(10_000).optional().describe('Most it may cost in US dollars.'),
  label: z.string().min(1).max(80).optional().describe('A word by which session_list finds its sessions.'),
});
export type SessionDefaults = z.infer<typeof SessionDefaults>;
