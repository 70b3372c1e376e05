// Runs a program to its end and hands back what it wrote, within a time limit.
import { spawn } from 'node:child_process';
import type { Environment } from './project.ts';

export interface ProgramRun {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly env: Environment;
  readonly cwd: string;
  /** Text for standard input. */
  readonly input?: string;
  readonly timeoutMs?: number;
}

/** Run it. Rejects when it cannot be started or has not ended after `timeoutMs`; then its process group is killed. */
export function runProgram(
  command: string,
  args: readonly string[],
  { env, cwd, input = '', timeoutMs = 60_000 }: ProgramOptions,
): Promise<ProgramRun> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, cwd, stdio: 'pipe', detached: true });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    // a program that does not read its input closes it
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    const written = (): { stdout: string; stderr: string } => ({
      stdout: Buffer.concat(out).toString('utf8'),
      stderr: Buffer.concat(err).toString('utf8'),
    });
    const limit = setTimeout(() => {
      killGroup(child.pid);
      const { stdout, stderr } = written();
      reject(
        new Error(
          `${command} has not ended after ${timeoutMs} ms.\nstdout: …${stdout.slice(-2000)}\nstderr: …${stderr.slice(-2000)}`,
        ),
      );
    }, timeoutMs);
    child.once('error', (error) => {
      clearTimeout(limit);
      reject(error);
    });
    child.once('close', (code, signal) => {
      clearTimeout(limit);
      resolve({ code, signal, ...written() });
    });
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // ended by itself in this moment
  }
}
