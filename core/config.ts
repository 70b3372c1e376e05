// Every setting: name, type, default and a sentence. Docs and the editor schema are made from this object.
import { z } from 'zod';
import { AgentEntry } from './agent.ts';
import { Priority } from './priority.ts';
import { Size } from './size.ts';

/** Longest prompt in bytes of UTF-8. */
export const MAX_PROMPT_BYTES = 256 * 1024;

/** Ends after which a session may be tried again. */
export const RETRYABLE = [
  'rate_limited',
  'api_error',
  'agent_error',
  'memory',
  'timeout',
  'idle_timeout',
  'killed',
  'lost',
] as const;

const weight = (usual: number) => z.number().min(0).max(100).default(usual).describe('How much this priority weighs.');
const count = (least: number, most: number) => z.number().int().min(least).max(most);

export const Config = z.strictObject({
  workspace: z
    .strictObject({
      taskFolders: z.array(z.string().min(1)).default(['.tasks']).describe('Folders with task files, below the workspace.'),
    })
    .prefault({}),
  resources: z
    .strictObject({
      maxConcurrentSessions: count(1, 1000).default(3).describe('How many runs may live at once. A hard cap.'),
      maxInteractiveSessions: count(0, 1000).default(10).describe('How many of them may be interactive. 0 means none.'),
      maxQueueSize: count(1, 100_000).default(10_000).describe('How many sessions may wait in the line.'),
      sessionTimeoutMs: count(1000, 7 * 86_400_000)
        .default(4 * 3_600_000)
        .describe('Longest life of a run in milliseconds, when the start names none.'),
      maxMemoryPerSession: Size.default('4GB').describe(
        'Most memory that all processes of one run may use together; past it the run is stopped. 0 means no limit. 1GB is 1024MB.',
      ),
      minFreeMemory: Size.default('512MB').describe(
        'Memory that must be free on the machine before a session is started. 0 means none.',
      ),
      maxCpuLoad: z
        .number()
        .min(0)
        .max(1000)
        .default(10)
        .describe('No session is started while the load of the last minute is above so many per core. 0 means no limit.'),
      maxMemoryPressure: z
        .number()
        .min(0)
        .max(1)
        .default(0.5)
        .describe(
          'No session is started while programs stood waiting for memory more than this share of the last ten seconds (Linux). 0 means no limit.',
        ),
      sampleIntervalMs: count(250, 60_000)
        .default(2000)
        .describe('Milliseconds between two measurements of runs and machine, while something runs or waits.'),
      idleTimeoutMs: count(0, 7 * 86_400_000)
        .default(30 * 60_000)
        .describe('A run that speaks stream-json is stopped after so many milliseconds without output. 0 means never.'),
      interactiveIdleMs: count(0, 30 * 86_400_000)
        .default(4 * 3_600_000)
        .describe('An interactive session is ended when it stood at its prompt for so many milliseconds. 0 means never.'),
      startTimeoutMs: count(0, 86_400_000)
        .default(120_000)
        .describe(
          'A run that speaks stream-json is stopped when it said nothing so many milliseconds after its start. 0 means never.',
        ),
      staggerMs: count(0, 60_000)
        .default(500)
        .describe(
          'Least milliseconds between the starts of two Claude Code agents, which may damage their common config when they start at once.',
        ),
    })
    .prefault({}),
  storage: z
    .strictObject({
      minFreeDisk: Size.default('200MB').describe(
        'Space that must be free on the disk of the state folder before anything new is taken. 0 means none. 1GB is 1024MB.',
      ),
      maxLogBytes: Size.default('1GB').describe(
        'Most that the log of one run may have; past it the run is stopped. 0 means no limit. 1GB is 1024MB.',
      ),
    })
    .prefault({}),
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
        .describe('A settled session and its logs are kept for so many milliseconds.'),
      keepSessions: count(0, 1_000_000)
        .default(10_000)
        .describe('Of the settled sessions so many of the newest are kept at most.'),
    })
    .prefault({}),
  queue: z
    .strictObject({
      defaultPriority: Priority.exclude(['urgent']).default('medium').describe('Priority when a start names none.'),
      enablePriorities: z.boolean().default(true).describe('false: first come, first served, whatever the priority.'),
      allowUrgent: z
        .boolean()
        .default(false)
        .describe('Whether callers may ask for the priority urgent; it is meant for system operations.'),
      priorityWeights: z
        .strictObject({
          lowest: weight(0),
          low: weight(1),
          medium: weight(2),
          high: weight(3),
          highest: weight(4),
          urgent: weight(5),
        })
        .prefault({})
        .describe('How much each priority weighs; one is worth `agingMs` of waiting.'),
      agingMs: count(1000, 86_400_000)
        .default(10 * 60_000)
        .describe('How long a session must wait to catch up with one whose priority weighs one more, in milliseconds.'),
      maxPerUser: count(0, 100_000)
        .default(0)
        .describe('How many sessions one client or parent may have in the line; 0 means no limit.'),
      timeoutMs: count(0, 30 * 86_400_000)
        .default(0)
        .describe('Longest wait in the line in milliseconds; after it a session fails with queue_timeout. 0 means no limit.'),
      processingIntervalMs: count(100, 60_000)
        .default(1000)
        .describe('How often the line is looked at besides when something happens, in milliseconds.'),
      retryPolicy: z
        .strictObject({
          attempts: count(1, 20).default(3).describe('How many runs a session may have in all, retries included.'),
          minDelayMs: count(0, 86_400_000).default(5000).describe('Pause before the first retry, in milliseconds.'),
          maxDelayMs: count(0, 86_400_000)
            .default(10 * 60_000)
            .describe('Longest pause, in milliseconds; a reset that the agent reports may be later.'),
          factor: z.number().min(1).max(10).default(2).describe('By how much each pause is longer than the one before.'),
          retryOn: z
            .array(z.enum(RETRYABLE))
            .default(['rate_limited', 'api_error'])
            .describe('After which ends a session is tried again. api_error: the model API failed for a moment.'),
          resume: z.boolean().default(true).describe('Whether a retry goes on with the same conversation where the agent can.'),
        })
        .prefault({}),
    })
    .prefault({}),
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
        .describe('Uses of tools that are denied without asking; they go before `allow`.'),
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
  server: z
    .strictObject({
      idleExitMs: count(0, 30 * 86_400_000)
        .default(15 * 60_000)
        .describe('The hub leaves after so many milliseconds with no door open and nothing queued or running. 0 means never.'),
      legacyTools: z.boolean().default(false).describe('List the old `autonomous_*` names too. They can always be called.'),
      toolsets: z
        .array(z.enum(['core', 'queue', 'prompts', 'admin', 'all']))
        .default(['core'])
        .describe('Which groups of tools are listed.'),
      http: z
        .strictObject({
          enabled: z
            .boolean()
            .default(false)
            .describe('Clients with a token are served over HTTP whenever a hub runs. `sc serve --http` serves them without it.'),
          host: z.string().min(1).default('127.0.0.1').describe('Address to listen at.'),
          port: count(0, 65_535).default(0).describe('Port to listen at. 0: on loopback the one that runs use, else any.'),
          behindTls: z
            .boolean()
            .default(false)
            .describe('A proxy that speaks TLS stands in front; without one only addresses of this machine are listened at.'),
          hosts: z
            .array(z.string().min(1))
            .default([])
            .describe('Names by which it may be called, besides those of this machine.'),
          origins: z
            .array(z.string().min(1))
            .default([])
            .describe('Host names of web pages that may call it, besides those of this machine.'),
          maxConnections: count(1, 100_000).default(1_024).describe('How many connections are served at once.'),
          maxSubscriptions: count(1, 100_000).default(512).describe('How many subscriptions one token may have open.'),
          maxWaits: count(1, 100_000).default(256).describe('How many calls with one token may wait for something at once.'),
          callsPerSecond: count(1, 100_000)
            .default(500)
            .describe('How many calls a second one token may make; after a pause four times as many at once.'),
        })
        .prefault({})
        .describe('The HTTP door for clients; runs have it always.'),
    })
    .prefault({}),
});
export type Config = z.infer<typeof Config>;

/** Settings under `resources` that an untrusted workspace config may set, and only to less than they were. */
export const NARROWING = ['maxConcurrentSessions', 'maxQueueSize', 'sessionTimeoutMs'] as const;
