// Writes a file so that after any crash it is wholly the old one or wholly the new one, and what was promised is on disk.
//
// The bytes go into a temporary file with a name of its own in the same folder, are forced to disk, and take the place of
// the file by one rename; then the folder is forced to disk too. A temporary file that did not get there is removed.
import { randomUUID } from 'node:crypto';
import { closeSync, fstatSync, fsync, openSync, writeFileSync } from 'node:fs';
import { link, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { fail } from '../core/errors.ts';
import { errnoOf } from './errno.ts';

/** What `writeFully` needs of an open file. */
export interface Writable {
  write(bytes: Uint8Array, offset: number, length: number): Promise<{ readonly bytesWritten: number }>;
}

/** Puts the content in place of the file, or makes it, with this mode (default 0600). Fails with STORAGE_FAILED; the old file then stands. */
export async function writeAtomic(file: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  await orStorageFailed(file, async () => {
    const temporary = await writeBeside(file, content, mode);
    await replaceWith(temporary, file);
  });
}

/** Makes the file with this content, never in place of another: false when one is there. Fails with STORAGE_FAILED. */
export async function createAtomic(file: string, content: string | Uint8Array, mode = 0o600): Promise<boolean> {
  return orStorageFailed(file, async () => {
    const temporary = await writeBeside(file, content, mode);
    try {
      await link(temporary, file);
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return false;
      throw error;
    } finally {
      await rm(temporary, { force: true });
    }
    await sync(dirname(file));
    return true;
  });
}

/** Writes the content to a new temporary file beside `file` and forces it to disk; gives its path. Throws the system's error. */
export async function writeBeside(file: string, content: string | Uint8Array, mode: number): Promise<string> {
  const temporary = join(dirname(file), `.${basename(file)}.${randomUUID()}.tmp`);
  const handle = await open(temporary, 'wx', mode);
  try {
    // the mode given to open is narrowed by the umask
    if ((fstatSync(handle.fd).mode & 0o7777) !== mode) await handle.chmod(mode);
    await writeFully(handle, typeof content === 'string' ? Buffer.from(content) : content);
    await handle.sync();
    await handle.close();
  } catch (error) {
    await handle.close().catch(() => {});
    await rm(temporary, { force: true });
    throw error;
  }
  return temporary;
}

/** Moves a temporary file into the place of `file`, also on disk; removes it when that fails. Throws the system's error. */
export async function replaceWith(temporary: string, file: string): Promise<void> {
  await takePlace(temporary, file);
  await sync(dirname(file));
}

/** The same without forcing the folder to disk: after a crash there may be the old file or the new one. */
export async function takePlace(temporary: string, file: string): Promise<void> {
  try {
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Writes every byte: a write may take only a part, and on a full disk it takes none. */
export async function writeFully(target: Writable, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await target.write(bytes, done, bytes.length - done);
    if (bytesWritten <= 0) throw new Error(`Only ${done} of ${bytes.length} bytes could be written.`);
    done += bytesWritten;
  }
}

/** Writes a file for the owner alone and forces it to disk, by the one descriptor: others may remove it meanwhile. The write itself is not waited for. */
export async function writeSynced(file: string, text: string): Promise<void> {
  const fd = openSync(file, 'w', 0o600);
  try {
    writeFileSync(fd, text);
    await synced(fd);
  } finally {
    closeSync(fd);
  }
}

/** Forces a file, or the names in a folder, to disk. */
export async function sync(place: string): Promise<void> {
  const fd = openSync(place, 'r');
  try {
    await synced(fd);
  } finally {
    closeSync(fd);
  }
}

const synced = promisify(fsync);

async function orStorageFailed<Result>(file: string, deed: () => Promise<Result>): Promise<Result> {
  try {
    return await deed();
  } catch (error) {
    return fail('STORAGE_FAILED', `"${file}" could not be written: ${errnoOf(error) ?? 'the write was cut short'}.`, { file });
  }
}
