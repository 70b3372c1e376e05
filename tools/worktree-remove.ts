// worktree_remove: takes away the worktree of a session that is done with it.
import { z } from 'zod';
import { defineTool } from './define.ts';
import { summary } from './fields.ts';

export const worktreeRemove = defineTool({
  name: 'worktree_remove',
  title: 'Remove a worktree',
  description:
    'Remove the git worktree of a settled session. It stays, with the reason, while work in it is not committed or its commits are on no other branch; ' +
    '`force` removes it all the same. Commits on its branch are never lost: the branch stays.',
  effect: 'destroys',
  toolset: 'admin',
  input: z.strictObject({
    sessionId: z.string().min(1).max(128).describe('Session id, as worktree_list gave it; the session itself may be gone.'),
    force: z.boolean().default(false).describe('Remove it with what is not committed in it.'),
  }),
  output: z.looseObject({
    summary,
    sessionId: z.string(),
    isRemoved: z.boolean(),
    reason: z.string().optional().describe('Why it stays.'),
    path: z.string().optional(),
    branch: z
      .string()
      .optional()
      .describe('The branch, where it stays: the session can go on from it, or it has commits of its own.'),
  }),
  positional: ['sessionId'],
  fails: ['SESSION_NOT_FOUND', 'WORKTREE_FAILED', 'WORKSPACE_MISSING'],
  examples: [{ sessionId: '{{session}}' }],
  async handle({ sessionId, force }, { orchestrator }) {
    return { sessionId, ...(await orchestrator.worktrees.remove(sessionId, { force })) };
  },
  say: ({ sessionId, isRemoved, reason, branch }) =>
    isRemoved
      ? `The worktree of session ${sessionId} is removed${branch === undefined ? '' : `; its branch ${branch} stays`}.`
      : `The worktree of session ${sessionId} stays: ${reason}`,
});
