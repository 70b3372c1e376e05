// The folder of one run: what is in it and how it is read. Its files are the only link between a hub and a run.
// Nothing here is waited for: the files are small, a start or an end waits for them, and a turn of the event loop costs ten times such a call.
//
//   spec.json  what was started (no environment values)      out, err  what the agent printed
//   prompt     its standard input; instead of it `in` for an agent that can be told more while it runs
//   mcp.json   for Claude Code in a terminal: the address of the hub and the run's token      mcp/  what the hub keeps about MCP sessions over HTTP
//   claim      who owns the run: the supervisor, or the word `fenced` of a hub that found no claim; made only once
//   claim.<pid>  a supervisor that tries for it; that of the owner stays
//   child      the agent's process, written by itself before it becomes the agent
//   feeder     the process that passes `in` on to the agent      watch  the one that makes sure of a hub meanwhile
//   exit       its exit code, there as soon as it is known
//
// An interactive run has besides: launch (what its pane runs)  terminal (the supervisor leaves it the terminal)  settings.json (with the
// hooks of Claude Code)  hooks (what they told)  asks (the folder where they wait for answers)  parts (where its transcript lies)  told (what was said to it, and how far that came)
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { AgentEntry } from '../core/agent.ts';
import type { RunSpec } from '../core/run-ports.ts';
import type { ProcessRef } from '../core/session.ts';
import { HUB_SERVER } from './hub-server.ts';
import { errnoOf, isAlive } from './process.ts';

/** After so long Claude Code gives up a call to the hub, which it would else wait for without end. None takes that long, also when it is sent again after a hub kill. */
const CALL_TIMEOUT_MS = 120_000;
const MCP_CONFIG = 'mcp.json';
const READ_BYTES = 1024 * 1024;
/** For the owner alone, and never in place of another file. */
const OWN = { mode: 0o600, flag: 'wx' } as const;

/** What is kept about a run for a later hub. */
const SpecFile = z.looseObject({
  agent: AgentEntry.and(z.object({ name: z.string() })),
  argv: z.array(z.string()),
  mark: z.string(),
  /** Of the messages it was started with. */
  promptIds: z.array(z.string()).default([]),
  /** The address at which the run reaches its hub; never its token. */
  mcp: z.looseObject({ url: z.string() }).optional(),
});
export type SpecFile = z.infer<typeof SpecFile>;

export function runFolder(stateDir: string, sessionId: string, run: number): string {
  return path.join(stateDir, 'sessions', sessionId, String(run));
}

/** The file that tells Claude Code where the hub is and with which token. */
export function mcpConfigFile(folder: string): string {
  return path.join(folder, MCP_CONFIG);
}

/**
 * Makes the folder with all that a supervisor needs. False when the folder is there already.
 * Nothing is forced to disk: the files outlive the hub, and a run does not outlive the machine. What must is the intent in the ledger.
 */
export function prepareRunFolder(
  folder: string,
  spec: object,
  input: { readonly file: 'prompt' | 'in'; readonly text: string },
  mcp?: RunSpec['mcp'],
): boolean {
  mkdirSync(path.dirname(folder), { recursive: true, mode: 0o700 });
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
  const writeOwn = (name: string, text: string) => writeFileSync(path.join(folder, name), text, OWN);
  writeOwn('spec.json', `${JSON.stringify(spec, undefined, 2)}\n`);
  writeOwn(input.file, input.text);
  if (mcp) writeOwn(MCP_CONFIG, mcpConfig(mcp));
  // before the supervisor, which would make them by the agent's umask
  for (const name of ['out', 'err']) writeOwn(name, '');
  return true;
}

function mcpConfig({ url, token, callTimeoutMs = CALL_TIMEOUT_MS }: NonNullable<RunSpec['mcp']>): string {
  const server = { type: 'http', url, headers: { Authorization: `Bearer ${token}` }, timeout: callTimeoutMs };
  return JSON.stringify({ mcpServers: { [HUB_SERVER]: server } });
}

