// Looks at the screen of Claude Code where its own record is silent: now and then, and sooner while something may be open there.
import type { Clock } from '../core/ports.ts';
import { inputBox, lastLines, worksByTitle } from './input-box.ts';
import type { InteractiveState } from './interactive-state.ts';
import type { Pane } from './pane.ts';
import { pause } from './wake.ts';

/** How often the screen is looked at: when something is open, and when nothing was heard for as long. */
const LOOK_SOON_MS = 1500;
const LOOK_MS = 5000;
/** So many lines tell what is open. */
const SHOWN_LINES = 12;

export interface ScreenWatch {
  /** Looks where it is time to; `heardAt` is when the record last told something. */
  watch(heardAt: number): Promise<void>;
}

/** What is seen goes into the state. */
export function watchScreen(pane: Pane, state: InteractiveState, clock: Clock): ScreenWatch {
  let lookedAt = Number.NEGATIVE_INFINITY;

  return {
    async watch(heardAt) {
      if (state.state === 'prompt') return;
      const isOpen = state.state !== 'works' || state.mayRest;
      const since = isOpen ? clock.elapsed() - lookedAt : clock.elapsed() - Math.max(lookedAt, heardAt);
      if (since < (isOpen ? LOOK_SOON_MS : LOOK_MS)) return;
      lookedAt = clock.elapsed();
      const view = await pane.look();
      if (view && !view.isDead) state.saw(worksByTitle(view.title), inputBox(view.screen), lastLines(view.screen, SHOWN_LINES));
    },
  };
}

/** The screen when all is on it: once its pane is dead. The line that says so moves the others up. */
export async function lastView(pane: Pane, lines: number, clock: Clock) {
  let view = await pane.look(lines);
  for (let tries = 0; view && !view.isDead && tries < 20; tries++) {
    await pause(clock, 100);
    view = await pane.look(lines);
  }
  return view;
}
