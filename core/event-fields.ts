// What several events say in the same way: schemas of parts of their data.
import { z } from 'zod';
import { AgentResult, EndCause } from './ending.ts';
import { RESOURCE_TYPES } from './headroom.ts';
import { PromptMode } from './talk.ts';

/** The session it is about, and the number of its run. */
export const sessionId = z.string();
export const run = z.number().int();
/** A worktree of a session's own. */
export const worktree = z.object({ path: z.string(), branch: z.string(), base: z.string() });
const changes = z.object({
  files: z.array(z.string()).readonly(),
  fileCount: z.number().int(),
  insertions: z.number().int(),
  deletions: z.number().int(),
  commits: z.array(z.object({ id: z.string(), subject: z.string() })).readonly(),
  commitCount: z.number().int(),
});
/** How a session settled. */
export const settled = z.object({ sessionId, run, cause: EndCause, result: AgentResult.optional(), changes: changes.optional() });
/** The call that recorded the fact; see `once.ts`. */
export const call = {
  requestKey: z.string().optional().describe('Of the call that did it: sent again, it is the same one.'),
  digest: z.string().optional().describe('Of the arguments that came with the request key.'),
};
/** What somebody said to a session. */
export const prompted = {
  sessionId,
  promptId: z.string().default('').describe('By which its receipt is told; empty where there is none.'),
  prompt: z.string(),
  by: z.string(),
  mode: PromptMode.default('queue'),
  ...call,
};

/** What the machine lacked, or has again. */
export const resource = z.object({
  resourceType: z.enum(RESOURCE_TYPES),
  currentUsage: z
    .number()
    .describe(
      'With `free_memory` the bytes that are free, with `cpu_load` the load per core, with `memory_pressure` a share from 0 to 1.',
    ),
  limit: z.number().describe('The setting it passed, in the same unit.'),
  affectedSessions: z.array(z.string()).describe('Sessions in the line, the first hundred.'),
});
