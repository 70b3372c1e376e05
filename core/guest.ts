// The orchestrator as a guest sees it, to whom one session was shared: that session alone, to be watched, or spoken to as well.
import type { ShareRole } from './access.ts';
import { fail } from './errors.ts';
import type { Orchestrator } from './orchestrator.ts';
import { keyOf } from './scope.ts';
import { sightOf } from './sight.ts';

export interface Guest {
  readonly sessionId: string;
  readonly shareId: string;
  readonly role: ShareRole;
  /** Whom it was shared with, in words. */
  readonly name: string;
}

/** Every call about another session, and every deed that the role does not have, fails with NOT_SHARED; lists leave other sessions out. */
export function guestOf(whole: Orchestrator, { sessionId: shared, shareId, role }: Guest): Orchestrator {
  const notShared = (sessionId: string) => fail('NOT_SHARED', `Only session ${shared} was shared with you, not "${sessionId}".`);
  const refuse = () => fail('NOT_SHARED', `A guest of session ${shared} cannot do this.`);
  return {
    ...whole,
    ...sightOf(whole, (sessionId) => sessionId === shared, notShared),
    pauseReason: () => undefined,
    sees: (sessionId) => sessionId === shared && whole.sees(sessionId),
    events: (query) => whole.events({ ...query, within: new Set([shared]) }),
    async prompt(request, by) {
      if (request.sessionId !== shared) notShared(request.sessionId);
      if (role !== 'prompt') fail('NOT_SHARED', `Session ${shared} was shared to be watched, not to be prompted.`);
      // a key of its own: what others said by the same one is not told
      return whole.prompt({ ...request, requestKey: keyOf(shareId, request.requestKey) }, by);
    },
    start: async () => refuse(),
    cancel: async () => refuse(),
    pin: async () => refuse(),
    tune: async () => refuse(),
    ask: async () => refuse(),
    answer: async () => refuse(),
    terminal: async () => refuse(),
    detach: async () => refuse(),
    move: async () => refuse(),
    clear: async () => refuse(),
    pause: async () => refuse(),
    resume: async () => refuse(),
    share: async () => refuse(),
    unshare: async () => refuse(),
    tasks: async () => refuse(),
    task: async () => refuse(),
  };
}
