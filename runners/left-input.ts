// What is submitted to Claude Code in the moment in which a turn ends may stay in its input box although the agent has it. Then it stands in
// the way of the next message, and whoever presses Enter says it twice. It is cleared away row by row, and nothing else is.
import type { Clock } from '../core/ports.ts';

/** A busy program shows for a while what it has taken; a key pressed then may reach it together with the next paste, as a letter of that. */
const STALE_MS = 2000;

export interface LeftInput {
  /** Takes note of what the box showed when this message was submitted. */
  submitted(promptId: string, shown: string): void;
  /**
   * Judges what the box shows while another message waits: `none` of it is left of what was submitted, or it is to be waited for, or the
   * row at the cursor is to be cleared now.
   */
  judge(promptId: string, shown: string): 'none' | 'wait' | 'clear';
}

export function watchLeftInput(clock: Clock): LeftInput {
  let last: { readonly promptId: string; readonly shown: string } | undefined;
  let isClearing = false;
  let since: number | undefined;

  return {
    submitted(promptId, shown) {
      [last, isClearing, since] = [{ promptId, shown }, false, undefined];
    },
    judge(promptId, shown) {
      if (!last || last.promptId === promptId) return 'none';
      const isLess = isClearing && shown !== last.shown && last.shown.startsWith(shown);
      if (shown !== last.shown && !isLess) return 'none';
      since ??= clock.elapsed();
      if (!isLess && clock.elapsed() - since < STALE_MS) return 'wait';
      [last, isClearing, since] = [{ promptId: last.promptId, shown }, true, clock.elapsed()];
      return 'clear';
    },
  };
}
