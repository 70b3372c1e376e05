// The state as a document on disk, kept by lowdb through an adapter of ours: written piece by piece, so that the hub goes on meanwhile, to a file
// of its own, forced to disk and renamed into place. The document before stays beside it as `.bak`. A document that cannot be read (its checksum is
// wrong) is put aside as `.unreadable-…`, and the one before is read.
import { randomUUID } from 'node:crypto';
import { link, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { Low } from 'lowdb';
import { z } from 'zod';
import { fail } from '../../core/errors.ts';
import type { SavedState, Snapshot } from '../../core/ports.ts';
import { RuleTally } from '../../core/rule-tally.ts';
import { type Session, SessionStatus } from '../../core/session.ts';
import { replaceWith, writeFully } from '../atomic-write.ts';
import { errnoOf } from '../errno.ts';
import { orNothing } from './private-folder.ts';
import { storageError } from './storage-error.ts';

/** Raised when an older program could not understand the document. */
const VERSION = 1;
/** How much is made into text at once, half a millisecond's work. */
const PIECE_BYTES = 64 * 1024;
/** Between two pieces the hub serves others for so long. */
const REST_MS = 1;
const CHECK = /,"check":"([0-9a-f]{8})"\}\n$/;

const Document = z.object({
  version: z.literal(VERSION),
  seq: z.number().int().nonnegative(),
  at: z.number(),
  isPaused: z.boolean(),
  pauseReason: z.string().optional(),
  overrides: z.record(z.string(), z.unknown()).default({}),
  keys: z.array(
    z.object({ key: z.string(), sessionId: z.string(), digest: z.string(), at: z.number(), seq: z.number().optional() }),
  ),
  rules: z.array(RuleTally).default([]),
  // whole as they were written: the checksum vouches for the rest
  sessions: z.array(z.custom<Session>(isSession)),
});

/** The snapshot in this file, such as `<state>/snapshot.json`. Its calls fail with STORAGE_FAILED, STORAGE_FULL or HUB_VERSION. */
export function openSnapshot(file: string): Snapshot {
  let nothing: 'none' | 'unreadable' = 'none';
  let size = 0;
  const low = new Low<SavedState | null>(
    {
      async read() {
        await removeRemains(file);
        const found = await newestReadable(file, aside);
        if (typeof found === 'object') return found;
        nothing = found;
        return null;
      },
      async write(state) {
        if (state) size = await writeDocument(file, state);
      },
    },
    null,
  );
  return {
    async load() {
      await low.read();
      const { data } = low;
      low.data = null;
      return data ?? nothing;
    },
    async save(state) {
      low.data = state;
      try {
        await low.write();
      } catch (error) {
        throw storageError(error, file);
      } finally {
        low.data = null;
      }
      return size;
    },
  };
}

/** What a start would begin with, found without putting anything aside. */
export function peekSnapshot(file: string): Promise<SavedState | 'none' | 'unreadable'> {
  return newestReadable(file, async () => {});
}

async function newestReadable(
  file: string,
  putAside: (file: string) => Promise<void>,
): Promise<SavedState | 'none' | 'unreadable'> {
  let isUnreadable = false;
  for (const candidate of [file, `${file}.bak`]) {
    const found = await readDocument(candidate, putAside);
    if (typeof found === 'object') return found;
    isUnreadable ||= found === 'unreadable';
  }
  // what an earlier start put aside is still not known
  const names = await readdir(path.dirname(file)).catch(orNothing([]));
  return isUnreadable || names.some((name) => name.startsWith(`${path.basename(file)}.`) && name.includes('.unreadable-'))
    ? 'unreadable'
    : 'none';
}

async function readDocument(
  file: string,
  putAside: (file: string) => Promise<void>,
): Promise<SavedState | 'none' | 'unreadable'> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 'none';
    return fail('STORAGE_FAILED', `"${file}" could not be read: ${errnoOf(error) ?? 'unknown error'}.`);
  }
  const value = parsed(bytes);
  const version = z.looseObject({ version: z.number() }).safeParse(value).data?.version ?? 0;
  if (version > VERSION)
    fail('HUB_VERSION', `The state in ${file} was saved by a newer version (format ${version}, this one knows ${VERSION}).`);
  const document = Document.safeParse(value);
  if (document.success) {
    const { version: _version, ...state } = document.data;
    return state;
  }
  await putAside(file);
  return 'unreadable';
}

function aside(file: string): Promise<void> {
  return rename(file, `${file}.unreadable-${Date.now()}`);
}

/** By hand: there may be many thousands, and a hub that starts is waited for. */
function isSession(value: unknown): value is Session {
  if (typeof value !== 'object' || value === null) return false;
  const { id, status, taskId, createdSeq, seq, history }: Readonly<Record<string, unknown>> = { ...value };
  const isWord = typeof id === 'string' && typeof taskId === 'string' && SessionStatus.options.some((one) => one === status);
  return isWord && typeof createdSeq === 'number' && typeof seq === 'number' && Array.isArray(history);
}

/** The value of a document whose checksum is right. */
function parsed(bytes: Buffer): unknown {
  const tail = CHECK.exec(bytes.subarray(-64).toString('latin1'));
  if (!tail?.[1]) return undefined;
  const isRight = crc32(bytes.subarray(0, bytes.length - tail[0].length)) === Number.parseInt(tail[1], 16);
  return isRight ? JSON.parse(bytes.toString('utf8')) : undefined;
}

async function writeDocument(file: string, state: SavedState): Promise<number> {
  const temporary = path.join(path.dirname(file), `${temporaryStart(file)}${randomUUID()}.tmp`);
  const handle = await open(temporary, 'wx', 0o600);
  let size = 0;
  try {
    let sum = 0;
    for (const text of piecesOf(state)) {
      const bytes = Buffer.from(text);
      sum = crc32(bytes, sum);
      size += bytes.length;
      await writeFully(handle, bytes);
      await rest(REST_MS);
    }
    const end = Buffer.from(`,"check":"${sum.toString(16).padStart(8, '0')}"}\n`);
    await writeFully(handle, end);
    await handle.sync();
    await handle.close();
    await keepBefore(file);
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
  await replaceWith(temporary, file);
  return size;
}

/** The document without its end, in texts of bounded size. */
function* piecesOf({ keys, rules, sessions, ...rest }: SavedState): Generator<string> {
  let text = JSON.stringify({ version: VERSION, ...rest }).slice(0, -1);
  for (const [name, rows] of [['keys', keys] as const, ['rules', rules] as const, ['sessions', sessions] as const]) {
    text += `,"${name}":[`;
    for (const [nth, row] of rows.entries()) {
      text += `${nth > 0 ? ',' : ''}\n${JSON.stringify(row)}`;
      if (text.length < PIECE_BYTES) continue;
      yield text;
      text = '';
    }
    text += '\n]';
  }
  yield text;
}

/** Gives the present document the second name `.bak`, in one step, so that there is a good one at any time. */
async function keepBefore(file: string): Promise<void> {
  const temporary = path.join(path.dirname(file), `${temporaryStart(file)}${randomUUID()}.tmp`);
  try {
    await link(file, temporary);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  await rename(temporary, `${file}.bak`);
}

/** Removes what a save that was cut by a kill has left. */
async function removeRemains(file: string): Promise<void> {
  const folder = path.dirname(file);
  const names = await readdir(folder).catch(() => []);
  const left = names.filter((name) => name.startsWith(temporaryStart(file)) && name.endsWith('.tmp'));
  await Promise.all(left.map((name) => rm(path.join(folder, name), { force: true })));
}

function temporaryStart(file: string): string {
  return `.${path.basename(file)}.`;
}
