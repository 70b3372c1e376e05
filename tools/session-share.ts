// session_share: lets somebody else watch one session, or speak to it, for a while; and ends that again.
import { z } from 'zod';
import { SHARE_ROLES } from '../core/access.ts';
import { iso } from '../core/time.ts';
import { defineTool } from './define.ts';
import { sessionId, summary } from './fields.ts';

const DAY_SECONDS = 86_400;

export const sessionShare = defineTool({
  name: 'session_share',
  title: 'Share a session',
  description:
    'Make a token with which somebody else, a person or an agent, may watch this one session over HTTP, or also prompt it, until it expires. ' +
    'With `revoke` a share is ended at once. Answers with what is shared now; the token is shown this once.',
  effect: 'creates',
  toolset: 'admin',
  input: z.strictObject({
    sessionId,
    role: z.enum(SHARE_ROLES).optional().describe('watch: status, result and live log. prompt: may also say something to it.'),
    name: z
      .string()
      .min(1)
      .max(60)
      .optional()
      .describe('Whom it is for; it is recorded with every prompt that comes from there.'),
    expiresInSeconds: z
      .number()
      .int()
      .min(10)
      .max(30 * DAY_SECONDS)
      .default(DAY_SECONDS)
      .describe('How long the token is good for, in seconds (a day).'),
    revoke: z.string().max(20).optional().describe('shareId of a share to end; then nothing new is shared.'),
  }),
  output: z.looseObject({
    summary,
    sessionId: z.string(),
    shareId: z.string().optional(),
    url: z.string().optional().describe('Where an MCP client connects, over Streamable HTTP.'),
    token: z.string().optional().describe('For its header `Authorization: Bearer …`. Whoever has it may come.'),
    shares: z.array(z.looseObject({ shareId: z.string(), role: z.enum(SHARE_ROLES), name: z.string(), expiresAt: z.string() })),
  }),
  positional: ['sessionId', 'role'],
  fails: ['SESSION_NOT_FOUND', 'SHARE_REFUSED', 'REQUEST_KEY_REUSED', 'WORKSPACE_MISSING', 'STORAGE_FAILED', 'STORAGE_FULL'],
  examples: [{ sessionId: '{{session}}', role: 'watch', name: 'Anna', expiresInSeconds: 3600 }, { sessionId: '{{session}}' }],
  async handle({ sessionId, role, name, expiresInSeconds, revoke }, { orchestrator, caller, callKey: requestKey }) {
    orchestrator.get(sessionId);
    if (revoke !== undefined) await orchestrator.unshare({ sessionId, shareId: revoke, requestKey }, caller.by);
    const shared =
      revoke === undefined && role !== undefined
        ? await orchestrator.share(
            { sessionId, role, name: name ?? 'somebody', lifeMs: expiresInSeconds * 1000, requestKey },
            caller.by,
          )
        : undefined;
    return {
      sessionId,
      ...(shared && { shareId: shared.shareId, url: shared.url, token: shared.token }),
      shares: orchestrator
        .shares(sessionId)
        .map((share) => ({ shareId: share.shareId, role: share.role, name: share.name, expiresAt: iso(share.expiresAt) })),
    };
  },
  say: ({ sessionId, shareId, shares }) =>
    `${shareId === undefined ? `Session ${sessionId} is` : `Shared as ${shareId}; session ${sessionId} is now`} shared ${shares.length === 1 ? 'once' : `${shares.length} times`}.`,
  tables: [{ rows: 'shares', columns: { SHARE: 'shareId', ROLE: 'role', FOR: 'name', UNTIL: 'expiresAt' } }],
});
