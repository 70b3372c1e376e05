// A terminal with a person at it: a pane of a tmux server of the test's own, in which programs find a tty.
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Environment } from './project.ts';

export interface Terminal {
  /** What stands on the screen now. */
  screen(): Promise<string>;
  /** Waits until the screen shows it. Rejects with the screen when it does not. */
  shows(text: string | RegExp, withinMs?: number): Promise<void>;
  /** Types the text, and presses Enter. */
  type(text: string): Promise<void>;
  /** Presses keys by their names in tmux. */
  press(...keys: readonly string[]): Promise<void>;
  /** Presses the key while the screen shows it: a dialog that has just opened may not listen yet. */
  pressOn(text: string | RegExp, key: string): Promise<void>;
  /** Ends the server with whatever runs in it. */
  close(): Promise<void>;
}

/** Opens a terminal with a shell in it. */
export async function openTerminal({ env, cwd }: { readonly env: Environment; readonly cwd: string }): Promise<Terminal> {
  const folder = await mkdtemp('/tmp/sc-tty-');
  const socket = path.join(folder, 's');
  const tmux = async (...words: readonly string[]) =>
    (await promisify(execFile)('tmux', ['-u', '-S', socket, '-f', '/dev/null', ...words], { env, cwd })).stdout;
  await tmux('new-session', '-d', '-s', 'person', '-x', '160', '-y', '45', '/bin/sh');
  const screen = () => tmux('capture-pane', '-p', '-J', '-t', 'person:');
  const isOn = (now: string, text: string | RegExp) => (typeof text === 'string' ? now.includes(text) : text.test(now));
  const shows: Terminal['shows'] = async (text, withinMs = 20_000) => {
    let now = await screen();
    for (const until = Date.now() + withinMs; !isOn(now, text); now = await screen()) {
      if (Date.now() > until) throw new Error(`The terminal does not show ${String(text)}:\n${now}`);
      await delay(100);
    }
  };
  return {
    screen,
    shows,
    async pressOn(text, key) {
      await shows(text);
      let pressedAt = Number.NEGATIVE_INFINITY;
      for (const until = Date.now() + 20_000; isOn(await screen(), text); await delay(100)) {
        if (Date.now() > until) throw new Error(`The terminal still shows ${String(text)}.`);
        // one that was taken shows before, and pressed twice it may mean something else
        if (Date.now() - pressedAt < 1500) continue;
        pressedAt = Date.now();
        await tmux('send-keys', '-t', 'person:', key);
      }
    },
    async type(text) {
      await tmux('send-keys', '-t', 'person:', '-l', text);
      await tmux('send-keys', '-t', 'person:', 'Enter');
    },
    press: async (...keys) => void (await tmux('send-keys', '-t', 'person:', ...keys)),
    async close() {
      // gone already where the shell was left
      await tmux('kill-server').catch(() => undefined);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
