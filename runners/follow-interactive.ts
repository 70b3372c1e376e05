// Follows one interactive run, whoever started it: copies what it says, reads how it stands, brings in what it is told, and sees its end.
//
// Everything happens in one loop that the reader of `events` drives, so nothing of it can happen twice at once. A run is *under way* until
// its exit code is there; when supervisor and agent are both gone without one, it is *lost*. It has *ended* when, besides, no process of
// it is left and its terminal is closed. Its own record says how it stands; the screen is looked at only where that is silent.
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AgentEntry } from '../core/agent.ts';
import { fail } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import type { Exit, Run, RunEvent } from '../core/run-ports.ts';
import { factOfHook, factOfLine } from './agent-record.ts';
import { openCopier } from './copy-transcript.ts';
import { createDelivery, type DeliveryLimits, type Scene } from './deliver.ts';
import { deliverTo } from './deliver-by-kind.ts';
import { watchExit } from './exit-watch.ts';
import { openHookAsks } from './hook-asks.ts';
import { lastLines } from './input-box.ts';
import { hooksFile } from './interactive-argv.ts';
import { createInteractiveState } from './interactive-state.ts';
import type { Pane } from './pane.ts';
import { squeezed } from './plain-text.ts';
import { createProcessTree } from './process-tree.ts';
import { readFrom } from './run-folder.ts';
import { lastView, watchScreen } from './screen-watch.ts';
import { INTERACTIVE_LADDERS, LEFTOVERS, type Step, takeDown } from './stop-ladder.ts';
import { openTail } from './tail.ts';
import { openTold } from './told.ts';
import { openWake, pause } from './wake.ts';

export interface InteractiveParts {
  readonly folder: string;
  readonly agent: AgentEntry;
  readonly mark: string;
  readonly clock: Clock;
  readonly pane: Pane;
  readonly limits: DeliveryLimits;
  /** When it was started, and whether it goes on with a conversation. */
  readonly startedAt: number;
  readonly resume: boolean;
  /** True for who opened the terminal itself and so knows that a supervisor is on its way. */
  readonly isOurs: boolean;
}

const POLL_MS = 250;
const BUSY_MS = 100;
/** While something is being brought in, for so many turns; the first while only the screen can tell that it is in the box. */
const [LOOK_MS, SOON_MS, SOON_TURNS] = [5, 25, 100];
const SPOKE_MS = 100;
/** How long a started supervisor may need for its claim. */
const CLAIM_MS = 60_000;
const TAKE_UP_MS = 3000;
const LAST_LINES = 20;

