// Changes a file that other programs edit at the same time, so that none of their edits is lost.
//
// The file is read through a descriptor that stays open. The new content goes into a temporary file beside it. Then the file is read
// once more: when it is no longer the same, the temporary file is dropped and the whole is to be tried again. Else the temporary file
// takes its place. Somebody may have opened the old file before that and write into it afterwards; so it is read again through the
// descriptor for a while. What was appended there is appended to the new file; after any other change the new content is made
// anew from it, and when the file was changed meanwhile too, the old one is saved beside it as `<name>.conflict`.
import { randomUUID } from 'node:crypto';
import { constants, lstatSync, readlinkSync, type Stats } from 'node:fs';
import { link, open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createAtomic, sync as forceFolder, takePlace, writeAtomic, writeBeside, writeFully } from './atomic-write.ts';
import { errnoOf } from './errno.ts';
import { type OpenFile, openInside, statsAt } from './inside.ts';

/** Why a file is never replaced: what it is cannot be kept by a rename. */
export const PROTECTED = {
  symlink: 'it is a symbolic link',
  hard_linked: 'it has more than one name (hard links)',
  read_only: 'it is read-only',
  foreign_owner: 'it belongs to another user',
} as const satisfies Record<string, string>;
export type Protected = keyof typeof PROTECTED;

export type RewriteOutcome =
  | { readonly kind: 'written' | 'unchanged' | 'again' }
  | { readonly kind: 'protected'; readonly why: Protected }
  /** Written, but edits made at the same time could not be put together; the path of the copy with the other ones. */
  | { readonly kind: 'conflict'; readonly copy: string };

export interface RewriteOptions {
  /** Real path the file must lie below. */
  readonly root: string;
  readonly file: string;
  /** The new content, or undefined to leave the file alone. May be called several times. */
  readonly change: (bytes: Buffer) => Buffer | undefined;
  /** Pauses in milliseconds after which the replaced file is looked at again. */
  readonly lateLooksMs: readonly number[];
  /** Does the deed that waits for the disk, when its turn has come. */
  readonly onDisk: <Result>(deed: () => Promise<Result>) => Promise<Result>;
  /** Forces the names in a folder to disk; who writes several files there may share it. */
  readonly sync?: (folder: string) => Promise<void>;
}

interface Source {
  readonly opened: OpenFile;
  readonly bytes: Buffer;
}

const MOST_COPIES = 20;
/** How long a file must have been empty before something is written into it. */
const EMPTY_REST_MS = 200;

/** One try. `again` means that somebody else was faster. Throws PATH_OUTSIDE, TASK_UNREADABLE or the system's error. */
export async function rewriteFile(options: RewriteOptions): Promise<RewriteOutcome> {
  const { root, file, change, onDisk, sync = forceFolder } = options;
  if (lstatSync(file).isSymbolicLink()) return { kind: 'protected', why: 'symlink' };
  const opened = openInside(root, file, 'refuse');
  try {
    const { stats } = opened;
    const bytes = opened.read();
    const next = change(bytes);
    if (!next || next.equals(bytes)) return { kind: 'unchanged' };
    // emptied a moment ago: somebody is about to write it
    if (bytes.length === 0 && Math.abs(Date.now() - stats.mtimeMs) < EMPTY_REST_MS) return { kind: 'again' };
    const why = protection(stats);
    if (why) return { kind: 'protected', why };
    const source = { opened, bytes };
    if (!(await onDisk(() => swap(file, source, next))) || (await wasMoved(file, source, next))) return { kind: 'again' };
    const [outcome] = await Promise.all([followUp(options, source, next), sync(dirname(file))]);
    return outcome;
  } finally {
    opened.close();
  }
}

function protection({ nlink, mode, uid }: Stats): Protected | undefined {
  if (nlink > 1) return 'hard_linked';
  if ((mode & 0o222) === 0) return 'read_only';
  const me = process.geteuid?.();
  return me === undefined || me === 0 || me === uid ? undefined : 'foreign_owner';
}

