// One hub per workspace, by numbered claims: whoever holds the highest `hub.<N>.json` owns the workspace, and N fences all older ones.
//
// A contender first listens on a socket of its own, so that a claim is never seen without one. It reads the highest claim: when that
// hub answers, the contender is a client. When it does not and its process is gone, the contender links its finished record to the next
// number; `link` lets exactly one through. It lists again, because the number it took may have been pruned from below a higher one
// while it slept, and withdraws when it is not the highest. Only then does it own. The highest claim is never removed, so numbers
// never come again; a hub that leaves in good order puts `hub.<N>.gone` beside it.
//
// Where the last hub left in good order nothing is waited for until the record is on its way to the disk: a hub loads the rest of its program
// meanwhile.
import { randomBytes } from 'node:crypto';
import { linkSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fail, ScopecraftError } from '../../core/errors.ts';
import { sync, writeSynced } from '../atomic-write.ts';
import { errnoOf } from '../errno.ts';
import {
  type Claim,
  claimFile,
  type FoundClaim,
  forbiddenSocket,
  goneFile,
  highestClaim,
  isForeignCopy,
  numbersOf,
  type Place,
  placeOf,
  processAt,
  reach,
  remainsOf,
} from './claim.ts';
import { prune, pruneSockets } from './lock-prune.ts';
import { prepareRuntimeFolder, prepareStateFolder } from './private-folder.ts';

/** Longest path of a unix socket that every system takes. */
const SOCKET_PATH_BYTES = 103;
const SELF_CHECK_MS = 30_000;

export interface LockOptions {
  readonly stateDir: string;
  readonly runtimeDir: string;
  readonly version: string;
  readonly protocol: number;
  /** Somebody connects; may come before the claim is confirmed, and then nothing must be answered yet. */
  readonly onConnection: (socket: Socket) => void;
  /** This process owns no longer and must end without writing anything. */
  readonly onFenced: (why: 'superseded' | 'socket_lost') => void;
  /** How long to wait for a hub that lives but whose socket is closed, as while it ends. */
  readonly patienceMs?: number;
  /** Called between the steps; tests stall here. */
  readonly pause?: (step: string) => Promise<void>;
}

export interface Lock {
  readonly claim: Claim;
  /** True while the highest claim and the socket are ours; calls onFenced when they are not. Also asked by itself every 30 s. */
  stillOwner(): boolean;
  /** Takes no more connections. */
  stopListening(): void;
  /** Says that this hub is gone, so that the next one need not prove it. The last act of a hub that ends in good order. */
  release(note?: { readonly handoverTo?: string }): Promise<void>;
}

/** Claims the workspace. Answers the lock, or undefined when another hub has it. Fails with HUB_UNREACHABLE or STORAGE_FAILED. */
export async function claimWorkspace(options: LockOptions): Promise<Lock | undefined> {
  prepareStateFolder(options.stateDir);
  prepareRuntimeFolder(options.runtimeDir);
  const here = placeOf(options.stateDir);
  const nonce = randomBytes(16).toString('hex');
  const socket = path.join(options.runtimeDir, `${nonce.slice(0, 12)}.sock`);
  const { server, listening } = listen(socket, options.onConnection);
  try {
    const startedAt = processAt(process.pid)?.startedAt ?? '';
    const { version, protocol } = options;
    const record = { pid: process.pid, startedAt, ...here, socket, nonce, version, protocol };
    const claim = await contend(options, record, listening);
    if (claim) return await own(options, claim, server);
    server.close();
    return undefined;
  } catch (error) {
    server.close();
    throw error;
  }
}

async function contend(options: LockOptions, record: Omit<Claim, 'epoch'>, listening: Promise<void>): Promise<Claim | undefined> {
  const { stateDir, pause } = options;
  const patientUntil = performance.now() + (options.patienceMs ?? 10_000);
  for (;;) {
    if (pause) await pause('read');
    const found = highestClaim(stateDir);
    // the link was made although its answer was lost, as network file systems do
    if (found?.claim?.nonce === record.nonce) return found.claim;
    const standing = !found || found.gone ? 'ended' : await standingOf(found, record, stateDir);
    if (standing === 'answers' || (standing === 'silent' && performance.now() > patientUntil)) return undefined;
    if (standing === 'silent') {
      await sleep(50);
      continue;
    }
    const claim = { epoch: (found?.epoch ?? 0) + 1, ...record };
    if (pause) await pause('link');
    if (!(await linked(stateDir, claim, listening))) continue;
    if (pause) await pause('confirm');
    if (Math.max(...numbersOf(stateDir, 'json')) === claim.epoch) return claim;
    await rm(claimFile(stateDir, claim.epoch), { force: true });
  }
}

