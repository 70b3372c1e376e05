// The settings about the line, `queue`: who goes first, how long is waited, and what is tried again. Declares them, and orders nothing.
import { z } from 'zod';
import { Priority } from './priority.ts';
import { count } from './setting.ts';

/** Ends after which a session may be tried again. */
const RETRYABLE = ['rate_limited', 'api_error', 'agent_error', 'memory', 'timeout', 'idle_timeout', 'killed', 'lost'] as const;

const weight = (usual: number) => z.number().min(0).max(100).default(usual).describe('How much this priority weighs.');

export const Queue = z
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
  .prefault({});
