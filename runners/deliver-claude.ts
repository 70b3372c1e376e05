// Brings a message into the input box of Claude Code, so that it arrives as words and as nothing else.
//
// Never while a dialog is open or about to, where Enter would be an answer; never beside what a person is typing. A first `!` would run a
// command, a first `/` call one, a last `\` keep Enter from submitting, a last `@word` choose a file: blanks around the words prevent all of that.
// It is submitted when the box is seen to hold it, and the key is pressed only while the cursor is still where it was seen.
import type { Clock } from '../core/ports.ts';
import type { Deliver } from './deliver.ts';
import { holds, inputBox } from './input-box.ts';
import { watchLeftInput } from './left-input.ts';
import { sanitized } from './sanitized.ts';

/** Alone they would end the program. */
const LEAVING = /^\s*(?:exit|quit|:q!?|:wq!?)\s*$/i;
const PASTE_MS = 2000;
/** After so long an empty box is proof: what is not there and not in the record was not submitted. */
const REPEAT_MS = 10_000;
const PRESS_MS = 5000;
const MOST_TRIES = 3;

/** What is pasted for these words. */
export function typedForm(text: string): string {
  const words = sanitized(text);
  return `${/^[\p{L}\p{N}]/u.test(words) ? '' : ' '}${words} `;
}

/** Does the next thing for the message on its way in. */
export function createClaudeDelivery(clock: Clock): Deliver {
  let pressedAt = Number.NEGATIVE_INFINITY;
  const left = watchLeftInput(clock);

  return async (scene, { message, sinceMs, isOurs }) => {
    const { pane, agent, told, limits } = scene;
    const { promptId, state, tries } = message;
    const give = (reason: string) => told.step(promptId, { state: 'undelivered', reason });
    if (agent.state === 'starting') return;
    if (sanitized(message.text).trim() === '') return give('Nothing is left of it without control characters.');
    if (LEAVING.test(sanitized(message.text))) return give('Claude Code takes this word for the wish to leave.');

    const isAsking = agent.state === 'permission';
    // its record will tell, and the screen nothing before that
    const isSubmitted = state === 'entering' && clock.elapsed() - pressedAt <= PRESS_MS && sinceMs <= limits.evidenceMs;
    if (isSubmitted && !isAsking) return;

    const view = await pane.look();
    if (!view || view.isDead) {
      if (sinceMs > limits.boxMs) give('Its terminal is gone.');
      return;
    }
    const box = inputBox(view.screen);
    if (isAsking && message.mode === 'interrupt' && !message.interrupted && box.kind === 'none') {
      told.step(promptId, { interrupted: true });
      await pane.press('Escape', view.cursor);
      return;
    }
    if (box.kind === 'none') {
      if (!isAsking && sinceMs > limits.boxMs) give('Its input box could not be found on the screen.');
      return;
    }
    // its dialog opens a moment after it told that it asks, and would take the key for an answer
    if (isAsking) return;
    const typed = typedForm(message.text);
    const isThere = holds(box, typed);
    const press = async () => {
      // where the cursor has moved since, the next look decides anew
      pressedAt = (await pane.press('Enter', view.cursor)) ? clock.elapsed() : Number.NEGATIVE_INFINITY;
    };
    const enter = () => {
      left.submitted(promptId, box.text);
      told.step(promptId, { state: 'entering' });
      return press();
    };

    switch (state) {
      case 'said':
        // an earlier paste came to be seen after it was given up
        if (tries > 0 && isThere) return enter();
        if (box.kind === 'text') {
          const what = left.judge(promptId, box.text);
          if (what === 'clear') await pane.press('C-u', view.cursor);
          else if (what === 'none' && sinceMs > limits.typingMs)
            give('Somebody has typed something into its input box and not sent it.');
          return;
        }
        if (agent.state === 'works' && message.mode === 'interrupt' && !message.interrupted) {
          // before it is said: what waits in the queue of a turn that ends by itself comes back into the box at that key
          told.step(promptId, { interrupted: true });
          await pane.press('Escape');
          return;
        }
        told.step(promptId, { state: 'pasting', seen: scene.seen(), tries: tries + 1 });
        if (!(await pane.paste(typed, { cursor: view.cursor }))) told.step(promptId, { state: 'said', tries });
        return;
      case 'pasting':
        if (isThere) return enter();
        if (box.kind === 'empty' && sinceMs > (isOurs ? REPEAT_MS : PASTE_MS))
          return tries < MOST_TRIES ? told.step(promptId, { state: 'said' }) : give('It could not be pasted.');
        // a busy program may show a paste late, and in parts
        if (box.kind === 'text' && sinceMs > (isOurs ? REPEAT_MS : Math.max(PASTE_MS, limits.typingMs)))
          give('Somebody typed into its input box at the same moment.');
        return;
      case 'entering':
        if (isThere && clock.elapsed() - pressedAt > PRESS_MS) await press();
        if (sinceMs > limits.evidenceMs)
          give(isThere ? 'It stands in the input box and is not taken.' : 'Its record does not show that it got this.');
        return;
      default:
        return;
    }
  };
}
