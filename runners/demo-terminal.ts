// The built-in agent in a terminal: each prompt that is typed or pasted is played by an agent process of its own, and shown as text. What
// was said goes to a record, as stream-json lines: what it got, what it put aside until it has time, and what the agent printed.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { factOfLine } from './agent-record.ts';
import { createTerminalInput } from './terminal-input.ts';
import { readLine } from './transcript.ts';

const SIGN = '❯ ';
/** After so long the escape key was itself, and not the beginning of a sequence. */
const KEY_MS = 50;

/** Serves the terminal of this process until somebody leaves, or an agent ends badly. `args` are for the agent, `record` is a file. */
export function serveDemoTerminal(agent: readonly string[], sessionId: string, record: string): void {
  const waiting: string[] = [];
  let turn: ChildProcess | undefined;
  let isInterrupted = false;
  const note = (line: object) => appendFileSync(record, `${JSON.stringify(line)}\n`);
  const input = createTerminalInput({
    submit(text) {
      if (!turn) return play(text);
      waiting.push(text);
      note({ type: 'queue-operation', operation: 'enqueue', sessionId, timestamp: new Date().toISOString(), content: text });
    },
    interrupt() {
      isInterrupted = turn?.kill('SIGINT') ?? false;
    },
    leave: () => leave(0),
  });

  function play(text: string): void {
    show(`${SIGN}${text}`);
    const timestamp = new Date().toISOString();
    note({ type: 'user', uuid: randomUUID(), session_id: sessionId, timestamp, message: { role: 'user', content: text } });
    const [program = process.execPath, ...args] = agent;
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    turn = child;
    child.stdin.on('error', () => {});
    child.stdin.end(`${JSON.stringify({ type: 'user', message: { role: 'user', content: text } })}\n`);
    const tools = new Map<string, string>();
    createInterface({ input: child.stdout }).on('line', (line) => {
      // it says again what it was told, which is in the record
      if (factOfLine(line)?.kind === 'prompt') return;
      appendFileSync(record, `${line}\n`);
      for (const entry of readLine(line, 'stream-json', tools).entries) if (entry.kind !== 'start') show(`● ${entry.text}`);
    });
    child.once('close', (code) => {
      turn = undefined;
      // it may not have been far enough to say so itself
      if (isInterrupted && code === null) note({ type: 'result', is_error: true, result: 'Request interrupted by user' });
      else if (code !== 0) return leave(code ?? 1);
      isInterrupted = false;
      const next = waiting.shift();
      if (next === undefined) prompt();
      else play(next);
    });
  }

  function show(text: string): void {
    process.stdout.write(`\r\x1b[K${text.replaceAll('\n', '\r\n  ')}\r\n`);
  }

  function prompt(): void {
    process.stdout.write(`\r\x1b[K${SIGN}${input.line.replaceAll('\n', ' ')}`);
  }

  function leave(code: number): never {
    process.stdout.write('\x1b[?2004l\r\n');
    process.exit(code);
  }

  process.stdin.setRawMode(true);
  process.stdout.write('\x1b[?2004h');
  let settling: NodeJS.Timeout | undefined;
  process.stdin.on('data', (chunk) => {
    clearTimeout(settling);
    input.take(chunk);
    settling = setTimeout(() => input.settle(), KEY_MS);
    if (!turn) prompt();
  });
  note({ type: 'system', subtype: 'init', session_id: sessionId });
  prompt();
}
