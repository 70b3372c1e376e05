// Opens files of the workspace and of nowhere else: a link or a swapped folder must not lead a reader out.
import { constants } from 'node:fs';
import { type FileHandle, open, readlink, realpath } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import { fail } from '../core/errors.ts';
import { errnoOf } from './errno.ts';

/** The largest task file that is read or written, in bytes. */
export const MAX_TASK_BYTES = 1024 * 1024;

/** True when `path` is `root` or below it. Both must be real paths. */
export function isInside(root: string, path: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}

/**
 * Opens a regular file below `root` (a real path) for reading. With `links: 'follow'` a symlink is followed when it stays inside.
 * Fails with PATH_OUTSIDE when the file lies outside, with TASK_UNREADABLE when it is no regular file; throws the system's error otherwise.
 */
export async function openInside(root: string, file: string, links: 'follow' | 'refuse'): Promise<FileHandle> {
  const handle = await openPlain(root, file, links);
  try {
    // checked on the open file: between a check of the path and the open, a folder could be swapped for a link
    if (!isInside(root, await pathOf(handle, file))) outside(root, file);
    const stats = await handle.stat();
    if (!stats.isFile()) fail('TASK_UNREADABLE', `"${relative(root, file)}" is no regular file.`);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The whole content of an open file, read from its start. Fails with TASK_UNREADABLE above MAX_TASK_BYTES. */
export async function readWhole(handle: FileHandle): Promise<Buffer> {
  const { size } = await handle.stat();
  const parts: Buffer[] = [];
  let total = 0;
  for (;;) {
    const part = Buffer.alloc(Math.max(1, Math.min(size - total, MAX_TASK_BYTES)) + 1);
    const { bytesRead } = await handle.read(part, 0, part.length, total);
    if (bytesRead === 0) return Buffer.concat(parts);
    parts.push(part.subarray(0, bytesRead));
    total += bytesRead;
    if (total > MAX_TASK_BYTES) fail('TASK_UNREADABLE', `The file is larger than ${MAX_TASK_BYTES} bytes.`);
  }
}

/** True when the bytes are text as task files hold it; UTF-16 and binary files are not. */
export function isText(bytes: Buffer): boolean {
  return !bytes.includes(0) && !(bytes[0] === 0xff && bytes[1] === 0xfe) && !(bytes[0] === 0xfe && bytes[1] === 0xff);
}

async function openPlain(root: string, file: string, links: 'follow' | 'refuse'): Promise<FileHandle> {
  // without O_NONBLOCK a FIFO would hold the reader for ever
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    return await open(file, flags);
  } catch (error) {
    if (errnoOf(error) !== 'ELOOP' || links === 'refuse') throw error;
    const target = await realpath(file);
    return isInside(root, target) ? open(target, flags) : outside(root, file);
  }
}

async function pathOf(handle: FileHandle, file: string): Promise<string> {
  return process.platform === 'linux' ? readlink(`/proc/self/fd/${handle.fd}`) : realpath(file);
}

function outside(root: string, file: string): never {
  return fail('PATH_OUTSIDE', `"${relative(root, file)}" leads out of the workspace.`);
}
