// Brings a message to a program that reads its terminal: it is pasted, and Enter is pressed once it is seen there. The built-in agent
// keeps a record of what it got; of any other program nothing is known but what the terminal shows.
import type { Current, Scene } from './deliver.ts';
import { sanitized } from './sanitized.ts';

const ECHO_MS = 1000;
const AGAIN_MS = 3000;

/** For the built-in agent: what it does not record it did not get. */
export async function deliverToDemo(scene: Scene, { message, sinceMs }: Current): Promise<void> {
  const { pane, agent, told } = scene;
  const { promptId, state } = message;
  if (agent.state === 'starting') return;
  switch (state) {
    case 'said':
      return told.step(promptId, { state: 'pasting', seen: scene.seen() });
    case 'pasting':
      told.step(promptId, { state: 'entering' });
      // C-u first: what an earlier hub pasted may still be there
      await pane.paste(sanitized(message.text), { before: ['C-u'], after: ['Enter'] });
      return;
    case 'entering':
      if (sinceMs > AGAIN_MS) told.step(promptId, { state: 'pasting' });
      return;
    default:
      return;
  }
}

/** For a program of which nothing is known. `shows` tells whether its terminal showed this text since that place. */
export function deliverToProgram(shows: (text: string, since: number) => Promise<boolean>, isReady: () => boolean) {
  return async (scene: Scene, { message, sinceMs, isOurs }: Current): Promise<void> => {
    const { pane, told, limits } = scene;
    const { promptId, state, seen } = message;
    const text = sanitized(message.text);
    const isShown = seen !== undefined && (await shows(text, seen.out));
    const give = (reason: string) => told.step(promptId, { state: 'undelivered', reason });
    if (!isOurs) return give('The hub ended while this was being typed, and the program keeps no record.');
    switch (state) {
      case 'said':
        if (!isReady()) return;
        told.step(promptId, { state: 'pasting', seen: scene.seen() });
        if (message.mode === 'interrupt') await pane.press('C-c');
        await pane.paste(text);
        return;
      case 'pasting':
        if (!isShown && sinceMs < ECHO_MS) return;
        told.step(promptId, { state: 'entering' });
        await pane.press('Enter');
        return;
      case 'entering':
        if (isShown) return told.step(promptId, { state: 'received' });
        if (sinceMs > limits.evidenceMs) give('The terminal did not show it, and the program keeps no record.');
        return;
      default:
        return;
    }
  };
}
