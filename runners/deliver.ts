// Brings what is said into an interactive agent: one message at a time, in order, by pasting it and pressing Enter. What happens on the
// way is decided by agent kind: runners/deliver-claude.ts knows an input box, runners/deliver-line.ts any other program.
import type { Clock } from '../core/ports.ts';
import type { Fact } from './agent-record.ts';
import type { InteractiveState } from './interactive-state.ts';
import type { Pane } from './pane.ts';
import { withoutPasteMarks } from './pasted.ts';
import { isDone, type Seen, type Told, type ToldLog } from './told.ts';

export interface DeliveryLimits {
  /** How long half-typed input of a person is waited for. */
  readonly typingMs: number;
  /** How long an input box that cannot be found is waited for, while no dialog is known to be open. */
  readonly boxMs: number;
  /** How long evidence is waited for after Enter. */
  readonly evidenceMs: number;
  /** How long a program that says nothing is given before it is spoken to. */
  readonly quietMs: number;
}

export const DELIVERY_LIMITS: DeliveryLimits = { typingMs: 30_000, boxMs: 60_000, evidenceMs: 30_000, quietMs: 2000 };

export interface Scene {
  readonly pane: Pane;
  readonly agent: InteractiveState;
  readonly told: ToldLog;
  readonly clock: Clock;
  readonly limits: DeliveryLimits;
  /** How far the agent's records have been read. */
  readonly seen: () => Seen;
}

/** The message that is on its way in, and since when it is at this step. */
export interface Current {
  readonly message: Told;
  readonly sinceMs: number;
  /** False where an earlier hub took the step. */
  readonly isOurs: boolean;
}

/** Does the next thing for the current message. */
export type Deliver = (scene: Scene, current: Current) => Promise<void>;

export interface Delivery {
  /** True while a message waits to be brought in. */
  readonly isBusy: boolean;
  /** True while one is pasted and not seen yet. */
  readonly isPasting: boolean;
  /** Does the next thing, if there is one. */
  step(): Promise<void>;
  /** Takes a fact of the agent's record as evidence; `at` is where its record stands in that file. */
  evidence(fact: Fact, from: keyof Seen, at: number): void;
  /** Ends all that is under way: the run is over. */
  end(): void;
}

export function createDelivery(scene: Scene, deliver: Deliver): Delivery {
  const { told, clock } = scene;
  const claimed = new Set<string>();
  let current: { promptId: string; state: string; since: number; isOurs: boolean } | undefined;
  let isFirstLook = true;

  const next = () => told.all().find((message) => !isDone(message) && message.state !== 'queued');

  /** The oldest message with these words that may have been submitted before this place; with `isFirst` one that is not known to be. */
  function submitted(text: string, from: keyof Seen, at: number, isFirst: boolean): Told | undefined {
    const fits = ({ seen, text: words }: Told) => seen !== undefined && seen[from] <= at && sameWords(words, text);
    const isOpen = (message: Told) => !isDone(message) && !(isFirst && message.state === 'queued');
    return told.all().find((message) => isOpen(message) && fits(message));
  }

  return {
    get isBusy() {
      return next() !== undefined;
    },
    get isPasting() {
      return next()?.state === 'pasting';
    },

    async step() {
      const interrupting = told
        .all()
        .find(({ state, mode, interrupted }) => state === 'queued' && mode === 'interrupt' && !interrupted);
      if (interrupting && scene.agent.state === 'works') {
        told.step(interrupting.promptId, { interrupted: true });
        await scene.pane.press('Escape');
      }
      const message = next();
      if (!message) {
        isFirstLook = false;
        return;
      }
      const { promptId, state } = message;
      if (current?.promptId !== promptId || current.state !== state)
        current = { promptId, state, since: clock.elapsed(), isOurs: !isFirstLook || state === 'said' };
      isFirstLook = false;
      await deliver(scene, { message, sinceMs: clock.elapsed() - current.since, isOurs: current.isOurs });
    },

    evidence(fact, from, at) {
      if (fact.kind !== 'enqueued' && fact.kind !== 'prompt') return;
      // hook and transcript tell of one prompt under the same key
      if (fact.key !== undefined && claimed.has(fact.key)) return;
      if (fact.key !== undefined) claimed.add(fact.key);
      const message = submitted(fact.text, from, at, fact.kind === 'enqueued');
      if (message) told.step(message.promptId, { state: fact.kind === 'enqueued' ? 'queued' : 'received' });
    },

    end() {
      for (const message of told.all())
        if (!isDone(message))
          told.step(message.promptId, { state: 'undelivered', reason: 'The session ended before it took this up.' });
    },
  };
}

/** Agents make blanks of tabs and drop those at the ends. */
function sameWords(one: string, other: string): boolean {
  const bare = (text: string) => sanitizedForMatch(withoutPasteMarks(text)).replace(/\s+/g, ' ').trim();
  return bare(one) === bare(other);
}

function sanitizedForMatch(text: string): string {
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '').normalize('NFC');
}
