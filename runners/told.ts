// What was said to an interactive run and how far each message has come, one JSON line per step in the file `told` of the run folder.
//
//   said ──► pasting ──► entering ──► queued ──► received
//     │         │            │          └─ the agent keeps it until it has time
//     └─────────┴────────────┴─► undelivered
//
// A step is written down before it is done, so that after a hub kill the next hub neither pastes nor submits twice.
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { parsedJson } from '../core/json.ts';
import type { Message } from '../core/run-ports.ts';
import { PromptMode } from '../core/talk.ts';
import { errnoOf } from './process.ts';

const STATES = ['said', 'pasting', 'entering', 'queued', 'received', 'undelivered'] as const;
export type ToldState = (typeof STATES)[number];

/** Sizes of the agent's records when the step was taken: what stands before is no evidence for it. */
const Seen = z.object({ hooks: z.number(), out: z.number() });
export type Seen = z.infer<typeof Seen>;

const Step = z.object({
  promptId: z.string(),
  state: z.enum(STATES).optional(),
  text: z.string().optional(),
  mode: PromptMode.optional(),
  seen: Seen.optional(),
  reason: z.string().optional(),
  /** What the agent did was broken off for it. */
  interrupted: z.boolean().optional(),
  /** How often it was pasted. */
  tries: z.number().int().optional(),
});
type Step = z.infer<typeof Step>;

export interface Told extends Message {
  readonly state: ToldState;
  readonly seen: Seen | undefined;
  readonly reason: string | undefined;
  readonly interrupted: boolean;
  readonly tries: number;
}

export interface ToldLog {
  /** In the order in which they were said. */
  all(): readonly Told[];
  /** Takes in one more; false when it is known. */
  say(message: Message): boolean;
  /** Writes down the next step of a message. */
  step(promptId: string, step: Omit<Step, 'promptId' | 'text' | 'mode'>): void;
}

export function openTold(folder: string): ToldLog {
  const file = path.join(folder, 'told');
  const known = new Map<string, Told>();
  const lines = linesOf(file);
  // a line that was torn, by a full disk or a kill, is ended before the next one
  let lead = lines.at(-1) === '' ? '' : '\n';
  for (const line of lines) {
    const step = Step.safeParse(parsedJson(line));
    if (step.success) take(step.data);
  }

  function take({ promptId, text, mode, ...step }: Step): void {
    const before = known.get(promptId);
    if (before) {
      const told = { ...before, ...defined(step) };
      known.set(promptId, told);
    } else if (text !== undefined && mode) {
      known.set(promptId, {
        promptId,
        text,
        mode,
        state: 'said',
        seen: undefined,
        reason: undefined,
        interrupted: false,
        tries: 0,
      });
    }
  }

  function write(step: Step): void {
    // not awaited: nothing may come between a step and its record
    const line = `${lead}${JSON.stringify(step)}\n`;
    lead = '\n';
    appendFileSync(file, line, { mode: 0o600 });
    lead = '';
    take(step);
  }

  return {
    all: () => [...known.values()],
    say({ promptId, text, mode }) {
      if (known.has(promptId)) return false;
      write({ promptId, text, mode });
      return true;
    },
    step: (promptId, step) => write({ promptId, ...step }),
  };
}

/** Writes down what a run begins with. */
export function prepareTold(folder: string, messages: readonly Message[]): void {
  const lines = messages.map(({ promptId, text, mode }) => `${JSON.stringify({ promptId, text, mode })}\n`);
  writeFileSync(path.join(folder, 'told'), lines.join(''), { mode: 0o600, flag: 'wx' });
}

/** True when nothing more will become of it. */
export function isDone({ state }: Told): boolean {
  return state === 'received' || state === 'undelivered';
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [''];
    throw error;
  }
}

function defined(step: Omit<Step, 'promptId' | 'text' | 'mode'>) {
  const { state, seen, reason, interrupted, tries } = step;
  return {
    ...(state && { state }),
    ...(seen && { seen }),
    ...(reason && { reason }),
    ...(interrupted && { interrupted }),
    ...(tries !== undefined && { tries }),
  };
}