async function standingOf({ claim, epoch }: FoundClaim, here: Place, stateDir: string): Promise<'answers' | 'silent' | 'ended'> {
  const force = `If no hub runs there, run \`touch '${goneFile(stateDir, epoch)}'\` and try again.`;
  if (!claim) return fail('HUB_UNREACHABLE', `The claim ${claimFile(stateDir, epoch)} cannot be read. ${force}`);
  if (isForeignCopy(claim, here)) return 'ended';
  const socket = await reach(claim.socket);
  if (typeof socket !== 'string') socket.destroy();
  // a full backlog means that somebody listens
  if (typeof socket !== 'string' || socket === 'EAGAIN') return 'answers';
  const remains = remainsOf(claim, here);
  if (remains !== 'elsewhere') return remains;
  const where = claim.host === here.host ? `in another container or sandbox on ${claim.host}` : `on the host ${claim.host}`;
  return fail('HUB_UNREACHABLE', `A hub ${where} owns this workspace (pid ${claim.pid} there). ${force}`);
}

async function linked(stateDir: string, claim: Claim, listening: Promise<void>): Promise<boolean> {
  const temp = path.join(stateDir, `.claim.${claim.nonce}`);
  try {
    await Promise.all([writeSynced(temp, JSON.stringify(claim)), listening]);
    return link(temp, claimFile(stateDir, claim.epoch));
  } finally {
    rmSync(temp, { force: true });
  }
}

/** False when somebody else has made that claim, or cleared the record away. */
function link(record: string, file: string): boolean {
  try {
    linkSync(record, file);
    return true;
  } catch (error) {
    const code = errnoOf(error) ?? '';
    if (code === 'EEXIST' || code === 'ENOENT') return false;
    if (['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'].includes(code)) {
      const folder = path.dirname(file);
      fail('STORAGE_FAILED', `The file system of ${folder} has no hard links (${code}); put the workspace on another one.`);
    }
    throw error;
  }
}

async function own(options: LockOptions, claim: Claim, server: Server): Promise<Lock> {
  const { stateDir } = options;
  const { ino, dev } = statSync(claim.socket);
  let isOver = false;
  const fenced = (why: 'superseded' | 'socket_lost'): false => {
    if (!isOver) options.onFenced(why);
    isOver = true;
    clearInterval(timer);
    return false;
  };
  const stillOwner = () => {
    if (isOver) return false;
    if (Math.max(0, ...numbersOf(stateDir, 'json')) !== claim.epoch) return fenced('superseded');
    const now = statSync(claim.socket, { throwIfNoEntry: false });
    return (now?.ino === ino && now.dev === dev) || fenced('socket_lost');
  };
  const timer = setInterval(() => {
    try {
      stillOwner();
    } catch {
      // the folder cannot be read just now; the next check tells
    }
  }, SELF_CHECK_MS).unref();
  const durable = sync(stateDir);
  const unfinished = path.join(stateDir, `.hub.json.${claim.nonce}`);
  writeFileSync(unfinished, `${JSON.stringify(claim, null, 2)}\n`, { mode: 0o600 });
  renameSync(unfinished, path.join(stateDir, 'hub.json'));
  await durable;
  prune(stateDir, claim.epoch);
  await pruneSockets(path.dirname(claim.socket), claim.socket);
  return {
    claim,
    stillOwner,
    stopListening: () => {
      clearInterval(timer);
      server.close();
    },
    release: async (note = {}) => {
      isOver = true;
      clearInterval(timer);
      const temp = path.join(stateDir, `.gone.${claim.nonce}`);
      await writeSynced(temp, JSON.stringify(note));
      await rename(temp, goneFile(stateDir, claim.epoch));
    },
  };
}

function listen(
  socketPath: string,
  onConnection: (socket: Socket) => void,
): { readonly server: Server; readonly listening: Promise<void> } {
  if (Buffer.byteLength(socketPath) > SOCKET_PATH_BYTES) {
    fail(
      'STORAGE_FAILED',
      `The socket path ${socketPath} is longer than ${SOCKET_PATH_BYTES} bytes; set XDG_RUNTIME_DIR to a shorter folder.`,
    );
  }
  const server = createServer(onConnection);
  const listening = new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(translated(error, socketPath)));
    // bind happens inside this call, so the mask need not stay: agents would inherit it
    const mask = process.umask(0o077);
    server.listen(socketPath, resolve);
    process.umask(mask);
  });
  // told where it is waited for
  listening.catch(() => undefined);
  return { server, listening };
}

function translated(error: Error, socketPath: string): unknown {
  const code = errnoOf(error);
  return code === 'EPERM' || code === 'EACCES'
    ? new ScopecraftError('HUB_UNREACHABLE', forbiddenSocket(socketPath, code))
    : error;
}
