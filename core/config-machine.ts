// The settings about what the machine gives: `resources`, for runs, and `storage`, for what is kept. Declares them, and measures nothing.
import { z } from 'zod';
import { count } from './setting.ts';
import { Size } from './size.ts';

export const Resources = z
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
  .prefault({});

export const Storage = z
  .strictObject({
    minFreeDisk: Size.default('200MB').describe(
      'Space that must be free on the disk of the state folder before anything new is taken. 0 means none. 1GB is 1024MB.',
    ),
    maxLogBytes: Size.default('1GB').describe(
      'Most that the log of one run may have; past it the run is stopped. 0 means no limit. 1GB is 1024MB.',
    ),
  })
  .prefault({});
