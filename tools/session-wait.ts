// session_wait: blocks until sessions change, for a bounded time, and answers with what changed.
import { z } from 'zod';
import { fail } from '../core/errors.ts';
import { isSettled, type Session } from '../core/session.ts';
import { nextOfSettled, SessionView } from '../core/views.ts';
import { UNTIL } from '../core/wait.ts';
import { withShare } from './bounded.ts';
import { defineTool } from './define.ts';
import { next, sessionId, summary } from './fields.ts';
import { suggested } from './suggested.ts';
import { waitTelling } from './waiting.ts';

/** With more sessions than these in an answer, what could be said to each is left to session_get. */
const MOST_SUGGESTED = 5;
const USUAL_SECONDS = 25;

export const sessionWait = defineTool({
  name: 'session_wait',
  title: 'Wait for sessions',
  description:
    'Wait until one of these sessions settles or asks something, and get its result. Blocks for at most timeoutSeconds; when timedOut is true nothing is wrong: ' +
    'make the call in `next` again. This replaces polling with session_get.',
  effect: 'reads',
  toolset: 'core',
  input: z.strictObject({
    sessionIds: z.array(sessionId).min(1).max(50).describe('Sessions to wait for.'),
    until: z
      .enum(UNTIL)
      .default('any')
      .describe(
        'any: one settles or waits for somebody. all: all have settled, or one waits for somebody. change: any status changes.',
      ),
    after: z.string().max(20).optional().describe('cursor of the answer before: answers only with what changed since.'),
    timeoutSeconds: z.number().min(0).max(45).default(USUAL_SECONDS).describe('Longest time to block.'),
  }),
  output: z.looseObject({
    summary,
    sessions: z.array(SessionView),
    timedOut: z.boolean().describe('True when nothing happened in time; the sessions go on.'),
    cursor: z.string().describe('Pass it as `after` to hear only what comes next.'),
    next,
  }),
  positional: ['sessionIds'],
  fails: ['SESSION_NOT_FOUND', 'OUTSIDE_TREE', 'NOT_SHARED', 'CURSOR_INVALID', 'CANCELLED', 'WORKSPACE_MISSING'],
  examples: [{ sessionIds: ['{{session}}'], timeoutSeconds: 20 }],
  async handle({ sessionIds, until, after, timeoutSeconds }, context) {
    const { orchestrator } = context;
    const ids = [...new Set(sessionIds)];
    const request = {
      sessionIds: ids,
      until,
      after: after === undefined ? undefined : seqOf(after, orchestrator.ledger.seq),
      timeoutMs: timeoutSeconds * 1000,
    };
    const waited = await waitTelling(request, context);
    const all = ids.map((id) => orchestrator.ledger.durable.session(id) ?? orchestrator.get(id));
    const open = all.filter((session) => !isSettled(session)).map(({ id }) => id);
    const asking = waited.sessions.map((session) => orchestrator.view(session)).find(({ status }) => status === 'waiting')?.next;
    const again = JSON.stringify({
      sessionIds: open,
      ...(until !== 'any' && { until }),
      after: String(waited.seq),
      // a call that did not block is no way to wait
      ...(waited.timedOut && timeoutSeconds > 0 && timeoutSeconds !== USUAL_SECONDS && { timeoutSeconds }),
    });
    const changed = waited.sessions.map((session) => orchestrator.view(session).summary);
    return {
      summary: summaryOf(all, changed, waited.timedOut),
      sessions: await Promise.all(
        waited.sessions.map(async (session) => {
          const { next: _next, ...view } = orchestrator.view(session);
          const suggestions = waited.sessions.length > MOST_SUGGESTED ? {} : await suggested(orchestrator, session);
          return withShare({ ...view, ...suggestions }, waited.sessions.length);
        }),
      ),
      timedOut: waited.timedOut,
      cursor: String(waited.seq),
      next: nextOf(asking, open.length > 0 ? `session_wait ${again}` : undefined, open.length > 1) ?? nextOfSettled(all),
    };
  },
  say: ({ summary }) => summary ?? '',
  tables: [
    {
      rows: 'sessions',
      columns: { SESSION: 'id', STATUS: 'status', WHY: 'cause.kind', TIME: 'durationMs', COST: 'costUsd', RESULT: 'result' },
    },
  ],
});

/** How all of them stand, and what changed. */
function summaryOf(all: readonly Session[], changed: readonly string[], timedOut: boolean): string {
  const settled = all.filter(isSettled).length;
  const waiting = all.filter(({ status }) => status === 'waiting');
  if (timedOut && settled + waiting.length === 0) return 'Nothing has settled yet; wait again.';
  const idle = waiting.filter(({ waitsFor }) => waitsFor === 'prompt').length;
  const asking = waiting.length - idle;
  const counts = [
    `${settled} of ${all.length} settled`,
    asking > 0 && `${asking} ${asking === 1 ? 'asks' : 'ask'}`,
    idle > 0 && `${idle} at the prompt`,
  ]
    .filter(Boolean)
    .join(', ');
  if (timedOut) return `${counts}; nothing more happened in time.`;
  if (changed.length === 0) return `${counts}; nothing has changed since.`;
  return all.length === 1 ? changed.join(' ') : `${counts}. ${changed.join(' ')}`;
}

/** What one waits for is to be said to it, or it is left so while others are waited for. */
function nextOf(asking: string | undefined, again: string | undefined, areOthers: boolean): string | undefined {
  return asking && again && areOthers ? `${asking}; or leave it so: ${again}` : (asking ?? again);
}

function seqOf(after: string, newest: number): number {
  const seq = /^\d+$/.test(after) ? Number(after) : Number.POSITIVE_INFINITY;
  return seq <= newest ? seq : fail('CURSOR_INVALID', `"${after}" is not a cursor that session_wait gave.`);
}