/** What the run was started with, or undefined when that cannot be read any more. */
export function readSpec(folder: string): SpecFile | undefined {
  const text = readIfThere(path.join(folder, 'spec.json'));
  try {
    return text === undefined ? undefined : SpecFile.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Takes the claim for nobody: the run can never start from here on. False when somebody has it. */
export function fence(folder: string): boolean {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const claim = path.join(folder, 'claim');
  // also on a full disk, where nothing could be written, a run that lives is taken up
  if (existsSync(claim)) return false;
  const own = path.join(folder, `claim.${randomUUID()}`);
  try {
    writeFileSync(own, 'fenced\n', { mode: 0o600 });
    linkSync(own, claim);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

/** The supervisor, `fenced` when the run never started and never will, undefined while nobody has claimed it. */
export function readClaim(folder: string): ProcessRef | 'fenced' | undefined {
  const line = completeLine(readIfThere(path.join(folder, 'claim')));
  return line === 'fenced' ? line : line === undefined ? undefined : parseRef(line);
}

/** True while somebody who may have made the claim, and has not written into it yet, is alive. */
export function isBeingClaimed(folder: string): boolean {
  return namesIn(folder).some((name) => {
    const claimant = /^claim\.\d+$/.test(name) ? readRef(folder, name) : undefined;
    return claimant !== undefined && isAlive(claimant);
  });
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** The agent's process, once it is there. */
export function readChild(folder: string): ProcessRef | undefined {
  return readRef(folder, 'child');
}

/** The process that feeds the agent, once it is there; it may have ended. */
export function readFeeder(folder: string): ProcessRef | undefined {
  return readRef(folder, 'feeder');
}

/** The exit code, once it is there. */
export function readExit(folder: string): number | undefined {
  const line = completeLine(readIfThere(path.join(folder, 'exit')));
  return line !== undefined && /^\d{1,3}$/.test(line) ? Number(line) : undefined;
}

/** How much the agent wrote to its standard error. */
export function errorBytes(folder: string): number {
  return statSync(path.join(folder, 'err'), { throwIfNoEntry: false })?.size ?? 0;
}

/** The last so many bytes of what the agent wrote to its standard error. */
export function readErrorEnd(folder: string, bytes: number): string {
  try {
    const fd = openSync(path.join(folder, 'err'), 'r');
    try {
      const { size } = fstatSync(fd);
      const buffer = Buffer.alloc(Math.min(size, bytes));
      return buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, Math.max(0, size - bytes)));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  }
}

/** The text of a file from this place on, at most 1 MiB of it. */
export function readFrom(file: string, since: number): string {
  const fd = openSync(file, 'r');
  try {
    const length = Math.min(READ_BYTES, Math.max(0, fstatSync(fd).size - since));
    const buffer = Buffer.allocUnsafe(length);
    return buffer.toString('utf8', 0, length === 0 ? 0 : readSync(fd, buffer, 0, length, since));
  } finally {
    closeSync(fd);
  }
}

function readRef(folder: string, name: string): ProcessRef | undefined {
  const line = completeLine(readIfThere(path.join(folder, name)));
  return line === undefined ? undefined : parseRef(line);
}

/** Reads `pid boot start`. A process of an earlier boot gets a start time that no living one has. */
function parseRef(line: string): ProcessRef | undefined {
  const [, pid, boot, start] = /^(\d+) (\S+) (.+?)\s*$/.exec(line) ?? [];
  if (boot === undefined || start === undefined) return undefined;
  const startedAt = boot === '-' || boot === bootId() ? start : `${start} of boot ${boot}`;
  return { pid: Number(pid), startedAt };
}

/** What tells this boot of the machine from others; `-` where the start time of a process does. */
export function bootId(): string {
  return process.platform === 'linux' ? readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim() : '-';
}

function completeLine(text: string | undefined): string | undefined {
  return text?.endsWith('\n') ? text.slice(0, -1) : undefined;
}

/** The text of a file, or undefined when there is none. */
function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
