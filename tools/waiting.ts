// Calls that block: meanwhile their client is told that the work goes on.
import type { Waited, WaitRequest } from '../core/wait.ts';
import type { ToolContext } from './define.ts';

/** Clients that want to hear hear something at least every five seconds. */
const BEAT_MS = 4000;

/** Blocks until the condition holds or the time is over. Fails with SESSION_NOT_FOUND and CANCELLED. */
export function waitTelling(request: Omit<WaitRequest, 'signal'>, context: ToolContext): Promise<Waited> {
  const { orchestrator, caller, signal } = context;
  return telling(context, request.sessionIds, () => orchestrator.wait({ ...request, signal }, caller.sessionId));
}

/** Does what may block for long, and tells meanwhile how these sessions stand. */
export async function telling<Answer>(
  { orchestrator, progress }: ToolContext,
  sessionIds: readonly string[],
  deed: () => Promise<Answer>,
): Promise<Answer> {
  // one that was removed meanwhile stops nothing
  const statusOf = (id: string) => orchestrator.ledger.session(id)?.status ?? 'gone';
  const beat = setInterval(() => progress(sessionIds.map((id) => `${id} ${statusOf(id)}`).join(', ')), BEAT_MS);
  try {
    return await deed();
  } finally {
    clearInterval(beat);
  }
}
