// Carries one session through one slot: starts or finds its run, follows it to its end, and settles the session.
// The promise of `run` is the lease of the slot: it resolves only when the run's whole process tree is gone.

import { agentNamed } from './agent.ts';
import { type AskingEvent, openAsking } from './asking.ts';
import { type BeginParts, begin, unlessFull } from './begin.ts';
import type { EndCause } from './ending.ts';
import { fail, ScopecraftError } from './errors.ts';
import type { CallKey } from './once.ts';
import { jobOf } from './recovery.ts';
import type { Requests } from './requests.ts';
import type { Run, RunEvent, ServeRun } from './run-ports.ts';
import type { WaitingJob } from './scheduler.ts';
import { isActive, isSettled } from './session.ts';
import { type SettleParts, settle } from './settle.ts';
import { createTakeUp } from './take-up.ts';
import { openRequests, pendingPrompts } from './talk.ts';
import type { Watchdog } from './watchdog.ts';

export interface SupervisorParts extends BeginParts, SettleParts {
  /** Who looks after runs that say nothing, or too much. */
  readonly watchdog: () => Watchdog;
  /** Where the permissions that runs ask for are asked and answered. */
  readonly requests: Pick<Requests, 'ask' | 'withdraw'>;
  /** Where the calls that runs make on their output are worked on. */
  readonly serveRun: ServeRun;
}

export interface Supervisor {
  /** The deed of the queue: begins a queued session, or takes up an active one after a restart. Resolves with the job of its next try, if there is one. */
  run(job: { readonly sessionId: string }): Promise<WaitingJob | undefined>;
  /** Asks the session's run to stop. The fact `session.stopping` is recorded first, by the caller or here. */
  stop(sessionId: string, cause: EndCause, call?: CallKey | undefined): Promise<void>;
  /** Says what is pending to the session's run. Where there is none yet, or its hub is gone, that happens when it is followed. */
  tell(sessionId: string): Promise<void>;
}

