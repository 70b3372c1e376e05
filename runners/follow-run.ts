// Follows one run by its folder, whoever started it: what it says, when it ends, and taking it down.
//
// A run is *under way* until its exit code is there. When supervisor and agent are both gone without one, it is *lost*; an agent whose
// supervisor is gone is followed to its end, and then lost. It has *ended* when, besides, no process of it is left: what an ended run
// left behind is taken down here. When an agent has said its result, has nothing at work in the background that may have it go on, and has
// got all that was said to it, its input is ended, so that it leaves. One that neither works on nor leaves is taken down after a grace; it
// may have been told something that it does not take.
// Nothing runs by itself: the reader of `events` drives it, and only a ladder under way goes on without a reader.
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AgentEntry } from '../core/agent.ts';
import { fail } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import type { Exit, Run, RunEvent } from '../core/run-ports.ts';
import { watchExit } from './exit-watch.ts';
import { openInbox } from './inbox.ts';
import { createProcessTree } from './process-tree.ts';
import { createRunFacts } from './run-facts.ts';
import { errorBytes, readErrorEnd } from './run-folder.ts';
import { LADDERS, LEFTOVERS, type Step, takeDown } from './stop-ladder.ts';
import { openTail } from './tail.ts';
import { openWake, pause } from './wake.ts';

/** The supervisor we started ourselves, before it has a claim. */
export interface Launch {
  hasExited: boolean;
  onExit?: () => void;
  /** Lets the agent be fed; held back so that nothing stands between a start and its agent. */
  readonly feed: () => void;
}

export interface FollowParts {
  readonly folder: string;
  readonly agent: AgentEntry;
  /** Of the messages it was started with. */
  readonly promptIds: readonly string[];
  readonly mark: string;
  readonly clock: Clock;
  /** How long an agent may stay after its result. */
  readonly resultGraceMs: number;
  readonly launch?: Launch;
}

const POLL_MS = 250;
const SPOKE_MS = 100;
const STDERR_BYTES = 4096;

