// A bench for tests of doors and hubs: programs bundled into a temporary folder, workspaces, doors to speak through, and their clearing away.
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';
import { lineSplitter } from '../../server/lines.ts';
import { runtimeDirOf } from '../../server/runtime-dir.ts';
import { kill } from './processes.ts';

export type Json = { readonly [key: string]: unknown };

/** Bundles door, echo hub and contender with this version. Answers the folder. */
export async function buildPrograms(version: string): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sc-programs-'));
  await build({
    entryPoints: { door: 'server/main.ts', hub: 'test/support/echo-hub.ts', contender: 'test/support/contender.ts' },
    outdir: folder,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    minifySyntax: true,
    define: { __VERSION__: JSON.stringify(version), 'import.meta.dirname': '__dirname' },
    logLevel: 'error',
  });
  cpSync('server/keeper.sh', path.join(folder, 'keeper.sh'));
  return folder;
}

/** A workspace of its own with the knobs of the echo hub. */
export function makeWorkspace(knobs: Json = {}): string {
  const workspace = realpathSync(mkdtempSync(path.join(tmpdir(), 'sc-ws-')));
  writeFileSync(path.join(workspace, 'echo.json'), JSON.stringify(knobs));
  return workspace;
}

/** Ends every process that was started for this workspace, keepers first, and removes it. */
export async function clearWorkspace(workspace: string): Promise<void> {
  for (let left = processesOf(workspace); left.length > 0; left = processesOf(workspace)) {
    for (const { pid } of left.filter(({ command }) => command.includes('keeper.sh'))) kill(pid, 'SIGKILL');
    for (const { pid } of left) kill(pid, 'SIGKILL');
    await sleep(20);
  }
  rmSync(runtimeDirOf(workspace, { runtimeFolder: undefined, temporaryFolder: tmpdir() }), { recursive: true, force: true });
  rmSync(workspace, { recursive: true, force: true });
}

/** The processes whose command line names this one temporary folder. */
export function processesOf(workspace: string): { pid: number; command: string }[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    const command = readOr(`/proc/${name}/cmdline`).replaceAll('\0', ' ');
    return command.includes(workspace) ? [{ pid: Number(name), command }] : [];
  });
}

export function hubPid(workspace: string): number {
  return Number(JSON.parse(readOr(path.join(workspace, '.scopecraft/state/hub.json'), '{}')).pid ?? 0);
}

/** The lines `own <epoch> <pid>` and `stop <epoch> <reason>` that echo hubs wrote. */
export function ownersOf(workspace: string): string[] {
  return readOr(path.join(workspace, 'owners.log')).split('\n').filter(Boolean);
}

export function readOr(file: string, instead = ''): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return instead;
  }
}

/** Waits until the question is answered with something, at most `ms`. */
export async function until<Answer>(
  question: () => Answer | undefined | false,
  ms = 8_000,
  what = String(question),
): Promise<Answer> {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(10)) {
    const answer = question();
    if (answer !== undefined && answer !== false) return answer;
  }
  throw new Error(`Not within ${ms} ms: ${what}`);
}

export interface Door {
  readonly process: ChildProcess;
  /** Everything it said on stdout, parsed; a line that is no JSON fails the test. */
  readonly said: Json[];
  readonly stderr: () => string;
  readonly exited: Promise<number | string>;
  send(message: Json): void;
  /** Sends a request and waits for its answer. */
  ask(id: number | string, method: string, params?: Json, ms?: number): Promise<Json>;
  answer(id: number | string, ms?: number): Promise<Json>;
}

/** Starts a door as a client does. */
export function openDoor(
  programs: string,
  options: { workspace?: string; cwd?: string; args?: string[]; env?: Record<string, string> },
): Door {
  const args =
    options.workspace === undefined ? (options.args ?? []) : ['--workspace', options.workspace, ...(options.args ?? [])];
  const env = { PATH: process.env.PATH ?? '', HOME: '/nonexistent', TMPDIR: tmpdir(), ...options.env };
  const child = spawn(process.execPath, [path.join(programs, 'door.cjs'), ...args], {
    cwd: options.cwd ?? options.workspace,
    env,
  });
  const said: Json[] = [];
  let stderr = '';
  child.stdout.on(
    'data',
    lineSplitter(
      1e8,
      (line) => said.push(JSON.parse(line)),
      () => {},
    ),
  );
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  child.stdin.on('error', () => {});
  const exited = new Promise<number | string>((resolve) =>
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown')),
  );
  const send = (message: Json) => void child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const answer = (id: number | string, ms = 15_000) =>
    until(() => said.find((message) => message.id === id && message.method === undefined), ms, `answer ${id}; stderr: ${stderr}`);
  return {
    process: child,
    said,
    stderr: () => stderr,
    exited,
    send,
    answer,
    ask: (id, method, params = {}, ms = 15_000) => {
      send({ id, method, params });
      return answer(id, ms);
    },
  };
}
