// The line as callers see it: the slots, what runs, and who waits for what. One answer for all who ask.
import { z } from 'zod';
import { seenText } from './hidden-text.ts';
import type { RunUsage } from './meter-ports.ts';
import type { Orchestrator } from './orchestrator.ts';
import { activeCount, asTheyMayStart, holdOf, holdText } from './scheduler.ts';
import type { SessionType } from './session.ts';
import { iso } from './time.ts';

const MOST_ROWS = 30;

export const LineView = z.looseObject({
  slots: z.looseObject({
    total: z.number().int(),
    taken: z.number().int(),
    lent: z.number().int().describe('Runs that wait for their own sessions and gave their slot to them.'),
  }),
  isPaused: z.boolean(),
  pauseReason: z.string().optional().describe('What was said when the line was paused.'),
  heldBack: z.string().optional().describe('Why nothing is started, when the machine has no room.'),
  machine: z
    .array(z.looseObject({ resourceType: z.string(), currentUsage: z.number(), limit: z.number() }))
    .describe('What was measured of the machine, against its limits.'),
  active: z.array(
    z.looseObject({
      id: z.string(),
      status: z.string(),
      taskId: z.string(),
      agent: z.string(),
      startedAt: z.string().optional(),
      lent: z.boolean().optional(),
      memoryBytes: z.number().optional(),
      cpu: z.number().optional().describe('1 is one core.'),
    }),
  ),
  line: z
    .array(
      z.looseObject({
        id: z.string(),
        position: z.number().int(),
        priority: z.string(),
        taskId: z.string(),
        queuedAt: z.string(),
        reason: z.string(),
        estimatedStart: z.string().optional(),
      }),
    )
    .describe(`The first ${MOST_ROWS} that wait, next one first.`),
  waiting: z.number().int().describe('How many wait in all, those that the caller may not see too.'),
});
export type LineView = z.infer<typeof LineView>;

/** How the line stands, for all sessions or those of a type; each row is of a session that the caller may see. */
export function lineView(orchestrator: Orchestrator, type?: SessionType | undefined): LineView {
  const line = orchestrator.line();
  const of = (sessionId: string) => orchestrator.get(sessionId);
  const isOfType = ({ sessionId }: { readonly sessionId: string }) =>
    type === undefined || orchestrator.ledger.session(sessionId)?.type === type;
  const isSeen = ({ sessionId }: { readonly sessionId: string }) => orchestrator.sees(sessionId);
  const placed = asTheyMayStart(line)
    .map((job, at) => ({ job, at, sessionId: job.sessionId }))
    .filter(isOfType);
  const shown = placed.filter(isSeen).slice(0, MOST_ROWS);
  const starts = orchestrator.estimatedStarts((shown.at(-1)?.at ?? -1) + 1);
  return {
    slots: { total: line.cap, taken: activeCount(line), lent: line.active.length - activeCount(line) },
    isPaused: line.isPaused,
    pauseReason: pauseReasonOf(orchestrator),
    heldBack: line.isShort ? line.guard : undefined,
    machine: orchestrator.machine().map((reading) => ({ ...reading })),
    active: line.active
      .filter((run) => isOfType(run) && isSeen(run))
      .map(({ sessionId, isLent }) => {
        const { id, status, taskId, agent, runStartedAt } = of(sessionId);
        return {
          id,
          status,
          taskId,
          agent,
          startedAt: runStartedAt === undefined ? undefined : iso(runStartedAt),
          lent: isLent || undefined,
          ...measured(orchestrator.usage(sessionId)),
        };
      }),
    line: shown.map(({ job, at }) => {
      const { id, priority, taskId, queuedAt } = of(job.sessionId);
      const estimated = starts[at];
      return {
        id,
        position: at + 1,
        priority,
        taskId,
        queuedAt: iso(queuedAt),
        reason: holdText(holdOf(job, line), at),
        estimatedStart: estimated === undefined ? undefined : iso(estimated),
      };
    }),
    waiting: placed.length,
  };
}

/** What was said when the line was paused, as a caller may see it. */
export function pauseReasonOf(orchestrator: Orchestrator): string | undefined {
  const reason = orchestrator.pauseReason();
  return reason === undefined ? undefined : seenText(reason);
}

/** How the line stands, in a sentence. */
export function lineText({ slots, waiting, isPaused, pauseReason, heldBack }: LineView): string {
  const still = isPaused ? `; ${pausedText(pauseReason)}` : heldBack ? `; held back: ${heldBack}` : '';
  return `${slots.taken} of ${slots.total} slots taken, ${waiting} waiting${still}.`;
}

/** That the line is paused, and why, as far as that was said. */
export function pausedText(reason: string | undefined): string {
  return `the line is paused${reason === undefined ? '' : ` ("${reason.replace(/\s+/g, ' ')}")`}`;
}

function measured(usage: RunUsage | undefined) {
  return usage && { memoryBytes: Math.round(usage.memoryBytes), cpu: Math.round(usage.cpu * 100) / 100 };
}