export function followInteractive(parts: InteractiveParts): Run {
  const { folder, agent, mark, clock, pane, limits, startedAt, resume } = parts;
  let isUrgent = false;
  let isStopped = false;
  let ladder: Promise<unknown> | undefined;
  let trouble: unknown;
  let nudge = () => {};
  const begunAt = clock.elapsed();
  const processes = watchExit(folder, () => parts.isOurs && clock.elapsed() - begunAt < CLAIM_MS);
  const tree = createProcessTree(() => ({ mark, supervisor: processes.supervisor, agent: processes.agent }));
  const told = openTold(folder);
  const state = createInteractiveState();
  const asks = openHookAsks(folder, clock);

  function descend(steps: readonly Step[]): Promise<boolean> {
    return takeDown({
      tree,
      steps,
      agent: () => processes.agent,
      isUrgent: () => isUrgent,
      pause: (ms) => pause(clock, ms),
      elapsed: () => clock.elapsed(),
    });
  }

  async function climbDown(): Promise<void> {
    while (processes.look() === undefined && !processes.agent) await pause(clock, 20);
    await descend(INTERACTIVE_LADDERS[agent.kind]);
  }

  async function* events(): AsyncGenerator<RunEvent> {
    const wake = openWake(folder, clock, 'exit');
    nudge = wake.nudge;
    const hooks = openTail(hooksFile(folder));
    const out = openTail(path.join(folder, 'out'));
    const copier = agent.kind === 'claude' ? await openCopier(folder, () => clock.elapsed()) : undefined;
    let heardAt = clock.elapsed();
    let toldBytes = 0;
    let toldAt = Number.NEGATIVE_INFINITY;
    let isAnnounced = false;
    let busyTurns = 0;
    let standing = '';
    let hasAsked = false;
    let isCaughtUp = false;
    const reported = new Set<string>();
    const screen = watchScreen(pane, state, clock);
    const scene: Scene = { pane, agent: state, told, clock, limits, seen: () => ({ hooks: hooks.offset, out: out.offset }) };
    const isReady = () =>
      processes.agent !== undefined && clock.elapsed() - heardAt > (out.offset > 0 ? limits.quietMs / 4 : limits.quietMs);
    const shows = async (text: string, since: number) =>
      squeezed(readFrom(path.join(folder, 'out'), since)).includes(squeezed(text));
    const delivery = createDelivery(scene, deliverTo(agent.kind, { clock, shows, isReady }));

    /** Reads what is new; hooks are read last and taken first, because each is told before its line is written. */
    async function hear(): Promise<boolean> {
      await nextTurn();
      while (await copier?.copy());
      const lines = out.read();
      const hooked = copier ? hooks.read() : [];
      for (const { text, start } of hooked) {
        const fact = factOfHook(text);
        if (!fact) continue;
        asks.take(fact, 'hooks');
        state.take(fact, 'hooks');
        delivery.evidence(fact, 'hooks', start);
        if (fact.kind === 'begins' && fact.transcript !== undefined)
          copier?.begins(fact.transcript, fact.source === 'clear' || (fact.source === 'startup' && !resume), startedAt);
      }
      for (const { text, start } of lines) {
        const fact = agent.kind === 'command' ? undefined : factOfLine(text);
        if (!fact) continue;
        if (copier) asks.take(fact, 'out');
        state.take(fact, copier ? 'out' : 'hooks', asks.isAsking);
        delivery.evidence(fact, 'out', start);
      }
      return lines.length + hooked.length > 0 || out.isBehind;
    }

    function* news(): Generator<RunEvent> {
      // what it works on again, or stands at its prompt after, it does not ask any more
      if (state.state !== 'permission') asks.end(state.state === 'works' ? 'allow' : undefined);
      // only who knows all that was told knows what is asked
      if (isCaughtUp) yield* asks.news();
      // while it asked something, that was how it stood for everybody else
      if (hasAsked && asks.isEmpty) standing = 'behind what it asked';
      hasAsked = !asks.isEmpty;
      // first, so that whoever has a receipt finds it at work
      const event = standingNow();
      if (event && JSON.stringify(event) !== standing) {
        standing = JSON.stringify(event);
        yield event;
      }
      for (const { promptId, state: step, reason = '' } of told.all()) {
        if (reported.has(promptId) || (step !== 'received' && step !== 'undelivered')) continue;
        reported.add(promptId);
        yield step === 'received' ? { kind: 'received', promptId } : { kind: 'undelivered', promptId, reason };
      }
    }

    /** What it put aside while it worked it takes up as soon as it rests, unless a person takes it back. */
    function isTakingUp(): boolean {
      return told.all().some((message) => message.state === 'queued') && clock.elapsed() - heardAt < TAKE_UP_MS;
    }

    function standingNow(): RunEvent | undefined {
      // how it stands is told behind what became of what it asked
      if (agent.kind === 'command' || asks.isSettling) return undefined;
      const { state: now, text } = state;
      if (now === 'works') return standing === '' ? undefined : { kind: 'works' };
      // a message is about to be brought in, or taken up
      if (now === 'prompt' && (delivery.isBusy || isTakingUp())) return undefined;
      if (now === 'starting') return text === undefined ? undefined : { kind: 'idle', for: 'unknown', text };
      if (now === 'permission' && asks.isAsking) return undefined;
      return { kind: 'idle', for: now, ...(text !== undefined && { text }) };
    }

    const soonMs = () => (copier && delivery.isPasting ? LOOK_MS : SOON_MS);

    try {
      for (let exit = processes.look(); ; exit = processes.look()) {
        if (processes.agent && !isAnnounced) yield { kind: 'started', process: processes.agent };
        isAnnounced = processes.agent !== undefined;
        const offset = out.offset;
        const heard = await hear();
        isCaughtUp = !heard;
        if (heard || out.offset > offset) heardAt = clock.elapsed();
        const isDue = exit !== undefined || clock.elapsed() - toldAt >= SPOKE_MS;
        if (out.offset > toldBytes && isDue) {
          toldBytes = out.offset;
          toldAt = clock.elapsed();
          yield { kind: 'spoke', bytes: toldBytes };
        }
        yield* news();
        if (exit !== undefined) return yield* conclude(exit);
        if (agent.kind === 'claude') await screen.watch(heardAt);
        // what is brought in while it takes up what it had put aside would overtake that
        if (state.state !== 'prompt' || !isTakingUp()) await delivery.step();
        yield* news();
        busyTurns = delivery.isBusy ? busyTurns + 1 : 0;
        if (!heard) await wake.next(!delivery.isBusy ? POLL_MS : busyTurns > SOON_TURNS ? BUSY_MS : soonMs());
      }
    } finally {
      wake.close();
      hooks.close();
      out.close();
    }

    async function* conclude(exit: Exit): AsyncGenerator<RunEvent> {
      await ladder;
      if (trouble !== undefined) throw trouble;
      const hasFailed = exit !== 'lost' && exit.code !== 0;
      const view = hasFailed && !isStopped ? await lastView(pane, LAST_LINES, clock) : undefined;
      await pane.close();
      while ((await tree.members()).length > 0 && !(await descend(LEFTOVERS))) await pause(clock, 1000);
      while (await hear());
      asks.end();
      isCaughtUp = true;
      delivery.end();
      yield* news();
      if (out.offset > toldBytes) yield { kind: 'spoke', bytes: out.offset };
      // killed in the middle of something: what it said before is not its answer
      const isCutOff = hasFailed && !isStopped && state.state === 'works' && !state.hasLeft;
      const result = agent.kind === 'command' || isCutOff ? undefined : state.result();
      yield { kind: 'ended', exit, result, stderr: view ? lastLines(view.screen, LAST_LINES) : '' };
    }
  }

  return {
    events: events(),
    async stop(cause) {
      if (cause.kind === 'memory') isUrgent = true;
      isStopped = true;
      ladder ??= climbDown()
        .catch((error: unknown) => {
          trouble = error;
        })
        .finally(() => {
          ladder = undefined;
        });
    },
    // its agent calls over HTTP
    reply: async () => {},
    async answer(callId, verdict) {
      if (agent.kind !== 'claude') fail('PROMPT_REFUSED', 'This agent has no way to ask.');
      asks.answer(callId, verdict);
    },
    async tell(message) {
      if (told.say(message)) nudge();
    },
  };
}