export function followRun({ folder, agent, promptIds, mark, clock, resultGraceMs, launch }: FollowParts): Run {
  // it died before it had the claim, unless somebody else took that in the meantime
  const watch = watchExit(folder, () => launch !== undefined && !launch.hasExited);
  let isUrgent = false;
  let ladder: Promise<unknown> | undefined;
  let trouble: unknown;
  const tree = createProcessTree(() => ({ mark, supervisor: watch.supervisor, agent: watch.agent }));
  const facts = createRunFacts(agent.kind === 'command' ? agent.output : 'stream-json');
  // others are told all they are ever told before they start
  const inbox = agent.kind === 'command' ? undefined : openInbox(folder, clock);
  const received = new Set<string>();
  /** What it asks and was not answered: the inputs of tools, which may be long, by the id of the question. */
  const asked = new Map<string, unknown>();
  /** Calls that wait for their reply: the input is not ended before, however long after its result. */
  const owed = new Set<string>();
  let isOver = false;

  /** The exit as far as it can be seen; undefined while the run is under way. */
  function look(): Exit | undefined {
    const exit = watch.look();
    if (watch.agent) launch?.feed();
    isOver = exit !== undefined;
    return exit;
  }

  function descend(steps: readonly Step[]): Promise<boolean> {
    return takeDown({
      tree,
      steps,
      agent: () => watch.agent,
      isUrgent: () => isUrgent,
      pause: (ms) => pause(clock, ms),
      elapsed: () => clock.elapsed(),
    });
  }

  /** What served the agent ends with it, in a moment. */
  async function isSoonGone(): Promise<boolean> {
    for (let ms = 1; (await tree.members()).length > 0; ms *= 2) {
      if (ms > 16) return false;
      await pause(clock, ms);
    }
    return true;
  }

  async function climbDown(): Promise<void> {
    // nothing can be aimed at before the agent has written down who it is
    while (look() === undefined && !watch.agent) await pause(clock, 20);
    await descend(LADDERS[agent.kind]);
  }

  function beginLadder(): void {
    ladder ??= climbDown()
      .catch((error: unknown) => {
        trouble = error;
      })
      .finally(() => {
        ladder = undefined;
      });
  }

  function* receipts(ids: readonly string[]): Generator<RunEvent> {
    for (const promptId of ids.filter((id) => !received.has(id))) {
      received.add(promptId);
      yield { kind: 'received', promptId };
    }
  }

  async function* told(line: string): AsyncGenerator<RunEvent> {
    const { received: promptId, asks, withdrawn, calls } = facts.take(line, clock.elapsed());
    if (promptId !== undefined) yield* receipts([promptId]);
    if (asks && inbox && !isOver && !asked.has(asks.callId) && !inbox.hasAnswered(asks.callId)) {
      asked.set(asks.callId, asks.input);
      yield { kind: 'asks', ...asks };
    }
    if (withdrawn !== undefined && asked.delete(withdrawn)) yield { kind: 'withdrawn', callId: withdrawn };
    if (calls && inbox && !isOver) {
      const isReplied = inbox.hasAnswered(calls.callId);
      if (!isReplied) owed.add(calls.callId);
      yield { kind: 'calls', ...calls, isReplied };
    }
  }

  async function* events(): AsyncGenerator<RunEvent> {
    const wake = openWake(folder, clock, 'exit');
    const tail = openTail(path.join(folder, 'out'));
    if (launch) launch.onExit = wake.nudge;
    let isAnnounced = false;
    let toldBytes = 0;
    let toldAt = Number.NEGATIVE_INFINITY;
    let complainedBytes = 0;
    let complainedAt = Number.NEGATIVE_INFINITY;
    try {
      for (let exit = look(); ; exit = look()) {
        if (watch.agent && !isAnnounced) yield { kind: 'started', process: watch.agent };
        isAnnounced = watch.agent !== undefined;
        if (isAnnounced && !inbox) yield* receipts(promptIds);
        const lines = tail.read();
        const isQuiet = lines.length === 0 && !tail.isBehind;
        for (const line of lines) yield* told(line.text);
        const isDue = exit !== undefined || clock.elapsed() - toldAt >= SPOKE_MS;
        if (tail.offset > toldBytes && isDue) {
          toldBytes = tail.offset;
          toldAt = clock.elapsed();
          yield { kind: 'spoke', bytes: toldBytes };
        }
        if (exit !== undefined || clock.elapsed() - complainedAt >= SPOKE_MS) {
          const before = complainedBytes;
          [complainedBytes, complainedAt] = [errorBytes(folder), clock.elapsed()];
          if (complainedBytes > before) yield { kind: 'complained', bytes: complainedBytes };
        }
        if (exit !== undefined && isQuiet) return yield* conclude(exit);
        const { doneAt } = facts;
        if (exit === undefined && doneAt !== undefined && clock.elapsed() >= doneAt) {
          // where that fails, what follows is left to the grace
          if (isQuiet && owed.size === 0) await inbox?.endUnlessOwing(received).catch(() => undefined);
          if (clock.elapsed() - Math.max(doneAt, inbox?.toldAt ?? 0) >= resultGraceMs) {
            facts.freeze();
            beginLadder();
          }
        }
        if (isQuiet) await wake.next(tail.offset > toldBytes ? SPOKE_MS : POLL_MS);
        // one that floods its log must not keep the hub from everything else
        else await nextTurn();
      }
    } finally {
      wake.close();
      tail.close();
    }

    async function* conclude(exit: Exit): AsyncGenerator<RunEvent> {
      await ladder;
      if (trouble !== undefined) throw trouble;
      while (!(await isSoonGone()) && !(await descend(LEFTOVERS))) await pause(clock, 1000);
      for (let lines = tail.read(); lines.length > 0 || tail.isBehind; lines = tail.read()) {
        for (const line of lines) yield* told(line.text);
        await nextTurn();
      }
      const rest = tail.rest();
      if (rest) yield* told(rest.text);
      if (tail.offset > toldBytes) yield { kind: 'spoke', bytes: tail.offset };
      yield { kind: 'ended', exit, result: facts.result, stderr: readErrorEnd(folder, STDERR_BYTES) };
    }
  }

  return {
    events: events(),
    async stop(cause) {
      if (cause.kind === 'memory') isUrgent = true;
      beginLadder();
    },
    async tell(message) {
      if (promptIds.includes(message.promptId)) return;
      if (!inbox) fail('PROMPT_REFUSED', 'This agent cannot be spoken to while it runs.');
      await inbox.tell(message);
    },
    async answer(callId, verdict) {
      if (!inbox) return fail('PROMPT_REFUSED', 'This agent has no way to ask.');
      if (!asked.has(callId)) return;
      // Claude Code wants the input back with which the tool is to be used
      const response = verdict.behavior === 'allow' ? { ...verdict, updatedInput: asked.get(callId) } : verdict;
      await inbox.answer(callId, response);
      asked.delete(callId);
    },
    async reply(callId, message) {
      await (message === undefined
        ? inbox?.refuse(callId, 'A call may have at most 1 MB.')
        : inbox?.answer(callId, { mcp_response: message }));
      owed.delete(callId);
    },
  };
}
