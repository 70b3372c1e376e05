// Runs git for us: by argv, in an environment of its own, without questions to a terminal, and never for longer than it was given.
//
// Hooks and file system monitors of the repository are left out, because a repository is full of what agents wrote and these calls are made by
// the hub; only a call that says `hooks: 'run'` runs them, as `git worktree add` does when a person types it.
import { spawn } from 'node:child_process';

export interface GitAnswer {
  /** Exit code; `missing`: there is no git; `stopped`: by the time limit, the signal, or because it said too much. */
  readonly code: number | 'missing' | 'stopped';
  readonly out: Buffer;
  readonly err: string;
}

export interface GitCall {
  /** Milliseconds; 20 seconds when not said. */
  readonly limitMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** For its standard input. */
  readonly input?: Buffer;
  /** Further variables. */
  readonly env?: Readonly<Record<string, string>>;
  readonly hooks?: 'run';
}

/** Runs git in a folder. Never rejects. */
export type RunGit = (folder: string, args: readonly string[], call?: GitCall) => Promise<GitAnswer>;

/** What git may know of the user; nothing that names another repository, such as GIT_DIR in the environment of a hook. */
const PASSED = ['PATH', 'HOME', 'USER', 'LOGNAME', 'TMPDIR', 'XDG_CONFIG_HOME', 'SSH_AUTH_SOCK'];
const OWN = { LC_ALL: 'C', GIT_TERMINAL_PROMPT: '0', GIT_OPTIONAL_LOCKS: '0' };
const QUIET = ['-c', 'core.hooksPath=/dev/null', '-c', 'core.fsmonitor=false'];
const MOST_BYTES = 32 << 20;
/** After the gentle signal, with which git takes its lock files away. */
const GRACE_MS = 1000;
/** A program that git left in the background may hold the pipes. */
const PIPES_MS = 300;

/** Git with the user's PATH and home from `env`. */
export function createGit(env: Readonly<Record<string, string>>): RunGit {
  const passed = Object.fromEntries(PASSED.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
  return (folder, args, call = {}) => {
    const words = [...(call.hooks === 'run' ? [] : QUIET), '-C', folder, ...args];
    return run(words, { ...passed, ...OWN, ...call.env }, call);
  };
}

function run(words: readonly string[], env: Record<string, string>, call: GitCall): Promise<GitAnswer> {
  const { limitMs = 20_000, signal, input } = call;
  return new Promise((resolve) => {
    // its own group, so that what it starts is stopped with it
    const child = spawn('git', words, { cwd: '/', env, detached: true, stdio: [input ? 'pipe' : 'ignore', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let bytes = 0;
    let isStopped = false;
    let killTimer: NodeJS.Timeout | undefined;
    let pipesTimer: NodeJS.Timeout | undefined;
    const stop = () => {
      if (isStopped || child.pid === undefined) return;
      isStopped = true;
      signalGroup(child.pid, 'SIGTERM');
      killTimer = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), GRACE_MS);
    };
    const limit = setTimeout(stop, limitMs);
    const done = (code: GitAnswer['code']) => {
      for (const timer of [limit, killTimer, pipesTimer]) clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve({ code: isStopped ? 'stopped' : code, out: Buffer.concat(out), err: Buffer.concat(err).toString() });
    };
    const collect = (parts: Buffer[]) => (part: Buffer) => {
      bytes += part.length;
      if (bytes > MOST_BYTES) stop();
      else parts.push(part);
    };
    child.stdout?.on('data', collect(out));
    child.stderr?.on('data', collect(err));
    child.once('error', () => done('missing'));
    child.once('exit', (code) => {
      pipesTimer = setTimeout(() => done(code ?? 'stopped'), PIPES_MS);
    });
    child.once('close', (code) => done(code ?? 'stopped'));
    // it may end without having read all of it
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop);
  });
}

/** What git itself said went wrong, as one line. */
export function complaintOf({ code, err }: GitAnswer): string {
  if (code === 'missing') return 'git is not installed or not on PATH';
  if (code === 'stopped') return 'git took too long and was stopped';
  const said = err.split('\n').find((line) => /^(?:fatal|error): /.test(line));
  // what a hook printed may be an agent's words: they have no place in a message
  const line = said ?? `git ended with code ${code}, as it does when a hook of the repository refuses`;
  return line
    .replace(/^(?:fatal|error): /, '')
    .replace(/[\u0000-\u001f\u007f]+/g, ' ')
    .slice(0, 300);
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // it has ended
  }
}
