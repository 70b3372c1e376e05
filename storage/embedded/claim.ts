// The numbered claims of a workspace as they lie in the state folder, and whether the hub that made one still lives.
// The door bundles this file, so it checks by hand and loads no zod. It reads without waiting: a door waits for this, and each start of a run.
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { hostname } from 'node:os';
import path from 'node:path';
import { parsedJson } from '../../core/json.ts';
import { errnoOf, unless } from '../errno.ts';

/** What a hub says of itself in `hub.<epoch>.json`. */
export interface Claim {
  /** The number of the claim: it fences whatever an older hub still wants to write. */
  readonly epoch: number;
  readonly pid: number;
  /** Start time of the process as the kernel counts it; the pid alone is no identity. */
  readonly startedAt: string;
  readonly bootId: string;
  readonly pidNamespace: string;
  readonly host: string;
  /** Inode of the state folder: a copy of the workspace brings claims along that are not about it. */
  readonly folder: string;
  readonly socket: string;
  readonly nonce: string;
  readonly version: string;
  readonly protocol: number;
}

const FIELDS = {
  epoch: 'number',
  pid: 'number',
  startedAt: 'string',
  bootId: 'string',
  pidNamespace: 'string',
  host: 'string',
  folder: 'string',
  socket: 'string',
  nonce: 'string',
  version: 'string',
  protocol: 'number',
} as const satisfies Record<keyof Claim, 'number' | 'string'>;

/** Where this process stands: what makes pids and sockets comparable. */
export type Place = Pick<Claim, 'bootId' | 'pidNamespace' | 'host' | 'folder'>;

/** The highest claim of a state folder. */
export interface FoundClaim {
  readonly epoch: number;
  /** Undefined when the file cannot be read as a claim. */
  readonly claim: Claim | undefined;
  /** There when its hub left in good order, or somebody declared it gone: `hub.<epoch>.gone`. */
  readonly gone: { readonly at: number; readonly handoverTo?: string | undefined } | undefined;
}

/** What is known of a hub that does not answer: `ended` may be taken over, `silent` lives, `elsewhere` cannot be seen from here. */
export type Remains = 'ended' | 'silent' | 'elsewhere';

/** The numbers of all files `hub.<N>.<ending>` in the folder. */
export function numbersOf(stateDir: string, ending: 'json' | 'gone'): number[] {
  const names = unless('ENOENT', [], () => readdirSync(stateDir));
  return names.flatMap((name) => {
    const number = /^hub\.(\d{1,15})\.(json|gone)$/.exec(name);
    return number?.[2] === ending ? [Number(number[1])] : [];
  });
}

/** The claim with the highest number, or undefined where no hub ever was. */
export function highestClaim(stateDir: string): FoundClaim | undefined {
  for (;;) {
    const epoch = Math.max(0, ...numbersOf(stateDir, 'json'));
    if (epoch === 0) return undefined;
    const found = readOrCode(claimFile(stateDir, epoch));
    // it was pruned meanwhile, so there is a higher one
    if (found.code === 'ENOENT') continue;
    const claim = parsedJson(found.text ?? '');
    return { epoch, claim: isClaim(claim) && claim.epoch === epoch ? claim : undefined, gone: readGone(stateDir, epoch) };
  }
}

export function claimFile(stateDir: string, epoch: number): string {
  return path.join(stateDir, `hub.${epoch}.json`);
}

export function goneFile(stateDir: string, epoch: number): string {
  return path.join(stateDir, `hub.${epoch}.gone`);
}

/** Boot, process namespace, host and folder of this process. Outside Linux the first two are empty and pids are believed. */
export function placeOf(stateDir: string): Place {
  const bootId = readOrCode('/proc/sys/kernel/random/boot_id').text ?? '';
  const { ino } = statSync(stateDir);
  return { bootId: bootId.trim(), pidNamespace: pidNamespace(), host: hostname(), folder: String(ino) };
}

/** True when the claim came along with a copy of another workspace: same machine, other folder. Its hub is not ours. */
export function isForeignCopy(claim: Claim, here: Place): boolean {
  return isSamePlace(claim, here) && claim.folder !== here.folder;
}

/** What is left of a hub whose socket does not answer. */
export function remainsOf(claim: Claim, here: Place): Remains {
  if (!isSamePlace(claim, here)) return claim.host === here.host && claim.bootId !== here.bootId ? 'ended' : 'elsewhere';
  const found = processAt(claim.pid);
  return found && found.startedAt === claim.startedAt && found.state !== 'Z' ? 'silent' : 'ended';
}

/** Start time and state letter of a process, or undefined when there is none. */
export function processAt(pid: number): { readonly startedAt: string; readonly state: string } | undefined {
  if (process.platform !== 'linux') return isPidTaken(pid) ? { startedAt: '', state: '?' } : undefined;
  const line = readOrCode(`/proc/${pid}/stat`).text;
  if (line === undefined) return undefined;
  // the program name stands in parentheses and may itself hold any of these
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '?', startedAt: fields[19] ?? '' };
}

/** True when the process of this claim is stopped, as by ctrl-Z or SIGSTOP. */
export function isStopped(claim: Claim, here: Place): boolean {
  if (!isSamePlace(claim, here)) return false;
  const found = processAt(claim.pid);
  return found?.startedAt === claim.startedAt && found.state === 'T';
}

/** Connects to a unix socket: the socket, or the system's code of the refusal. */
export function reach(socketPath: string): Promise<Socket | string> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once('error', (error) => resolve(errnoOf(error) ?? 'EUNKNOWN'));
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      socket.on('error', () => socket.destroy());
      resolve(socket);
    });
  });
}

/** What to say when the system forbids a unix socket. */
export function forbiddenSocket(socketPath: string, code: string): string {
  const remedy = 'In Claude Code set `sandbox.network.allowAllUnixSockets`, or start this program outside the sandbox.';
  return `This process may not use the unix socket ${socketPath} (${code}): a sandbox or another user's folder is in the way. ${remedy}`;
}

function isSamePlace(claim: Claim, here: Place): boolean {
  return here.bootId === '' ? claim.host === here.host : claim.bootId === here.bootId && claim.pidNamespace === here.pidNamespace;
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

/** The text of a file, or the system's code of the refusal. */
function readOrCode(file: string): { readonly text?: string; readonly code?: string | undefined } {
  try {
    return { text: readFileSync(file, 'utf8') };
  } catch (error) {
    return { code: errnoOf(error) };
  }
}

function isPidTaken(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return errnoOf(error) === 'EPERM';
  }
}

function readGone(stateDir: string, epoch: number): FoundClaim['gone'] {
  const file = goneFile(stateDir, epoch);
  const { text } = readOrCode(file);
  const found = statSync(file, { throwIfNoEntry: false });
  if (text === undefined || !found) return undefined;
  const note = parsedJson(text);
  const handoverTo = typeof note === 'object' && note && 'handoverTo' in note ? note.handoverTo : undefined;
  return { at: found.mtimeMs, ...(typeof handoverTo === 'string' ? { handoverTo } : {}) };
}

function isClaim(value: unknown): value is Claim {
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(FIELDS).every(([name, kind]) => typeof Reflect.get(value, name) === kind);
}