export function createSupervisor(parts: SupervisorParts): Supervisor {
  const { ledger, clock, settings } = parts;
  const live = new Map<string, Run>();
  /** Stops that were asked for and are not in the ledger: of sessions that are just being begun or tried again, or while the disk is full. */
  const asked = new Map<string, EndCause>();
  /** Break off the beginning of runs that are not live yet. */
  const beginning = new Map<string, AbortController>();
  const telling = new WeakMap<Run, Promise<void>>();
  const takeUp = createTakeUp(parts);

  const takeAsked = (id: string) => {
    const cause = asked.get(id);
    asked.delete(id);
    return cause;
  };
  const current = (id: string) => ledger.session(id) ?? fail('INTERNAL', `Session ${id} is not in the ledger.`);

  async function follow(id: string, run: Run, isFound: boolean): Promise<void> {
    live.set(id, run);
    const session = current(id);
    // people may take their time; what stands idle is ended by its own limit
    const usualMs = session.type === 'interactive' ? Number.POSITIVE_INFINITY : settings.current().resources.sessionTimeoutMs;
    const timeoutMs = session.timeoutMs ?? usualMs;
    const ranMs = Math.max(0, clock.now() - (session.runStartedAt ?? clock.now()));
    const disarm = clock.after(Math.max(0, timeoutMs - ranMs), () => {
      stop(id, { kind: 'timeout', reason: `it ran longer than ${timeoutMs} ms` }).catch(parts.onError);
    });
    const agent = agentNamed(settings.current(), session.agent);
    const watch = parts
      .watchdog()
      .watch({ sessionId: id, output: agent?.kind === 'command' ? agent.output : 'stream-json', isFound });
    const asking = openAsking(parts, id, run);
    const calls = parts.serveRun({ sessionId: id, run: session.run }, run);
    const over = () => {
      watch.done();
      disarm();
      live.delete(id);
    };
    try {
      // a stop that was asked before there was a run to stop, or by a hub that is gone
      const cause = session.stop ?? asked.get(id);
      if (cause) await run.stop(cause);
      else void tell(id);
      for await (const event of run.events) {
        if (event.kind === 'spoke') watch.spoke(event.bytes);
        if (event.kind === 'complained') watch.complained(event.bytes);
        // nothing is said to it any more and nobody stops it; what comes while its end is judged counts for what comes next
        if (event.kind === 'ended') over();
        if (event.kind === 'asks' || event.kind === 'withdrawn') await asking.take(event);
        else if (event.kind === 'calls') calls.take(event);
        else await take(id, event);
      }
    } finally {
      asking.close();
      calls.close();
      over();
    }
  }

  async function take(id: string, event: Exclude<RunEvent, AskingEvent | { kind: 'calls' }>): Promise<void> {
    const session = current(id);
    const { run, status } = session;
    switch (event.kind) {
      case 'started':
        // it may have asked something before its start was seen, or be stopped; that it ran decides whether a conversation can be gone on with
        if (status === 'starting' || (isActive(session) && session.runStartedAt === undefined))
          await ledger.record({ name: 'session.started', data: { sessionId: id, run, process: event.process } });
        return;
      case 'spoke':
        return ledger.publish({ name: 'session.spoke', sessionId: id, bytes: event.bytes });
      case 'received':
      case 'undelivered':
        if (!pendingPrompts(session).some(({ promptId }) => promptId === event.promptId)) return;
        await (event.kind === 'received'
          ? ledger.record({ name: 'session.received', data: { sessionId: id, run, promptId: event.promptId } })
          : notDelivered(id, event.promptId, event.reason));
        return;
      case 'idle':
        if (
          (status === 'running' || status === 'waiting') &&
          // at its prompt again with other words: a turn has passed while nobody looked
          (session.waitsFor !== event.for ||
            (event.for === 'prompt' && event.text !== undefined && event.text !== session.waitsText)) &&
          openRequests(session).length === 0
        )
          await ledger
            .record({ name: 'session.waiting', data: { sessionId: id, run, for: event.for, text: event.text } })
            .catch(unlessFull);
        return;
      case 'works':
        if (status === 'waiting' && openRequests(session).length === 0)
          await ledger.record({ name: 'session.resumed', data: { sessionId: id, run } });
        return;
      case 'ended':
        return settle(parts, id, event, () => takeAsked(id));
      case 'complained':
        return;
    }
  }

  const notDelivered = (sessionId: string, promptId: string, reason: string) =>
    ledger.record({ name: 'session.undelivered', data: { sessionId, promptId, reason } });

  /** Says all that is pending, in order, one after the other. What a run does not take any more waits for the next one. */
  function tell(id: string): Promise<void> {
    const run = live.get(id);
    if (!run) return Promise.resolve();
    const isPending = (promptId: string) =>
      live.get(id) === run && pendingPrompts(current(id)).some((prompt) => prompt.promptId === promptId);
    const sayAll = async () => {
      const session = current(id);
      if (session.stop) return;
      for (const { promptId, text, mode } of pendingPrompts(session)) {
        if (!isPending(promptId)) continue;
        await run.tell({ promptId, text, mode }).catch(async (error: unknown) => {
          if (!(error instanceof ScopecraftError && error.code === 'PROMPT_REFUSED')) throw error;
          if (isPending(promptId)) await notDelivered(id, promptId, error.message);
        });
      }
    };
    const now = (telling.get(run) ?? Promise.resolve()).then(sayAll).catch(parts.onError);
    telling.set(run, now);
    return now;
  }

  async function stop(id: string, cause: EndCause, call?: CallKey): Promise<void> {
    const session = current(id);
    if (isSettled(session)) return;
    if (!session.stop) asked.set(id, cause);
    // on a full disk the run is stopped all the same; how it ended is recorded when there is space again
    if (!session.stop && session.status !== 'queued')
      await ledger.record({ name: 'session.stopping', data: { sessionId: id, cause, ...call } }).catch((error: unknown) => {
        // its start was not on disk yet and was refused with this: it stands in the line again, or is gone, and has no run to stop
        const now = ledger.session(id);
        if (now && isActive(now)) unlessFull(error);
      });
    beginning.get(id)?.abort();
    await live.get(id)?.stop(cause);
    takeUp.hurry(id);
  }

  async function carry(id: string): Promise<void> {
    const session = current(id);
    if (isSettled(session)) return;
    const found = session.status === 'queued' ? undefined : await parts.runner.adopt(id, session.run);
    if (found) return follow(id, found, true);
    // it ran, and nothing is left that tells how it ended
    const { status } = current(id);
    if (status === 'running' || status === 'waiting')
      return settle(parts, id, { kind: 'ended', exit: 'lost', result: undefined, stderr: '' }, () => takeAsked(id));
    const stopped = new AbortController();
    beginning.set(id, stopped);
    if (asked.has(id)) stopped.abort();
    const begun = await begin(parts, id, stopped.signal).finally(() => beginning.delete(id));
    if (begun) return follow(id, begun, false);
    await settleStopped(id);
  }

  /** Ends a run that cannot be followed: nothing of it may go on when its session has settled. */
  async function giveUp(id: string): Promise<void> {
    await stop(id, { kind: 'lost', reason: 'its run could not be followed; the log of the hub says why' });
    await parts.runner.end(id, current(id).run);
    await settle(parts, id, { kind: 'ended', exit: 'lost', result: undefined, stderr: '' }, () => takeAsked(id));
  }

  /** Settles a session that was stopped while nothing of it ran: there is nothing to take down. */
  async function settleStopped(id: string): Promise<void> {
    const session = ledger.session(id);
    if (!session || isSettled(session)) return;
    const cause = session.stop ?? asked.get(id);
    if (session.stop)
      await settle(parts, id, { kind: 'ended', exit: { code: 0 }, result: undefined, stderr: '' }, () => takeAsked(id));
    else if (cause?.kind === 'cancelled')
      await ledger.record({ name: 'session.cancelled', data: { sessionId: id, run: session.run, cause } });
  }

  return {
    async run({ sessionId: id }) {
      // a start whose fact could not be written is taken back, and with it its session
      if (!ledger.session(id)) return undefined;
      try {
        if (!(await takeUp.carry(id, () => carry(id)))) await giveUp(id);
        // cancelled in the moment in which it was put into the line again
        if (ledger.session(id)?.status === 'queued') await settleStopped(id);
      } finally {
        asked.delete(id);
      }
      const session = ledger.session(id);
      const isLeft = session && !isSettled(session);
      return isLeft ? jobOf(ledger, session) : undefined;
    },
    stop,
    tell,
  };
}
