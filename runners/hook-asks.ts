// What Claude Code asks in its terminal, and how it is answered from outside: by a file for the hook that told of it (hook.sh).
//
//   asked ─► answered here: the decision goes into the file
//        └─► over: decided in the terminal, or not asked any more; the file says nothing, so that the hook leaves
//
// The hook does not tell which use of a tool it asks about. So a question is over when that tool has answered what it was given, which the
// transcript shows, or when the agent goes on, rests or leaves. Only that it goes on while nothing else could have decided counts as allowed.
// What has a file is done, also for a later hub. The same may have been done
// before, so an answer of a tool counts only when it is younger than the question, whose time is that of the file its id was taken with.
import { existsSync, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { fail } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import type { RunEvent, Verdict } from '../core/run-ports.ts';
import type { Asked, Fact, ToolAnswer, ToolUse } from './agent-record.ts';
import { errnoOf } from './process.ts';

type Decision = Verdict['behavior'];

interface Ask extends Asked {
  /** In milliseconds since the epoch, by the clock of this machine, which the agent has too. */
  readonly askedAt: number;
  isTold: boolean;
  answeredAt?: number;
  /** It is over, and what was decided where that is known. */
  over?: { readonly decision: Decision | undefined; readonly since: number };
}

export interface HookAsks {
  /** True while something is asked that can be answered from outside, and until the agent has taken the answer. */
  readonly isAsking: boolean;
  /** True while something is over and that was not told yet. */
  readonly isSettling: boolean;
  /** True where nothing is asked, answered without that being taken, or to be told. */
  readonly isEmpty: boolean;
  take(fact: Fact, from: 'hooks' | 'out'): void;
  /** Nothing is asked any more by the main agent; where it is not said what was decided, the transcript may still tell. */
  end(decision?: Decision): void;
  /** What nobody was told yet. */
  news(): Generator<RunEvent>;
  /** Does nothing where that was answered, or is not asked. */
  answer(callId: string, verdict: Verdict): void;
}

/** After so long an answer was not taken: there is no hook any more that waits for it. */
const TAKEN_MS = 10_000;
const NOBODY_ASKS = '';
/** For so long the transcript may tell what was decided about what is not asked any more. */
const PROOF_MS = 1500;

/** The folder of a run in which hooks wait for answers. */
export function asksFolder(folder: string): string {
  return path.join(folder, 'asks');
}

export function prepareAsks(folder: string): void {
  mkdirSync(asksFolder(folder), { mode: 0o700 });
}

export function openHookAsks(folder: string, clock: Clock): HookAsks {
  const asks = new Map<string, Ask>();
  const uses = new Map<string, ToolUse>();
  const fileOf = (callId: string) => path.join(asksFolder(folder), `${callId}.answer`);
  const open = () => [...asks.values()].filter(({ over }) => over === undefined);

  function finish(ask: Ask, decision: Decision | undefined): void {
    // the answer is known, and its hook has got it
    if (ask.answeredAt === undefined) ask.over = { decision, since: ask.over?.since ?? clock.elapsed() };
    else asks.delete(ask.callId);
  }

  /** But for what it asks on the prompt with this key. */
  function end(decision?: Decision, goesOn?: string): void {
    for (const ask of open()) if (ask.isOfMain && (goesOn === undefined || ask.promptKey !== goesOn)) finish(ask, decision);
  }

  /** Also what is over by a hook, which is heard before the transcript. */
  function answeredBy({ id, at }: ToolAnswer): Ask | undefined {
    const use = uses.get(id);
    const isSame = ({ tool, input }: Ask) => use?.tool === tool && isDeepStrictEqual(use.input, input);
    return [...asks.values()].find((ask) => (at === undefined || at >= ask.askedAt) && isSame(ask));
  }

  const askedAt = (callId: string) => statSync(path.join(asksFolder(folder), callId), { throwIfNoEntry: false })?.mtimeMs ?? 0;

  /** Beside first: a hook reads it as soon as it is there. Answers with why it could not be written. */
  function write(callId: string, text: string): string | undefined {
    const file = fileOf(callId);
    try {
      writeFileSync(`${file}.new`, text, { mode: 0o600 });
      renameSync(`${file}.new`, file);
      return undefined;
    } catch (error) {
      // with the folder of its run the hook is gone
      const code = errnoOf(error) ?? 'unknown error';
      return code === 'ENOENT' ? undefined : code;
    }
  }

  return {
    get isAsking() {
      return open().some(({ answeredAt }) => answeredAt === undefined || clock.elapsed() - answeredAt < TAKEN_MS);
    },

    get isEmpty() {
      return asks.size === 0;
    },

    get isSettling() {
      return [...asks.values()].some(({ over }) => over !== undefined);
    },

    take(fact, from) {
      switch (fact.kind) {
        case 'asks':
          if (fact.ask && !existsSync(fileOf(fact.ask.callId)))
            asks.set(fact.ask.callId, { ...fact.ask, askedAt: askedAt(fact.ask.callId), isTold: false });
          return;
        case 'works':
          for (const use of fact.uses ?? []) uses.set(use.id, use);
          for (const answered of fact.answered ?? []) {
            const ask = answeredBy(answered);
            uses.delete(answered.id);
            if (ask) finish(ask, answered.decision);
          }
          return;
        case 'prompt':
          // what was said meanwhile is taken up under the key of the prompt on which it works
          if (from === 'hooks') end(undefined, fact.key);
          return;
        case 'rests':
        case 'begins':
        case 'leaves':
          if (from === 'hooks') end();
          return;
        default:
          return;
      }
    },

    end,

    *news() {
      for (const ask of asks.values()) {
        const { callId, tool, input, over } = ask;
        if (over && over.decision === undefined && clock.elapsed() - over.since < PROOF_MS) continue;
        if (over) {
          // also where nobody was told of it here: an earlier hub may have been
          yield { kind: 'withdrawn', callId, ...(over.decision && { decision: over.decision }) };
          asks.delete(callId);
          // where that fails, the hook stays until its agent ends
          write(callId, NOBODY_ASKS);
        } else if (!ask.isTold) {
          ask.isTold = true;
          yield { kind: 'asks', callId, tool, input };
        }
      }
    },

    answer(callId, verdict) {
      const ask = asks.get(callId);
      if (!ask || ask.over || ask.answeredAt !== undefined) return;
      const output = { hookSpecificOutput: { hookEventName: 'PermissionRequest', decision: verdict } };
      const code = write(callId, `${JSON.stringify(output)}\n`);
      if (code === 'ENOSPC' || code === 'EDQUOT') fail('STORAGE_FULL', 'There is no space left to hand the answer over.');
      if (code !== undefined) fail('STORAGE_FAILED', `The answer could not be handed over (${code}).`);
      ask.answeredAt = clock.elapsed();
    },
  };
}
