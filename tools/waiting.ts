// Waiting for sessions as several tools do it: while the call blocks, its client is told that the work goes on.
import type { Waited, WaitRequest } from '../core/wait.ts';
import type { ToolContext } from './define.ts';

/** Clients that want to hear hear something at least every five seconds. */
const BEAT_MS = 4000;

/** Blocks until the condition holds or the time is over. Fails with SESSION_NOT_FOUND and CANCELLED. */
export async function waitTelling(
  request: Omit<WaitRequest, 'signal'>,
  { orchestrator, caller, signal, progress }: ToolContext,
): Promise<Waited> {
  const { sessionIds } = request;
  const beat = setInterval(() => progress(sessionIds.map((id) => `${id} ${orchestrator.get(id).status}`).join(', ')), BEAT_MS);
  try {
    return await orchestrator.wait({ ...request, signal }, caller.sessionId);
  } finally {
    clearInterval(beat);
  }
}
