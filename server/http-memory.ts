// What is kept on disk about the 2025-era MCP sessions of a caller, in a folder of its own, so that the hub that comes after a killed one can go
// on with them: how a session was initialised, what it subscribed to, and each request that was not answered yet.
//
//   mcp/<session>.json           { initialize, uris }
//   mcp/<session>.<call>.json    the request; kept for a while after its answer was sent, because that may have got lost with the hub
import { randomUUID } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';

export const KeptSession = z.looseObject({ initialize: z.record(z.string(), z.unknown()), uris: z.array(z.string()) });
export type KeptSession = z.infer<typeof KeptSession>;

export const KeptRequest = z.looseObject({
  jsonrpc: z.literal('2.0'),
  id: z.union([z.string(), z.number()]),
  method: z.string(),
  params: z.record(z.string(), z.unknown()).optional(),
});
export type KeptRequest = z.infer<typeof KeptRequest>;

/** Ids of ours, the only ones that become names of files. */
export const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export interface CallMemory {
  session(sessionId: string): Promise<KeptSession | undefined>;
  keepSession(sessionId: string, session: KeptSession): Promise<void>;
  /** Says that the session is in use. */
  touchSession(sessionId: string): Promise<void>;
  /** Forgets the session and its requests. */
  dropSession(sessionId: string): Promise<void>;
  /** Forgets what is too old, and the oldest sessions where there are too many. */
  tidy(limits: Tidying): Promise<void>;
  request(sessionId: string, callId: string): Promise<KeptRequest | undefined>;
  keepRequest(sessionId: string, callId: string, request: KeptRequest): Promise<void>;
  dropRequest(sessionId: string, callId: string): Promise<void>;
}

export interface Tidying {
  /** Milliseconds since the epoch: what was not used since then is forgotten. */
  readonly before: number;
  /** Most sessions, those in use included. */
  readonly most: number;
  /** Sessions that are in use here, which stay. */
  readonly inUse: ReadonlySet<string>;
}

/**
 * The memory of one caller in this folder. Its files are not forced to disk: they outlive the hub, and no connection outlives the machine.
 * What a call waits for is written at once, which takes a tenth of a pass through the pool of threads.
 */
export function createCallMemory(folder: string): CallMemory {
  const sessionFile = (sessionId: string) => path.join(folder, `${sessionId}.json`);
  const requestFile = (sessionId: string, callId: string) => path.join(folder, `${sessionId}.${callId}.json`);
  return {
    session: async (sessionId) => KeptSession.safeParse(await jsonOf(sessionFile(sessionId))).data,
    async keepSession(sessionId, session) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const temporary = path.join(folder, `.${sessionId}.${randomUUID()}.tmp`);
      writeFileSync(temporary, JSON.stringify(session), { mode: 0o600 });
      renameSync(temporary, sessionFile(sessionId));
    },
    async touchSession(sessionId) {
      const now = new Date();
      await utimes(sessionFile(sessionId), now, now).catch(() => undefined);
    },
    async dropSession(sessionId) {
      const names = await readdir(folder).catch(() => []);
      await removeAll(
        folder,
        names.filter((name) => name.startsWith(`${sessionId}.`)),
      );
    },
    async tidy({ before, most, inUse }) {
      const names = await readdir(folder).catch(() => []);
      const files = await Promise.all(
        names
          .filter((name) => !inUse.has(idIn(name)))
          .map(async (name) => ({ name, usedAt: await changedAt(path.join(folder, name)) })),
      );
      const sessions = files.filter(({ name }) => name === `${idIn(name)}.json`).toSorted((a, b) => b.usedAt - a.usedAt);
      const room = Math.max(0, most - inUse.size);
      const kept = new Set(sessions.filter(({ usedAt }, at) => at < room && usedAt >= before).map(({ name }) => idIn(name)));
      // a session that is just being written is not there yet
      const isOver = ({ name, usedAt }: { name: string; usedAt: number }) =>
        usedAt < before || (!name.startsWith('.') && !kept.has(idIn(name)));
      await removeAll(
        folder,
        files.filter(isOver).map(({ name }) => name),
      );
    },
    request: async (sessionId, callId) => KeptRequest.safeParse(await jsonOf(requestFile(sessionId, callId))).data,
    async keepRequest(sessionId, callId, request) {
      writeFileSync(requestFile(sessionId, callId), JSON.stringify(request), { mode: 0o600 });
    },
    dropRequest: (sessionId, callId) => rm(requestFile(sessionId, callId), { force: true }),
  };
}

/** The session that a file is about. */
function idIn(name: string): string {
  return name.replace(/^\./, '').split('.')[0] ?? '';
}

async function changedAt(file: string): Promise<number> {
  return (await stat(file).catch(() => undefined))?.mtimeMs ?? Number.POSITIVE_INFINITY;
}

async function removeAll(folder: string, names: readonly string[]): Promise<void> {
  await Promise.all(names.map((name) => rm(path.join(folder, name), { force: true })));
}

/** What a file holds; undefined when it is not there, or when its writing was cut short. */
async function jsonOf(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    return undefined;
  }
}
