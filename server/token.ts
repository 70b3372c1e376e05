// The token of a run, or of a shared session: it says who calls, and a code over that which only the hub's secret can make. So it is checked
// without a table, also by the hub that comes after a killed one. That of a run is worth nothing as soon as its run has ended, that of a share
// when it has expired or was revoked.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import path from 'node:path';
import { fail } from '../core/errors.ts';
import { isSettled, type Session } from '../core/session.ts';
import { createAtomic } from '../storage/atomic-write.ts';
import { readPrivate } from './private-file.ts';

/** One run of one session: who calls. */
export interface RunIdentity {
  readonly sessionId: string;
  readonly run: number;
}

/** One share of one session. */
export interface ShareIdentity {
  readonly sessionId: string;
  readonly shareId: string;
}

export interface RunTokens {
  /** The token of that run, the same at every call. */
  issue(identity: RunIdentity): string;
  /** Whose token this is, or undefined when no hub of this workspace made it. Says nothing about whether that run is still active. */
  check(token: string): RunIdentity | undefined;
  /** The token of that share. */
  issueShare(identity: ShareIdentity): string;
  /** Which share this token is for; says nothing about whether that is still open. */
  checkShare(token: string): ShareIdentity | undefined;
}

/** True from the moment this run is being started until it has settled: so long its token is good. */
export function isActiveRun(session: Session | undefined, { run }: RunIdentity): boolean {
  return session !== undefined && session.run === run && session.status !== 'queued' && !isSettled(session);
}

const SECRET_BYTES = 32;
const SECRET = { what: 'secret', cure: 'remove it, and a new one is made', form: /^[0-9a-f]{64}$/ } as const;
const TOKEN = /^(sc|scs)_([A-Za-z0-9_-]{1,400})\.[A-Za-z0-9_-]{43}$/;
const CLAIM = /^([^/]+)\/(\d{1,9})$/;
const SHARE_CLAIM = /^share\/([^/]+)\/([a-z2-7]{4,16})$/;

/** The tokens of a workspace, by the secret in `<state>/secret`, which is made where there is none. Fails with STORAGE_FAILED when others could know it. */
export async function openRunTokens(stateDir: string): Promise<RunTokens> {
  const file = path.join(stateDir, 'secret');
  const secret = (await readSecret(file)) ?? (await makeSecret(file));
  const sign = (kind: 'sc' | 'scs', claim: string) =>
    `${kind}_${Buffer.from(claim).toString('base64url')}.${createHmac('sha256', secret).update(claim).digest('base64url')}`;
  /** What a token claims, when it is one of ours and of that kind. */
  const claimOf = (wanted: 'sc' | 'scs', token: string): string | undefined => {
    const [, kind, encoded = ''] = TOKEN.exec(token) ?? [];
    if (kind !== wanted) return undefined;
    const claim = Buffer.from(encoded, 'base64url').toString();
    const [given, expected] = [Buffer.from(token), Buffer.from(sign(wanted, claim))];
    return given.length === expected.length && timingSafeEqual(given, expected) ? claim : undefined;
  };
  return {
    issue: ({ sessionId, run }) => sign('sc', `${sessionId}/${run}`),
    check(token) {
      const [, sessionId, run] = CLAIM.exec(claimOf('sc', token) ?? '') ?? [];
      return sessionId === undefined ? undefined : { sessionId, run: Number(run) };
    },
    issueShare: ({ sessionId, shareId }) => sign('scs', `share/${sessionId}/${shareId}`),
    checkShare(token) {
      const [, sessionId, shareId] = SHARE_CLAIM.exec(claimOf('scs', token) ?? '') ?? [];
      return sessionId === undefined || shareId === undefined ? undefined : { sessionId, shareId };
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

function readSecret(file: string): Promise<string | undefined> {
  return readPrivate(file, SECRET);
}
