// A private tmux server, reached by its socket. Each call is one short-lived client that carries several commands; what is asked often goes
// through a client that stays.
//
// Names match by prefix and patterns, so targets are always `=name:` or a pane's id. Formats are ours alone: no word of anybody else is
// put into one. The server is started with next to nothing in its environment, because every pane inherits that; what an agent gets
// comes with the client that opens its pane, by `update-environment`, and so is never in an argument.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstat, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fail } from '../core/errors.ts';
import { locateProgram } from './locate-program.ts';
import { argvOf, processAt, signalProcess } from './process.ts';
import { CONTROL_SESSION, openControl } from './tmux-control.ts';

export interface Tmux {
  readonly program: string;
  readonly socket: string;
  /** Runs commands in order, the next only when the one before went well. Never starts a server. */
  call(commands: readonly Command[], options?: CallOptions): Promise<Answer>;
  /** The same by the client that stays, which is quicker. */
  ask(commands: readonly Command[], options?: AskOptions): Promise<Answer>;
  /** Lets the client that stays go, so that the server can end; the next `ask` has another. */
  release(): Promise<void>;
  /** Makes sure that there is a server. It leaves when nothing is open on it after so many seconds: the hub may die before it opens something. */
  ensureServer(searchPath: string, emptySeconds?: number): Promise<void>;
}

/** A command of tmux as words. */
export type Command = readonly string[];

export interface CallOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface AskOptions {
  readonly input?: string;
  /** It changes nothing, and is asked again where no answer came. */
  readonly isIdle?: boolean;
}

