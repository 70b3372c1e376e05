// Files that hold a secret: read only when nobody but their owner could have known or changed it.
import { constants, open } from 'node:fs/promises';
import { fail } from '../core/errors.ts';
import { errnoOf } from '../storage/errno.ts';

export interface PrivateFile {
  /** What it holds, such as `secret`, and what to do when others may know it. */
  readonly what: string;
  readonly cure: string;
  readonly form: RegExp;
}

/** The secret in the file, or undefined when there is none. Fails with STORAGE_FAILED when others could know it. */
export async function readPrivate(file: string, { what, cure, form }: PrivateFile): Promise<string | undefined> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    if (errnoOf(error) === 'ELOOP') fail('STORAGE_FAILED', `${file} is a symbolic link; ${cure}.`);
    return fail('STORAGE_FAILED', `${file} cannot be read (${errnoOf(error) ?? 'unknown error'}).`);
  });
  if (!handle) return undefined;
  try {
    const stat = await handle.stat();
    const isOwn = process.getuid === undefined || stat.uid === process.getuid();
    if (!stat.isFile() || !isOwn || (stat.mode & 0o077) !== 0)
      fail('STORAGE_FAILED', `Others may know the ${what} in ${file}; ${cure}.`);
    const secret = (await handle.readFile('utf8')).trim();
    return form.test(secret) ? secret : fail('STORAGE_FAILED', `${file} holds no ${what}; ${cure}.`);
  } finally {
    await handle.close();
  }
}
