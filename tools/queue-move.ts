// queue_move: gives a waiting session another priority or place.
import { z } from 'zod';
import { fail } from '../core/errors.ts';
import { SessionView } from '../core/views.ts';
import { defineTool } from './define.ts';
import { priority, sessionId } from './fields.ts';

export const queueMove = defineTool({
  name: 'queue_move',
  title: 'Move a session in the line',
  description:
    'Give a session that waits in the line another priority, or a place (1 is next). Give one of the two. Answers with the session at its new place.',
  effect: 'changes',
  toolset: 'queue',
  input: z.strictObject({
    sessionId,
    priority: priority.describe('Its new priority; its age in the line is kept.'),
    place: z.number().int().min(1).max(100_000).optional().describe('Its new place in the line, 1 is next.'),
  }),
  output: SessionView,
  positional: ['sessionId'],
  fails: ['SESSION_NOT_FOUND', 'NOT_QUEUED', 'REQUEST_KEY_REUSED', 'WORKSPACE_MISSING', 'STORAGE_FAILED', 'STORAGE_FULL'],
  examples: [
    { sessionId: '{{queued}}', priority: 'high' },
    { sessionId: '{{queued}}', place: 1 },
  ],
  async handle({ sessionId, priority, place }, { orchestrator, caller, callKey }) {
    if ((priority === undefined) === (place === undefined)) fail('INVALID_INPUT', 'Give either "priority" or "place".');
    return orchestrator.detailed(await orchestrator.move(sessionId, { priority, place, requestKey: callKey }, caller.by));
  },
  say: (session) => session.summary,
});
