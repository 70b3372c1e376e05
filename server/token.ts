// The token of a run: it says which run calls, and a code over that which only the hub's secret can make. So it is checked without a
// table, also by the hub that comes after a killed one, and it is worth nothing as soon as its run has ended.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { constants, open } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../core/errors.ts';
import { isSettled, type Session } from '../core/session.ts';
import { createAtomic } from '../storage/atomic-write.ts';
import { errnoOf } from '../storage/errno.ts';

/** One run of one session: who calls. */
export interface RunIdentity {
  readonly sessionId: string;
  readonly run: number;
}

export interface RunTokens {
  /** The token of that run, the same at every call. */
  issue(identity: RunIdentity): string;
  /** Whose token this is, or undefined when no hub of this workspace made it. Says nothing about whether that run is still active. */
  check(token: string): RunIdentity | undefined;
}

/** True from the moment this run is being started until it has settled: so long its token is good. */
export function isActiveRun(session: Session | undefined, { run }: RunIdentity): boolean {
  return session !== undefined && session.run === run && session.status !== 'queued' && !isSettled(session);
}

const SECRET_BYTES = 32;
const TOKEN = /^sc_([A-Za-z0-9_-]{1,400})\.[A-Za-z0-9_-]{43}$/;
const CLAIM = /^([^/]+)\/(\d{1,9})$/;

/** The tokens of a workspace, by the secret in `<state>/secret`, which is made where there is none. Fails with STORAGE_FAILED when others could know it. */
export async function openRunTokens(stateDir: string): Promise<RunTokens> {
  const file = path.join(stateDir, 'secret');
  const secret = (await readSecret(file)) ?? (await makeSecret(file));
  const issue = ({ sessionId, run }: RunIdentity) => {
    const claim = `${sessionId}/${run}`;
    return `sc_${Buffer.from(claim).toString('base64url')}.${createHmac('sha256', secret).update(claim).digest('base64url')}`;
  };
  return {
    issue,
    check(token) {
      const [, encoded = ''] = TOKEN.exec(token) ?? [];
      const [, sessionId, run] = CLAIM.exec(Buffer.from(encoded, 'base64url').toString()) ?? [];
      if (sessionId === undefined) return undefined;
      const identity = { sessionId, run: Number(run) };
      const [given, expected] = [Buffer.from(token), Buffer.from(issue(identity))];
      return given.length === expected.length && timingSafeEqual(given, expected) ? identity : undefined;
    },
  };
}

/** A key for one purpose, made of the workspace's secret: the next hub has the same one, and it tells nothing about the others. */
export async function openKey(stateDir: string, purpose: string): Promise<Uint8Array> {
  const file = path.join(stateDir, 'secret');
  const secret = (await readSecret(file)) ?? (await makeSecret(file));
  return createHmac('sha256', secret).update(purpose).digest();
}

async function makeSecret(file: string): Promise<string> {
  const secret = randomBytes(SECRET_BYTES).toString('hex');
  // another one may have been quicker; then that one counts
  if (await createAtomic(file, `${secret}\n`)) return secret;
  return (await readSecret(file)) ?? fail('STORAGE_FAILED', `The file ${file} was removed while it was read.`);
}

async function readSecret(file: string): Promise<string | undefined> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    if (errnoOf(error) === 'ELOOP') fail('STORAGE_FAILED', `${file} is a symbolic link; remove it, and a new secret is made.`);
    return fail('STORAGE_FAILED', `${file} cannot be read (${errnoOf(error) ?? 'unknown error'}).`);
  });
  if (!handle) return undefined;
  try {
    const stat = await handle.stat();
    const isOwn = process.getuid === undefined || stat.uid === process.getuid();
    if (!stat.isFile() || !isOwn || (stat.mode & 0o077) !== 0)
      fail('STORAGE_FAILED', `Others may know the secret in ${file}; remove it, and a new one is made.`);
    const secret = (await handle.readFile('utf8')).trim();
    return /^[0-9a-f]{64}$/.test(secret)
      ? secret
      : fail('STORAGE_FAILED', `${file} holds no secret; remove it, and a new one is made.`);
  } finally {
    await handle.close();
  }
}
