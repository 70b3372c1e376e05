// What somebody may look at who does not see every session: the calls that read, each held to the sessions that are seen. Changes nothing.
import type { Orchestrator } from './orchestrator.ts';

/** `refuse` fails for a session that is not seen. Lists leave such sessions out. */
export function sightOf(
  whole: Orchestrator,
  isSeen: (sessionId: string) => boolean,
  refuse: (sessionId: string) => never,
): Pick<Orchestrator, 'get' | 'list' | 'wait' | 'log' | 'openRequests'> {
  const expectSeen = (sessionId: string) => {
    if (!isSeen(sessionId)) refuse(sessionId);
  };
  return {
    get(sessionId) {
      expectSeen(sessionId);
      return whole.get(sessionId);
    },
    list: (filter) => whole.list(filter).filter(({ id }) => isSeen(id)),
    async wait(request, by) {
      for (const id of request.sessionIds) expectSeen(id);
      return whole.wait(request, by);
    },
    async log(sessionId, query) {
      expectSeen(sessionId);
      return whole.log(sessionId, query);
    },
    openRequests: (sessionId) => whole.openRequests(sessionId).filter((request) => isSeen(request.sessionId)),
  };
}
