// session_run: starts a session and waits for it, in one call.
import { z } from 'zod';
import { isSettled } from '../core/session.ts';
import { nextOfSettled, SessionView } from '../core/views.ts';
import { withShare } from './bounded.ts';
import { defineTool, type ToolContext } from './define.ts';
import { sessionStart, startRequestOf } from './session-start.ts';
import { waitTelling } from './waiting.ts';

const Receipt = SessionView.extend({
  timedOut: z.boolean().describe('True when it had not settled in time; it goes on, and `next` waits for it.'),
});
type Receipt = z.infer<typeof Receipt>;

// what is to begin later is not waited for
const { timeoutSeconds: maxRunSeconds, notBefore: _notBefore, ...startFields } = sessionStart.input.shape;

export const sessionRun = defineTool({
  name: 'session_run',
  title: 'Run a session to its end',
  description:
    'Put a coding agent to work and wait for its result: session_start and session_wait in one call. Where it takes longer than timeoutSeconds it goes on, and `next` says how to wait for it. ' +
    'For several sessions at once use session_start.',
  effect: 'creates',
  toolset: 'core',
  input: z.strictObject({
    ...startFields,
    timeoutSeconds: z
      .number()
      .min(0)
      .max(45, 'it must be at most 45; maxRunSeconds limits how long the agent may run')
      .default(25)
      .describe('Longest time to wait; the session goes on after it.'),
    maxRunSeconds,
  }),
  output: Receipt,
  positional: ['taskId'],
  fails: [...sessionStart.fails, 'CANCELLED'],
  examples: [{ prompt: 'Say hello.', agent: 'demo', timeoutSeconds: 20 }],
  async handle({ timeoutSeconds, maxRunSeconds, ...input }, context) {
    const { orchestrator, caller, callKey } = context;
    const request = startRequestOf({ ...input, timeoutSeconds: maxRunSeconds }, callKey);
    const { session, notes } = await orchestrator.start(request, caller);
    const receipt = await receiptOf(session.id, timeoutSeconds, context);
    return notes.length > 0 ? { ...receipt, notes: [...notes, ...(receipt.notes ?? [])] } : receipt;
  },
  say: (session) => session.summary,
});

/** How the session stands after so long at most: its result, or what it asks, or what to call next. */
export async function receiptOf(sessionId: string, timeoutSeconds: number, context: ToolContext): Promise<Receipt> {
  const { orchestrator } = context;
  const request = { sessionIds: [sessionId], until: 'any', timeoutMs: timeoutSeconds * 1000 } as const;
  const { sessions, timedOut } = await waitTelling(request, context);
  const session = sessions[0] ?? orchestrator.get(sessionId);
  const view = isSettled(session)
    ? { ...orchestrator.view(session), next: nextOfSettled([session]) }
    : orchestrator.detailed(session);
  return { ...withShare(view, 1), timedOut };
}
