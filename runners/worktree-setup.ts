// The set-up commands of a new worktree, one after the other, with everything they start taken down when they end, take too long or are given up.
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fail } from '../core/errors.ts';
import { errnoOf, processAt, RUN_MARK } from './process.ts';
import { createProcessTree } from './process-tree.ts';
import { LEFTOVERS, takeDown } from './stop-ladder.ts';

/** So much of what they print is kept. */
const MOST_LOG_BYTES = 10 << 20;

export interface SetUp {
  readonly commands: readonly (readonly string[])[];
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** Marks the processes, so that those a killed hub left are found. */
  readonly mark: string;
  /** File for what they print. */
  readonly log: string;
  readonly limitMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Runs the commands. Fails with WORKTREE_FAILED, naming the command and how it ended, or with CANCELLED. */
export async function setUp({ commands, log, ...rest }: SetUp): Promise<void> {
  if (commands.length === 0) return;
  await mkdir(path.dirname(log), { recursive: true, mode: 0o700 });
  const file = createWriteStream(log, { flags: 'a', mode: 0o600 });
  // what cannot be kept is passed over: a full disk shows itself where it matters
  file.on('error', () => {});
  try {
    for (const command of commands) await runOne(command, file, log, rest);
  } finally {
    file.end();
  }
}

async function runOne(
  command: readonly string[],
  file: WriteStream,
  log: string,
  { folder, env, mark, limitMs, signal }: Omit<SetUp, 'commands' | 'log'>,
): Promise<void> {
  const words = command.join(' ').slice(0, 200);
  if (signal?.aborted) givenUp();
  file.write(`$ ${words}\n`);
  const broken = new AbortController();
  const child = started(command, { cwd: folder, env: { ...env, [RUN_MARK]: mark } });
  const root = child?.pid === undefined ? undefined : processAt(child.pid);
  const end = Promise.race([
    child ? endOf(child) : Promise.resolve({ problem: 'could not be started' }),
    pause(limitMs, { problem: `was stopped after ${limitMs} ms` }, { signal: broken.signal }),
    new Promise<'given up'>((resolve) => {
      signal?.addEventListener('abort', () => resolve('given up'), { once: true, signal: broken.signal });
    }),
  ]);
  let kept = 0;
  const keep = (part: Buffer) => {
    if (kept < MOST_LOG_BYTES) file.write(part);
    kept += part.length;
  };
  child?.stdout?.on('data', keep);
  child?.stderr?.on('data', keep);
  const how = await end;
  broken.abort();
  const tree = createProcessTree(() => ({ mark, supervisor: undefined, agent: root }));
  await takeDown({ tree, steps: LEFTOVERS, agent: () => root, isUrgent: () => false, pause, elapsed: () => performance.now() });
  child?.stdout?.destroy();
  child?.stderr?.destroy();
  if (how === 'given up') givenUp();
  if (how.problem !== undefined)
    fail('WORKTREE_FAILED', `The set-up command \`${words}\` ${how.problem}; its output is in ${log}.`);
}

/** The process, in a group of its own; undefined when its words are none that a process can have. */
function started([program = '', ...args]: readonly string[], options: { cwd: string; env: Record<string, string> }) {
  try {
    return spawn(program, args, { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  } catch {
    return undefined;
  }
}

function endOf(child: ChildProcess): Promise<{ readonly problem: string | undefined }> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ problem: `could not be started (${errnoOf(error) ?? 'unknown error'})` }));
    child.once('exit', (code, killer) =>
      resolve({ problem: code === 0 ? undefined : code === null ? `was ended by ${killer}` : `ended with code ${code}` }),
    );
  });
}

function givenUp(): never {
  return fail('CANCELLED', 'The session was stopped while its worktree was set up.');
}
