// The terminal of one interactive run: a tmux session with one pane that is ours. People may attach, scroll, split and open windows.
import { terminalName } from '../core/terminal-name.ts';
import { shellWord } from './shell-word.ts';
import type { Command, Tmux } from './tmux.ts';
import { literal } from './tmux.ts';

export interface PaneView {
  readonly pane: string;
  readonly isDead: boolean;
  readonly cursor: string;
  readonly title: string;
  readonly attached: number;
  /** With its styles. */
  readonly screen: string;
}

export interface PaneStart {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** The script it runs. */
  readonly script: string;
  /** A shell for what people start beside the agent, where the environment names one. */
  readonly shell: string | undefined;
  /** File to which everything it prints is added, where that is the agent's log. */
  readonly output: string | undefined;
}

export interface PasteOptions {
  readonly cursor?: string;
  /** Keys that are pressed before and after. */
  readonly before?: readonly string[];
  readonly after?: readonly string[];
}

export interface Pane {
  /** Name of the tmux session. */
  readonly session: string;
  /** Opens it; undefined when it is open, else the reason in words of tmux. */
  open(start: PaneStart): Promise<string | undefined>;
  /** How it looks now, with so many lines above the screen; undefined when it is gone. */
  look(linesAbove?: number): Promise<PaneView | undefined>;
  /** Pastes; only when the cursor is still there, where one is given. False when it was not, and nothing was pasted. */
  paste(text: string, how?: PasteOptions): Promise<boolean>;
  /** Presses a key, when the cursor is still there. False when it was not. */
  press(key: string, cursor?: string): Promise<boolean>;
  /** Detaches everybody; answers how many there were. */
  detach(): Promise<number>;
  /** Ends the session, and with it whatever runs in it. */
  close(): Promise<void>;
}

/** What tmux answers when the cursor is not where it was seen. */
const MOVED = 'scopecraft-moved';

const VIEW = [
  '#{@scopecraft_pane}',
  '#{@scopecraft_run}',
  '#{pane_dead}',
  '#{cursor_x},#{cursor_y}',
  '#{session_attached}',
  '#{pane_title}',
].join('\t');

/** The pane of a run, whether it is there or not. */
export function paneOf(tmux: Tmux, sessionId: string, run: number): Pane {
  const session = terminalName(sessionId);
  const target = `=${session}:`;
  const buffer = `scopecraft-${session}`;
  let pane: string | undefined;

  /** In this session alone: ids begin anew with each server. */
  const here = () => `${target}.${pane ?? '%none'}`;
  const leaveCopyMode = (): Command => ['if-shell', '-F', '-t', here(), '#{pane_in_mode}', `send-keys -t '${here()}' -X cancel`];
  const whenAt = (cursor: string | undefined, command: string): Command =>
    cursor === undefined
      ? ['if-shell', '-F', '1', command]
      : [
          'if-shell',
          '-F',
          '-t',
          here(),
          `#{==:#{cursor_x}.#{cursor_y},${cursor.replace(',', '.')}}`,
          command,
          `display-message -p ${MOVED}`,
        ];

  async function find(): Promise<string | undefined> {
    if (pane !== undefined) return pane;
    const { isDone, stdout } = await tmux.ask([['display-message', '-p', '-t', target, VIEW]], { isIdle: true });
    const [found, ofRun] = stdout.split('\t');
    if (isDone && found?.startsWith('%') && ofRun === String(run)) pane = found;
    return pane;
  }

  return {
    session,

    async open({ cwd, env, script, shell, output }) {
      const commands: Command[] = [
        ['set-option', '-g', 'update-environment', Object.keys(env).join(' ')],
        ...(shell === undefined ? [] : [['set-option', '-g', 'default-shell', shell]]),
        ['new-session', '-d', '-s', session, '-x', '200', '-y', '50', '/bin/sh', script],
        // whoever attaches brings an environment of his own
        ['set-option', '-t', target, 'update-environment', ''],
        ['set-option', '-t', target, '@scopecraft_run', String(run)],
        ['set-option', '-F', '-t', target, '@scopecraft_pane', '#{pane_id}'],
        ...(output === undefined ? [] : [['pipe-pane', '-O', '-t', target, `exec cat >>${literal(shellWord(output))}`]]),
        ['set-option', '-g', 'exit-empty', 'on'],
      ];
      // a dead pane of an earlier run may still be shown
      await tmux.call([['kill-session', '-t', target]]);
      const { isDone, stderr } = await tmux.call(commands, { cwd, env });
      if (isDone) return undefined;
      return stderr.trim() || 'tmux gave no reason';
    },

    async look(linesAbove = 0) {
      if ((await find()) === undefined) return undefined;
      const { isDone, stdout } = await tmux.ask(
        [
          ['display-message', '-p', '-t', here(), VIEW],
          ['capture-pane', '-p', '-e', '-S', String(-linesAbove), '-t', here()],
        ],
        { isIdle: true },
      );
      if (!isDone) return undefined;
      const end = stdout.indexOf('\n');
      const [found = '', , dead, cursor = '', attached, title = ''] = stdout.slice(0, end).split('\t');
      return {
        pane: found,
        isDead: dead === '1',
        cursor,
        attached: Number(attached),
        title,
        screen: stdout.slice(end + 1),
      };
    },

    async paste(text, { cursor, before = [], after = [] } = {}) {
      // tmux makes no buffer of nothing, and would paste an older one
      if (text === '' || (await find()) === undefined) return true;
      const press = (key: string): Command => ['send-keys', '-t', here(), key];
      const { stdout } = await tmux.ask(
        [
          leaveCopyMode(),
          ...before.map(press),
          ['load-buffer', '-b', buffer, '-'],
          whenAt(cursor, `paste-buffer -d -p -r -b '${buffer}' -t '${here()}'`),
          ...after.map(press),
        ],
        { input: text },
      );
      return !stdout.includes(MOVED);
    },

    async press(key, cursor) {
      if ((await find()) === undefined) return true;
      const { stdout } = await tmux.ask([leaveCopyMode(), whenAt(cursor, `send-keys -t '${here()}' ${key}`)]);
      return !stdout.includes(MOVED);
    },

    async detach() {
      const { isDone, stdout } = await tmux.call([
        ['list-clients', '-t', target, '-F', '#{client_name}'],
        ['detach-client', '-s', target],
      ]);
      return isDone ? stdout.split('\n').filter((line) => line !== '').length : 0;
    },

    async close() {
      if ((await find()) !== undefined) await tmux.call([['kill-session', '-t', target]]);
      await tmux.release();
    },
  };
}
