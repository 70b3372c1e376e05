// What a process is: pid and start time together, its state, its place in the tree, and the mark its environment carries.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ProcessRef } from '../core/session.ts';

export interface ProcessEntry extends ProcessRef {
  readonly ppid: number;
  readonly pgid: number;
  /** 0 where the system does not tell. */
  readonly sid: number;
  /** First letter of the state, `Z` for a zombie. */
  readonly state: string;
  /** Where there is a /proc. */
  readonly used?: Used;
}

/** What a process has used until now. */
export interface Used {
  /** Processor time in user and system mode, in milliseconds. */
  readonly cpuMs: number;
  /** Resident set size in bytes. */
  readonly residentBytes: number;
}

/** The environment variable that says to which run a process belongs. */
export const RUN_MARK = 'SCOPECRAFT_RUN';

const hasProc = process.platform === 'linux';
/** The kernel tells times to programs in hundredths of a second (USER_HZ). */
const TICK_MS = 10;
const PS_COLUMNS = 'pid=,ppid=,pgid=,stat=,lstart=';

/** The process that has this pid now, or undefined when there is none. */
export function processAt(pid: number): ProcessEntry | undefined {
  if (!hasProc) return parsePs(ps(['-o', PS_COLUMNS, '-p', String(pid)]))[0];
  const stat = readOrNothing(`/proc/${pid}/stat`);
  return stat === undefined ? undefined : parseStat(stat.toString('latin1'));
}

/** True when this very process runs. The pid may belong to somebody else by now, and a zombie has ended. */
export function isAlive(ref: ProcessRef): boolean {
  const found = processAt(ref.pid);
  return found?.startedAt === ref.startedAt && !isEnded(found);
}

/** True for what is still listed but runs no more. */
export function isEnded({ state }: ProcessEntry): boolean {
  return state === 'Z' || state === 'X';
}

/** Every process of this machine, zombies too. Gives way to other work now and then. */
export async function processTable(): Promise<readonly ProcessEntry[]> {
  if (!hasProc) return parsePs(ps(['-axo', PS_COLUMNS]));
  const table: ProcessEntry[] = [];
  for (const [at, name] of readdirSync('/proc').entries()) {
    if (at % 200 === 199) await nextTurn();
    const entry = /^\d+$/.test(name) ? processAt(Number(name)) : undefined;
    if (entry) table.push(entry);
  }
  return table;
}

/** What the marks of all runs of a workspace, given as an absolute path, begin with. */
export function placeOf(workspace: string): string {
  return createHash('sha256').update(workspace).digest('hex').slice(0, 16);
}

/** The command line of a process; empty when it is gone or may not be read. */
export function argvOf(pid: number): readonly string[] {
  if (!hasProc)
    return ps(['-ww', '-o', 'command=', '-p', String(pid)])
      .trim()
      .split(' ');
  return (readOrNothing(`/proc/${pid}/cmdline`)?.toString() ?? '').split('\0');
}

/** The mark a process was started with, or undefined when it has none or may not be read. */
export function markOf(pid: number): string | undefined {
  const environment = hasProc
    ? (readOrNothing(`/proc/${pid}/environ`)?.toString() ?? '')
    : ps(['-Eww', '-o', 'command=', '-p', String(pid)]);
  const separator = hasProc ? '\0' : ' ';
  const found = environment.split(separator).find((variable) => variable.startsWith(`${RUN_MARK}=`));
  return found?.slice(RUN_MARK.length + 1).trim();
}

/** Sends a signal to this very process; false when it is gone. */
export function signalProcess(ref: ProcessRef, signal: NodeJS.Signals): boolean {
  // the pid alone is no identity: it may have been given to somebody else since
  if (!isAlive(ref)) return false;
  try {
    return process.kill(ref.pid, signal);
  } catch (error) {
    if (errnoOf(error) === 'ESRCH' || errnoOf(error) === 'EPERM') return false;
    throw error;
  }
}

/** Reads a line of /proc/<pid>/stat. The name in brackets may hold anything, so the last bracket counts. */
export function parseStat(stat: string): ProcessEntry | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, ppid, pgid, sid] = fields;
  const [userTicks, systemTicks, startedAt, residentPages] = [11, 12, 19, 21].map((at) => fields[at]);
  if (state === undefined || startedAt === undefined) return undefined;
  return {
    pid: Number.parseInt(stat, 10),
    startedAt,
    ppid: Number(ppid),
    pgid: Number(pgid),
    sid: Number(sid),
    state,
    used: { cpuMs: (Number(userTicks) + Number(systemTicks)) * TICK_MS, residentBytes: Number(residentPages) * pageBytes() },
  };
}

let page: number | undefined;

/** The size of a page of memory, which Node.js does not tell: what it says of itself in bytes, by what the kernel says of it in pages. */
function pageBytes(): number {
  if (page === undefined) {
    const [, pages] = (readOrNothing('/proc/self/statm')?.toString() ?? '').split(' ').map(Number);
    page = pages ? 2 ** Math.round(Math.log2(process.memoryUsage.rss() / pages)) : 4096;
  }
  return page;
}

/** Reads what `ps -o pid=,ppid=,pgid=,stat=,lstart=` prints. */
export function parsePs(text: string): ProcessEntry[] {
  return text.split('\n').flatMap((line) => {
    const [, pid, ppid, pgid, state, startedAt] = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S)\S*\s+(.+?)\s*$/.exec(line) ?? [];
    if (state === undefined || startedAt === undefined) return [];
    return [{ pid: Number(pid), startedAt, ppid: Number(ppid), pgid: Number(pgid), sid: 0, state }];
  });
}

/** The system's code of an error, such as `ENOENT`. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Longer than nearly all that is read; one after the other. */
const chunk = Buffer.allocUnsafe(16 * 1024);

/** What a file of /proc holds. Every process of the machine is read so, and each call of the system counts. */
function readOrNothing(file: string): Buffer | undefined {
  try {
    const fd = openSync(file, 'r');
    try {
      const parts: Buffer[] = [];
      for (let length = chunk.length; length === chunk.length; ) {
        length = readSync(fd, chunk);
        parts.push(Buffer.from(chunk.subarray(0, length)));
      }
      return parts.length === 1 ? parts[0] : Buffer.concat(parts);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    // gone while we looked, or another user's
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** Output of ps; nothing when it finds no process. */
function ps(args: readonly string[]): string {
  try {
    return execFileSync('/bin/ps', args, {
      encoding: 'utf8',
      env: { LC_ALL: 'C', TZ: 'UTC' },
      stdio: ['ignore', 'pipe', 'ignore'],
      maxBuffer: 64 << 20,
    });
  } catch (error) {
    if (error instanceof Error && 'status' in error && error.status === 1) return '';
    throw error;
  }
}
