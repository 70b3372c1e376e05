// worktree_list: the worktrees of this workspace, and what holds each.
import { z } from 'zod';
import { defineTool } from './define.ts';
import { cursor, limit, nextCursor, summary, total } from './fields.ts';
import { pageOf } from './page.ts';

export const worktreeList = defineTool({
  name: 'worktree_list',
  title: 'List worktrees',
  description:
    'The git worktrees that sessions of this workspace work in, also those of sessions that are gone: path, branch, and what would be lost with each. ' +
    'Remove one with worktree_remove.',
  effect: 'reads',
  toolset: 'admin',
  input: z.strictObject({ cursor, limit: limit(100, 20) }),
  output: z.looseObject({
    summary,
    worktrees: z.array(
      z.looseObject({
        sessionId: z.string().describe('Session it belongs to, as worktree_remove wants it.'),
        status: z.string().describe('Status of that session; `removed` when it was cleaned up.'),
        branch: z.string(),
        path: z.string().optional().describe('Absent when only the branch is left.'),
        holds: z.string().optional().describe('Why it would stay; absent when it can be removed without loss.'),
      }),
    ),
    total,
    nextCursor,
  }),
  fails: ['WORKTREE_FAILED', 'CURSOR_INVALID', 'WORKSPACE_MISSING'],
  examples: [{}, { limit: 5 }],
  async handle({ cursor, limit }, { orchestrator }) {
    const all = (await orchestrator.worktrees.list()).toSorted((a, b) => (a.sessionId < b.sessionId ? -1 : 1));
    const { rows, nextCursor } = pageOf(all, { cursor, limit, keyOf: ({ sessionId }) => sessionId });
    const worktrees = [];
    // one after the other: each asks git
    for (const row of rows) {
      const { sessionId, branch, path, isThere } = row;
      const status = orchestrator.ledger.session(sessionId)?.status ?? 'removed';
      worktrees.push({
        sessionId,
        status,
        branch,
        path: isThere ? path : undefined,
        holds: await orchestrator.worktrees.holds(row),
      });
    }
    return { worktrees, total: all.length, nextCursor };
  },
  say: ({ worktrees, total }) => `${worktrees.length} of ${total} worktrees.`,
  tables: [
    { rows: 'worktrees', columns: { SESSION: 'sessionId', STATUS: 'status', BRANCH: 'branch', PATH: 'path', HOLDS: 'holds' } },
  ],
});
