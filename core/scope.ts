// The orchestrator as a session sees it: it reads itself and what came of it, and acts on what came of it alone.
import { descendantsOf, isInTree } from './delegation.ts';
import { fail } from './errors.ts';
import { namedSession } from './named-session.ts';
import type { Orchestrator } from './orchestrator.ts';
import type { Session } from './session.ts';
import { sightOf } from './sight.ts';

/** Every call about a session outside the tree fails with OUTSIDE_TREE; lists leave such sessions out. */
export function scopedTo(whole: Orchestrator, root: string): Orchestrator {
  const own = () => [...whole.ledger.sessions()].filter((session) => isInTree(whole.ledger, session, root));
  const isSeen = (sessionId: string) => isInTree(whole.ledger, namedSession(whole.ledger, sessionId, own), root);
  const outside = (sessionId: string) => fail('OUTSIDE_TREE', `Session ${sessionId} did not come of session ${root}.`);
  const owns = (sessionId: string) => {
    if (!isSeen(sessionId)) outside(sessionId);
    if (sessionId === root) fail('OUTSIDE_TREE', `Session ${root} cannot do this to itself.`);
  };
  const refuse = () => fail('OUTSIDE_TREE', `Session ${root} cannot do what concerns others too.`);
  const sight = sightOf(whole, isSeen, outside);

  return {
    ...whole,
    ...sight,
    start: (request, caller) => whole.start({ ...request, requestKey: keyOf(root, request.requestKey) }, caller),
    // like the fact itself, which concerns everybody
    pauseReason: () => undefined,
    sees(sessionId) {
      const session = whole.ledger.session(sessionId);
      return session !== undefined && isInTree(whole.ledger, session, root);
    },
    events: (query) =>
      whole.events({ ...query, within: new Set([root, ...descendantsOf(whole.ledger, root).map(({ id }) => id)]) }),
    async tasks(filter) {
      const last = new Map<string, Session>();
      for (const session of sight.list({}).toReversed()) last.set(session.taskId, session);
      return (await whole.tasks(filter)).map(({ task }) => ({ task, last: last.get(task.id) }));
    },
    async cancel(sessionId, request) {
      owns(sessionId);
      return whole.cancel(sessionId, { ...request, requestKey: keyOf(root, request.requestKey) });
    },
    async prompt(request, by) {
      owns(request.sessionId);
      return whole.prompt({ ...request, requestKey: keyOf(root, request.requestKey) }, by);
    },
    async ask(sessionId, ask, signal) {
      if (sessionId !== root) fail('OUTSIDE_TREE', `Session ${root} can ask for itself alone.`);
      return whole.ask(sessionId, ask, signal);
    },
    async answer(request, by) {
      owns(whole.request(request.requestId).sessionId);
      return whole.answer(request, by);
    },
    async share(request, by) {
      owns(request.sessionId);
      return whole.share({ ...request, requestKey: keyOf(root, request.requestKey) }, by);
    },
    async unshare(request, by) {
      owns(request.sessionId);
      return whole.unshare({ ...request, requestKey: keyOf(root, request.requestKey) }, by);
    },
    async terminal(sessionId) {
      owns(sessionId);
      return whole.terminal(sessionId);
    },
    async detach(sessionId) {
      owns(sessionId);
      return whole.detach(sessionId);
    },
    pin: async () => refuse(),
    tune: async () => refuse(),
    move: async () => refuse(),
    clear: async () => refuse(),
    pause: async () => refuse(),
    resume: async () => refuse(),
  };
}

/** The key as one of this caller alone: another one's same key is another key. */
export function keyOf(caller: string, requestKey: string | undefined): string | undefined {
  return requestKey === undefined ? undefined : `${caller}/${requestKey}`;
}
