// One client of a tmux server that stays, in control mode: commands go in as lines and answers come back, and no program is started for each.
//
//   none ─► opening ─► open ─► none   (it died, or was closed; the next command opens another)
//
// It is only quicker than a client for each call, never needed. It sits in a session of its own without a process: in the session of an
// agent it would count as a person who looks on. It leaves by killing that session, and what one left that died is killed later
// (`release` in tmux.ts). Never by `destroy-unattached`, nor by closing its input where that is set: the server counts a client that is
// leaving as gone, takes the session from under it, and dies of that (seen in 3.3a) with every agent on it. What was sent and not answered
// when it dies may have been done or not, as with any client that is killed. When its hub dies before it read an answer, the server waits
// for ever to write that one (3.3a) and the client for the server: only the next hub can end it.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { StringDecoder } from 'node:string_decoder';
import type { Answer, Command } from './tmux.ts';

export interface TmuxControl {
  /** Runs commands in order, the next only when the one before went well. `none` when it could not be sent, `lost` when no answer came. */
  call(commands: readonly Command[]): Promise<Answer | 'none' | 'lost'>;
  /** Closes the client, and with it its session; resolves when it is gone. The next call opens another. */
  close(): Promise<void>;
  /** True for the pid of a client that was opened here and is not gone. */
  isOwn(pid: number): boolean;
}

/** How the names of its sessions begin; no session of an agent is called so. */
export const CONTROL_SESSION = 'hub-';

interface Waiting {
  readonly answer: (answer: Answer | 'lost') => void;
  readonly printed: string[];
  failed: string | undefined;
}

/** So long unused it is closed, for it keeps the server. */
const UNUSED_MS = 60_000;
/** For so long one that was told to go may take. */
const LEAVING_MS = 1000;

/** With these words before the command, such as the socket. */
export function openControl(program: string, words: readonly string[], unusedMs = UNUSED_MS): TmuxControl {
  let client: ControlClient | undefined;
  let unused: NodeJS.Timeout | undefined;
  const own = new Set<number | undefined>();
  const start = () => {
    const started = startClient(program, words, () => {
      if (client === started) client = undefined;
    });
    own.add(started.pid);
    void started.gone.then(() => own.delete(started.pid));
    return started;
  };

  return {
    async call(commands) {
      client ??= start();
      const { isOpen, send, close } = client;
      clearTimeout(unused);
      unused = setTimeout(() => void close(), unusedMs).unref();
      return (await isOpen) ? send(commands.map(lineOf).join(' ; ')) : 'none';
    },
    async close() {
      await client?.close();
    },
    isOwn: (pid) => own.has(pid),
  };
}

interface ControlClient {
  readonly pid: number | undefined;
  readonly gone: Promise<void>;
  /** False when it never came to be. */
  readonly isOpen: Promise<boolean>;
  readonly send: (line: string) => Promise<Answer | 'lost'>;
  readonly close: () => Promise<void>;
}

function startClient(program: string, words: readonly string[], onEnd: () => void): ControlClient {
  // the only pane of its session is dead from the beginning
  const session = `${CONTROL_SESSION}${randomUUID().slice(0, 8)}`;
  const argv = [...words, '-C', 'new-session', '-s', session, '/bin/sh', '-c', ':'];
  const child = spawn(program, argv, { cwd: '/', env: {}, stdio: ['pipe', 'pipe', 'ignore'] });
  // the hub leaves without asking
  child.unref();
  for (const stream of [child.stdin, child.stdout]) if ('unref' in stream && typeof stream.unref === 'function') stream.unref();
  // printed behind each line, so that its end is known whatever the line printed
  const mark = randomUUID();
  const waiting: Waiting[] = [];
  let isOver = false;
  const end = () => {
    if (isOver) return;
    isOver = true;
    onEnd();
    for (const { answer } of waiting.splice(0)) answer('lost');
  };
  const gone = new Promise<void>((resolve) => {
    // its output is closed later: the server has it too
    for (const event of ['error', 'exit']) child.on(event, end).on(event, () => resolve());
  });
  child.stdin.on('error', () => {});
  readBlocks(child, (block) => {
    const [current] = waiting;
    if (!current) return;
    if (block.text === mark) {
      waiting.shift();
      const { failed, printed } = current;
      current.answer({ isDone: failed === undefined, stdout: printed.join(''), stderr: failed ?? '' });
    } else if (block.isError) current.failed ??= block.text;
    else if (block.text !== '') current.printed.push(`${block.text}\n`);
  });

  const send = (line: string) =>
    new Promise<Answer | 'lost'>((answer) => {
      if (isOver) return answer('lost');
      waiting.push({ answer, printed: [], failed: undefined });
      child.stdin.write(`${line}${line === '' ? '' : '\n'}display-message -p ${mark}\n`);
    });
  // nothing is sent before it has answered: one that cannot begin may still do what it was sent
  const isOpen = send('').then((answer) => answer !== 'lost' && !isOver);
  return {
    pid: child.pid,
    gone,
    isOpen,
    send,
    async close() {
      onEnd();
      // before that its session would outlive it
      await isOpen;
      if (!isOver) child.stdin.write(`kill-session -t '=${session}'\n`);
      // beside a client that waits for ever the server may not let this one go (seen in 3.3a)
      const late = setTimeout(() => child.kill('SIGKILL'), LEAVING_MS);
      await gone;
      clearTimeout(late);
    },
  };
}

interface Block {
  readonly text: string;
  readonly isError: boolean;
}

/** What lies between `%begin` and the `%end` or `%error` with the same numbers; what stands outside are notices. */
function readBlocks({ stdout }: ChildProcess, take: (block: Block) => void): void {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let open: { readonly numbers: string; readonly lines: string[] } | undefined;

  stdout?.on('data', (chunk: Buffer) => {
    const lines = (rest + decoder.write(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const [, word, numbers = ''] = /^%(begin|end|error) (\d+ \d+ \d+)$/.exec(line) ?? [];
      if (!open) {
        if (word === 'begin') open = { numbers, lines: [] };
      } else if (word !== undefined && word !== 'begin' && numbers === open.numbers) {
        take({ text: open.lines.join('\n'), isError: word === 'error' });
        open = undefined;
      } else open.lines.push(line);
    }
  });
}

/** A command as tmux reads it from a line: nothing between single quotes is special, and a line end cannot stand there. */
function lineOf(command: Command): string {
  return command
    .map((word) => `'${word.replace(/['\n\r]/g, (sign) => (sign === "'" ? `'\\''` : sign === '\n' ? `'"\\n"'` : `'"\\r"'`))}'`)
    .join(' ');
}