export interface Answer {
  readonly isDone: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

const SOCKET_PATH_BYTES = 103;
/** The first that can be called without starting a server. */
const OLDEST = '3.2';
/** For so long a server waits for its first session. */
const EMPTY_SECONDS = 30;

/** How often, and how far apart, it is looked whether what was killed is gone. */
const [LOOKS, LOOK_MS] = [50, 20];

const SERVER_OPTIONS: readonly Command[] = [
  // until the first session is there; opening one sets it back
  ['set-option', '-g', 'exit-empty', 'off'],
  ['set-option', '-s', 'escape-time', '20'],
  ['set-option', '-s', 'focus-events', 'on'],
  ['set-option', '-g', 'default-terminal', 'screen-256color'],
  ['set-option', '-g', 'remain-on-exit', 'on'],
  ['set-option', '-g', 'history-limit', '20000'],
  ['set-option', '-g', 'allow-rename', 'off'],
  ['set-option', '-g', 'status-left-length', '60'],
  ['set-option', '-g', 'status-left', '#{session_name}  '],
  ['set-option', '-g', 'status-right', '#{prefix} d leaves, the session goes on '],
];

/** The server behind this socket, whether it runs or not. */
export function tmuxAt(program: string, socket: string): Tmux {
  const place = ['-u', '-S', socket, '-f', '/dev/null'];
  const control = openControl(program, [...place, '-N']);

  async function call(commands: readonly Command[], options: CallOptions = {}, flags = ['-N']): Promise<Answer> {
    const words = commands.flatMap((command, at) => [...(at === 0 ? [] : [';']), ...command.map(escaped)]);
    const client = spawn(program, [...place, ...flags, ...words], {
      cwd: options.cwd ?? '/',
      env: { ...options.env },
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    const [stdout, stderr] = [collected(client.stdout), collected(client.stderr)];
    client.stdin?.on('error', () => {});
    client.stdin?.end(options.input);
    try {
      const [code]: unknown[] = await once(client, 'close');
      return { isDone: code === 0, stdout: stdout(), stderr: stderr() };
    } catch (error) {
      // the program is gone since it was found
      return { isDone: false, stdout: '', stderr: String(error) };
    }
  }

  /** Ends what the clients that stay of dead hubs left: each of them, and the session of each, keeps the server. */
  async function endLeft(): Promise<void> {
    let sessions = await controlSessions();
    const clients = () => [...sessions.values()].flat();
    const left = clients().filter((pid) => !control.isOwn(pid) && argvOf(pid).includes(socket));
    for (const client of left.map(processAt)) if (client) signalProcess(client, 'SIGKILL');
    for (let looks = 0; looks < LOOKS && clients().some((pid) => left.includes(pid)); looks += 1) {
      await delay(LOOK_MS);
      sessions = await controlSessions();
    }
    // the server dies when it loses a session while a client of it is leaving
    for (const [session, pids] of sessions) if (pids.length === 0) await call([['kill-session', '-t', `=${session}`]]);
  }

  /** The sessions of clients that stay, with the pids of the clients in each; none when there is no server. */
  async function controlSessions(): Promise<ReadonlyMap<string, readonly number[]>> {
    const { stdout } = await call([
      ['list-sessions', '-F', '#{session_name}', '-f', `#{m:${CONTROL_SESSION}*,#{session_name}}`],
      ['list-clients', '-F', '#{session_name}\t#{client_pid}'],
    ]);
    const sessions = new Map<string, number[]>();
    for (const [session = '', pid] of stdout.split('\n').map((line) => line.split('\t'))) {
      if (pid !== undefined) sessions.get(session)?.push(Number(pid));
      else if (session !== '') sessions.set(session, []);
    }
    return sessions;
  }

  return {
    program,
    socket,
    call,
    async ask(commands, { input, isIdle } = {}) {
      const answer = await control.call(input === undefined ? commands : commands.map((command) => withInput(command, input)));
      if (answer === 'none' || (answer === 'lost' && isIdle)) return call(commands, input === undefined ? {} : { input });
      return answer === 'lost' ? { isDone: false, stdout: '', stderr: 'The client of tmux went away.' } : answer;
    },
    async release() {
      await control.close();
      await endLeft();
    },
    async ensureServer(searchPath, emptySeconds = EMPTY_SECONDS) {
      await ensureFolder(path.dirname(socket));
      if (Buffer.byteLength(socket) > SOCKET_PATH_BYTES)
        fail('STORAGE_FAILED', `The socket path ${socket} is longer than ${SOCKET_PATH_BYTES} bytes.`);
      const env = { PATH: searchPath, LANG: 'C.UTF-8' };
      const leave: Command = ['run-shell', '-b', '-d', String(emptySeconds), '-C', 'set-option -g exit-empty on'];
      const { isDone, stderr } = await call([['start-server'], ...SERVER_OPTIONS, leave], { env }, []);
      if (!isDone) fail('STORAGE_FAILED', `tmux could not be started: ${stderr.trim().slice(0, 300)}`);
    },
  };
}

/** The tmux that is on this path. Fails with AGENT_MISSING where there is none, or one too old. */
export async function tmuxProgramOn(searchPath: string): Promise<string> {
  const program = locateProgram('tmux', searchPath);
  if (program === undefined)
    return fail(
      'AGENT_MISSING',
      'Interactive sessions run in tmux, and "tmux" is not installed or not on PATH (Debian package tmux).',
    );
  const version = await versionOf(program);
  if (version !== undefined && isOlder(version, OLDEST))
    fail('AGENT_MISSING', `Interactive sessions need tmux ${OLDEST} or newer; "${program}" is ${version}.`);
  return program;
}

/** Such as `3.10`; undefined for versions between releases. */
async function versionOf(program: string): Promise<string | undefined> {
  const client = spawn(program, ['-V'], { stdio: ['ignore', 'pipe', 'ignore'], env: {} });
  const stdout = collected(client.stdout);
  await once(client, 'close');
  return /^tmux (\d+\.\d+)/.exec(stdout())?.[1];
}

/** True when the first version came before the second: 3.9 before 3.10. */
export function isOlder(version: string, than: string): boolean {
  return version.localeCompare(than, 'en', { numeric: true }) < 0;
}

/** Text that tmux expands as a format and as a time, so that it comes out as it is. */
export function literal(text: string): string {
  return text.replaceAll('#', '##').replaceAll('%', '%%');
}

/** The client that stays has no input of its own. */
function withInput(command: Command, input: string): Command {
  const [name, ...words] = command;
  return name === 'load-buffer' && words.at(-1) === '-' ? ['set-buffer', ...words.slice(0, -1), '--', input] : command;
}

/** A semicolon at the end of a word would end the command. */
function escaped(word: string): string {
  return word.replace(/;$/, '\\;');
}

async function ensureFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const found = await lstat(folder);
  const isOurs = found.isDirectory() && found.uid === (process.getuid?.() ?? found.uid) && (found.mode & 0o077) === 0;
  if (!isOurs) fail('STORAGE_FAILED', `The folder "${folder}" must be a folder of this user that nobody else can enter.`);
}

function collected(stream: NodeJS.ReadableStream | null): () => string {
  const chunks: Buffer[] = [];
  stream?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}