/** Puts the new content in place when the file still is what was read; false when it is not. */
async function swap(file: string, { opened, bytes }: Source, next: Buffer): Promise<boolean> {
  const { stats } = opened;
  const temporary = await writeBeside(file, next, stats.mode & 0o7777);
  try {
    if (process.geteuid?.() === 0) await own(temporary, stats);
    const [there, now] = [lstatSync(file), opened.read()];
    if (there.ino === stats.ino && there.dev === stats.dev && there.nlink === 1 && now.equals(bytes)) {
      await takePlace(temporary, file);
      return true;
    }
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await rm(temporary, { force: true });
  return false;
}

/** As root, a replaced file would change hands. */
async function own(temporary: string, { uid, gid, mode }: Stats): Promise<void> {
  const made = lstatSync(temporary);
  if (made.uid === uid && made.gid === gid) return;
  const handle = await open(temporary, 'r');
  try {
    await handle.chown(uid, gid);
    await handle.chmod(mode & 0o7777);
  } finally {
    await handle.close();
  }
}

/** When the old file turns up under another name, it was moved away just before; the new one, which would be a second, is taken back. */
async function wasMoved(file: string, { opened: { fd, stats } }: Source, next: Buffer): Promise<boolean> {
  const elsewhere = process.platform === 'linux' ? readlinkSync(`/proc/self/fd/${fd}`) : file;
  if (elsewhere === file) return false;
  // its own number under that name is the proof: NFS gives deleted open files a name too, and "(deleted)" is none
  const there = statsAt(elsewhere);
  if (there?.ino !== stats.ino || there.dev !== stats.dev || basename(elsewhere).startsWith('.nfs')) return false;
  await takeBack(file, next);
  return true;
}

/** Removes the file when it holds this content. It is put aside first: looked at in place, it could be another one by the time it is removed. */
async function takeBack(file: string, content: Buffer): Promise<void> {
  const aside = join(dirname(file), `.${basename(file)}.${randomUUID()}.tmp`);
  await rename(file, aside).catch(unlessGone);
  const found = await readFile(aside).catch(unlessGone);
  if (found && !found.equals(content)) {
    await link(aside, file).catch(() => saveCopy(file, found, 0o600));
  }
  await rm(aside, { force: true });
  await forceFolder(dirname(file));
}

function unlessGone(error: unknown): undefined {
  if (errnoOf(error) !== 'ENOENT') throw error;
}

async function followUp(options: RewriteOptions, source: Source, next: Buffer): Promise<RewriteOutcome> {
  let seen = source.bytes;
  let unsettled: Buffer | undefined;
  for (const [index, delayMs] of options.lateLooksMs.entries()) {
    await pause(delayMs);
    const now = source.opened.read();
    if (now.equals(seen)) continue;
    const isAppended = seen.at(-1) === 0x0a && now.subarray(0, seen.length).equals(seen);
    // a rewrite may be halfway through until it looks the same twice; an empty file is one that was only begun
    const isWhole = now.length > 0 && (unsettled?.equals(now) || index + 1 === options.lateLooksMs.length);
    unsettled = now;
    if (!isAppended && !isWhole) continue;
    try {
      if (!isAppended) return await takeOver(options, source.opened.stats, now, next);
      await append(options.file, now.subarray(seen.length));
    } catch {
      // gone or made unwritable meanwhile; whatever it is, the edit must not be lost
      return await conflict(options, source.opened.stats, now);
    }
    seen = now;
  }
  return { kind: 'written' };
}

async function append(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW);
  try {
    await writeFully(handle, bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes the new content anew from what the old file became, unless the new file was changed too. */
async function takeOver(options: RewriteOptions, stats: Stats, late: Buffer, written: Buffer): Promise<RewriteOutcome> {
  const { root, file, change, onDisk, sync = forceFolder } = options;
  const opened = openInside(root, file, 'refuse');
  try {
    const source = { opened, bytes: opened.read() };
    const merged = change(late) ?? late;
    if (!source.bytes.equals(written) || !(await onDisk(() => swap(file, source, merged))))
      return await conflict(options, stats, late);
    const [outcome] = await Promise.all([followUp(options, source, merged), sync(dirname(file))]);
    return outcome;
  } finally {
    opened.close();
  }
}

async function conflict({ root, file }: RewriteOptions, { mode }: Stats, late: Buffer): Promise<RewriteOutcome> {
  return { kind: 'conflict', copy: relative(root, await saveCopy(file, late, mode & 0o777)) };
}

/** Saves bytes as `<name>.conflict`, `<name>.conflict-2` and so on; the last of them is overwritten. */
async function saveCopy(file: string, bytes: Buffer, mode: number): Promise<string> {
  for (let number = 1; number < MOST_COPIES; number++) {
    const copy = `${file}.conflict${number === 1 ? '' : `-${number}`}`;
    if (await createAtomic(copy, bytes, mode)) return copy;
  }
  const last = `${file}.conflict-${MOST_COPIES}`;
  await writeAtomic(last, bytes, mode);
  return last;
}
