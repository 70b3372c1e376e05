// Every setting: name, type, default and a sentence. Docs and the editor schema are made from this object. The groups with many settings have files of their own.
import { z } from 'zod';
import { AgentEntry } from './agent.ts';
import { Resources, Storage } from './config-machine.ts';
import { Queue } from './config-queue.ts';
import { Server } from './config-server.ts';
import { count } from './setting.ts';

/** Longest prompt in bytes of UTF-8. */
export const MAX_PROMPT_BYTES = 256 * 1024;

export const Config = z.strictObject({
  workspace: z
    .strictObject({
      taskFolders: z.array(z.string().min(1)).default(['.tasks']).describe('Folders with task files, below the workspace.'),
    })
    .prefault({}),
  resources: Resources,
  storage: Storage,
  events: z
    .strictObject({
      maxEventHistory: count(100, 100_000_000)
        .default(10_000)
        .describe('So many of the newest events are kept at least; older ones are trimmed by whole files.'),
    })
    .prefault({}),
  cleanup: z
    .strictObject({
      autoCleanupCompletedSessions: z.boolean().default(true).describe('Remove old settled sessions and their logs.'),
      cleanupIntervalMs: count(1000, 7 * 86_400_000)
        .default(3_600_000)
        .describe('Milliseconds between two cleanups.'),
      retainSessionLogsForMs: count(0, 3650 * 86_400_000)
        .default(30 * 86_400_000)
        .describe(
          'A settled session and its logs are kept for so many milliseconds; the newest one on a task longer, unless the task was made for its prompt.',
        ),
      keepSessions: count(0, 1_000_000)
        .default(10_000)
        .describe('Of the settled sessions so many of the newest are kept at most.'),
    })
    .prefault({}),
  queue: Queue,
  delegation: z
    .strictObject({
      maxDepth: count(0, 10)
        .default(2)
        .describe('How deep sessions may start sessions: 0 not at all, 1 only those that people started.'),
      maxChildren: count(0, 1000).default(5).describe('How many sessions one session may have started that have not settled.'),
      maxPerRoot: count(0, 10_000).default(20).describe('How many sessions may come of one that people started, in all.'),
    })
    .prefault({}),
  requests: z
    .strictObject({
      timeoutMs: count(0, 7 * 86_400_000)
        .default(10 * 60_000)
        .describe(
          'What a session asks is denied when nobody has answered after so many milliseconds. 0 means it waits as long as it lives.',
        ),
      allow: z
        .array(z.string().min(1).max(500))
        .default([])
        .describe('Uses of tools that are allowed without asking, such as `Read` or `Bash(npm test*)`; `*` stands for any text.'),
      deny: z
        .array(z.string().min(1).max(500))
        .default([])
        .describe(
          'Uses of tools that are denied without asking; they go before `allow`. Claude Code is told them at its start, so most hold where it asks nobody too.',
        ),
    })
    .prefault({}),
  worktrees: z
    .strictObject({
      copy: z
        .array(z.string().min(1).max(500))
        .default([])
        .describe('Files of the workspace that a new worktree gets a copy of, such as `.env`.'),
      setup: z
        .array(z.array(z.string()).min(1))
        .default([])
        .describe('Commands run in a new worktree before the agent, each a list of words, such as ["npm", "ci"].'),
      setupTimeoutMs: count(1000, 86_400_000)
        .default(10 * 60_000)
        .describe('Longest time that one of these commands may take, in milliseconds.'),
    })
    .prefault({}),
  secrets: z
    .strictObject({
      variables: z
        .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/))
        .default([])
        .describe(
          'Environment variables whose values are masked wherever they turn up, besides those whose names say that they hold a secret.',
        ),
    })
    .prefault({}),
  prompts: z
    .strictObject({
      learning: z
        .boolean()
        .default(false)
        .describe(
          'true: among rules of equal priority and specificity the choice leans to those whose sessions succeed. false: it goes by id.',
        ),
    })
    .prefault({}),
  budget: z
    .strictObject({
      maxCostPerSession: z
        .number()
        .min(0)
        .default(0)
        .describe('Most one run may cost in US dollars, for agents that keep count. 0 means no limit.'),
      maxCostPerTree: z
        .number()
        .min(0)
        .default(0)
        .describe(
          'Most that a session and all that came of it may cost in US dollars; then it starts no more. 0 means no limit.',
        ),
      maxCostPerDay: z
        .number()
        .min(0)
        .default(0)
        .describe('Most that sessions may cost within 24 hours in US dollars; then the line waits. 0 means no limit.'),
    })
    .prefault({}),
  agents: z
    .record(z.string().regex(/^[a-z][a-z0-9-]{0,31}$/), AgentEntry)
    .default({})
    .describe('Agents by name, besides the built-in `claude` and `demo`.'),
  defaultAgent: z.string().default('claude').describe('Agent when a start names none.'),
  server: Server,
});
export type Config = z.infer<typeof Config>;

/** Settings under `resources` that an untrusted workspace config may set, and only to less than they were. */
export const NARROWING = ['maxConcurrentSessions', 'maxQueueSize', 'sessionTimeoutMs'] as const;
