// Opens files of the workspace and of nowhere else: a link or a swapped folder must not lead a reader out.
//
// All of it happens at once, without another thread: such files are small and nearly always in memory, and each trip to a thread takes ten times
// what the deed takes, and waits there behind whatever waits for the disk. Whoever opens many of them lets others have their turn in between.
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs';
import { relative, sep } from 'node:path';
import { fail } from '../core/errors.ts';
import { errnoOf } from './errno.ts';

/** The largest task file that is read or written, in bytes. */
export const MAX_TASK_BYTES = 1024 * 1024;

/** True when `path` is `root` or below it. Both must be real paths. */
export function isInside(root: string, path: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}

/** A file that was opened for reading. */
export interface OpenFile {
  readonly fd: number;
  /** As they were when it was opened. */
  readonly stats: Stats;
  /** The whole content as it is now, also where another file has taken its name. Fails with TASK_UNREADABLE above so many bytes, by default MAX_TASK_BYTES. */
  read(mostBytes?: number): Buffer;
  close(): void;
}

/**
 * Opens a regular file below `root` (a real path) for reading. With `links: 'follow'` a symlink is followed when it stays inside.
 * Fails with PATH_OUTSIDE when the file lies outside, with TASK_UNREADABLE when it is no regular file; throws the system's error otherwise.
 */
export function openInside(root: string, file: string, links: 'follow' | 'refuse'): OpenFile {
  const fd = openPlain(root, file, links);
  try {
    // checked on the open file: between a check of the path and the open, a folder could be swapped for a link
    if (!isInside(root, pathOf(fd, file))) outside(root, file);
    const stats = fstatSync(fd);
    if (!stats.isFile()) fail('TASK_UNREADABLE', `"${relative(root, file)}" is no regular file.`);
    return { fd, stats, read: (mostBytes = MAX_TASK_BYTES) => readWhole(fd, mostBytes), close: () => closeSync(fd) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** What is at a path, links not followed; undefined when nothing is there, or nothing that can be looked at. */
export function statsAt(file: string): Stats | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** The same of the file that a link leads to. */
export function targetStats(file: string): Stats | undefined {
  try {
    return statSync(file, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function readWhole(fd: number, mostBytes: number): Buffer {
  const { size } = fstatSync(fd);
  const parts: Buffer[] = [];
  let total = 0;
  for (;;) {
    const part = Buffer.alloc(Math.max(1, Math.min(size - total, mostBytes)) + 1);
    const bytesRead = readSync(fd, part, 0, part.length, total);
    if (bytesRead === 0) return Buffer.concat(parts);
    parts.push(part.subarray(0, bytesRead));
    total += bytesRead;
    if (total > mostBytes) fail('TASK_UNREADABLE', `The file is larger than ${mostBytes} bytes.`);
  }
}

/** True when the bytes are text as task files hold it; UTF-16 and binary files are not. */
export function isText(bytes: Buffer): boolean {
  return !bytes.includes(0) && !(bytes[0] === 0xff && bytes[1] === 0xfe) && !(bytes[0] === 0xfe && bytes[1] === 0xff);
}

function openPlain(root: string, file: string, links: 'follow' | 'refuse'): number {
  // without O_NONBLOCK a FIFO would hold the reader for ever
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    return openSync(file, flags);
  } catch (error) {
    if (errnoOf(error) !== 'ELOOP' || links === 'refuse') throw error;
    const target = realpathSync.native(file);
    return isInside(root, target) ? openSync(target, flags) : outside(root, file);
  }
}

function pathOf(fd: number, file: string): string {
  return process.platform === 'linux' ? readlinkSync(`/proc/self/fd/${fd}`) : realpathSync.native(file);
}

function outside(root: string, file: string): never {
  return fail('PATH_OUTSIDE', `"${relative(root, file)}" leads out of the workspace.`);
}
