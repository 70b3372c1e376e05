// The tokens of clients that come over HTTP, one for each scope, each in a file of its own that only its owner can read:
// `<state>/tokens/<scope>`. A client's configuration names the file or holds its content. A new token takes the place of the old one at
// once; whoever still has the old one is turned away with the next request, and streams that are open with it are ended.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { SCOPES, type Scope } from '../core/access.ts';
import { createAtomic, writeAtomic } from '../storage/atomic-write.ts';
import { prepareStateFolder, privateFolder } from '../storage/embedded/private-folder.ts';
import { readPrivate } from './private-file.ts';

export interface ClientTokens {
  /** The scope of a token, or undefined when it is none. Fails with STORAGE_FAILED when others could know the token in the file. */
  check(token: string): Promise<Scope | undefined>;
}

const TOKEN = /^sct_(read|operate|admin)_[A-Za-z0-9_-]{43}$/;
const FILE = { what: 'token', cure: '`sc token rotate` makes a new one', form: TOKEN } as const;

export function tokenFile(stateDir: string, scope: Scope): string {
  return path.join(stateDir, 'tokens', scope);
}

export function createClientTokens(stateDir: string): ClientTokens {
  /** What was read from a file, as long as the file stays as it was. */
  const read = new Map<Scope, { readonly stamp: string; readonly token: string | undefined }>();
  const tokenOf = async (scope: Scope): Promise<string | undefined> => {
    const file = tokenFile(stateDir, scope);
    const stamp = await stampOf(file);
    const known = read.get(scope);
    if (known?.stamp === stamp) return known.token;
    const token = await readPrivate(file, FILE);
    read.set(scope, { stamp, token });
    return token;
  };
  return {
    async check(token) {
      const scope = SCOPES.find((name) => name === TOKEN.exec(token)?.[1]);
      const expected = scope && (await tokenOf(scope));
      if (expected === undefined) return undefined;
      const [given, right] = [Buffer.from(token), Buffer.from(expected)];
      return given.length === right.length && timingSafeEqual(given, right) ? scope : undefined;
    },
  };
}

/** Makes the tokens that are missing. Answers the file of each scope. Fails with STORAGE_FAILED when others could know one. */
export async function ensureTokens(stateDir: string): Promise<Readonly<Record<Scope, string>>> {
  prepareFolder(stateDir);
  for (const scope of SCOPES) {
    const file = tokenFile(stateDir, scope);
    if ((await readPrivate(file, FILE)) === undefined) await createAtomic(file, `${newToken(scope)}\n`);
  }
  return filesOf(stateDir);
}

/** Puts new tokens in place of the old ones, also of those that others could know. */
export async function rotateTokens(
  stateDir: string,
  scopes: readonly Scope[] = SCOPES,
): Promise<Readonly<Record<Scope, string>>> {
  prepareFolder(stateDir);
  for (const scope of scopes) {
    const file = tokenFile(stateDir, scope);
    // the file may be a link: what it points to is left alone
    await rm(file, { force: true });
    await writeAtomic(file, `${newToken(scope)}\n`);
  }
  return filesOf(stateDir);
}

function prepareFolder(stateDir: string): void {
  prepareStateFolder(stateDir);
  privateFolder(path.join(stateDir, 'tokens'), 'close');
}

function filesOf(stateDir: string): Readonly<Record<Scope, string>> {
  const [read, operate, admin] = SCOPES.map((scope) => tokenFile(stateDir, scope));
  return { read: String(read), operate: String(operate), admin: String(admin) };
}

function newToken(scope: Scope): string {
  return `sct_${scope}_${randomBytes(32).toString('base64url')}`;
}

async function stampOf(file: string): Promise<string> {
  const found = await stat(file).catch(() => undefined);
  return found ? `${found.dev}:${found.ino}:${found.size}:${found.mode}:${found.ctimeMs}` : '-';
}
