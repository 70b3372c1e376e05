// Files of the workspace that git does not carry, such as `.env`, copied into a new worktree with their modes.
//
// A path that leads out of the workspace, by dots or by a link, is refused, and so is one that would lead out of the worktree. A file that is not
// there is passed over, and one that the worktree has already, because git carries it, is left as it is.
import { constants } from 'node:fs';
import { mkdir, open, readFile, readlink, realpath, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fail, ScopecraftError } from '../core/errors.ts';
import { errnoOf } from './process.ts';
import { hashOf } from './worktree-record.ts';

/** Copies the files (paths relative to both folders). Answers the hashes of those it copied, by path. Fails with WORKTREE_FAILED. */
export async function copyFiles(from: string, to: string, files: readonly string[]): Promise<Readonly<Record<string, string>>> {
  const copied: Record<string, string> = {};
  for (const file of files) {
    const name = path.normalize(file);
    if (path.isAbsolute(file) || name === '..' || name.startsWith(`..${path.sep}`)) leadsOut(file, 'the workspace');
    const source = await readInside(from, name);
    if (source === undefined) continue;
    const target = path.join(to, name);
    await mkdir(path.dirname(target), { recursive: true });
    if (!isInside(await realpath(to), await realpath(path.dirname(target)))) leadsOut(file, 'the worktree');
    try {
      await writeFile(target, source.content, { flag: 'wx', mode: source.mode });
      copied[name] = hashOf(source.content);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') cannot(file, error);
      // the copy of a set-up that was broken off
      if (await isAsCopied(to, name, hashOf(source.content))) copied[name] = hashOf(source.content);
    }
  }
  return copied;
}

/** True when the file is still as it was copied. */
export async function isAsCopied(folder: string, name: string, hash: string | undefined): Promise<boolean> {
  const content = hash === undefined ? undefined : await readFile(path.join(folder, name)).catch(() => undefined);
  return content !== undefined && hashOf(content) === hash;
}

async function readInside(root: string, name: string): Promise<{ readonly content: Buffer; readonly mode: number } | undefined> {
  try {
    const real = await realpath(path.join(root, name));
    if (!isInside(await realpath(root), real)) return leadsOut(name, 'the workspace');
    // without O_NONBLOCK a FIFO would hold the reader for ever
    const handle = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      // asked of the open file: a folder could be swapped for a link before the open
      const opened = process.platform === 'linux' ? await readlink(`/proc/self/fd/${handle.fd}`) : await realpath(real);
      if (!isInside(await realpath(root), opened)) return leadsOut(name, 'the workspace');
      const stats = await handle.stat();
      if (!stats.isFile()) return fail('WORKTREE_FAILED', `"${name}", which worktrees.copy names, is no regular file.`);
      return { content: await handle.readFile(), mode: stats.mode & 0o777 };
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    if (error instanceof ScopecraftError) throw error;
    return cannot(name, error);
  }
}

function isInside(root: string, real: string): boolean {
  return real === root || real.startsWith(`${root}${path.sep}`);
}

function leadsOut(file: string, of: string): never {
  return fail('WORKTREE_FAILED', `"${file}", which worktrees.copy names, leads out of ${of}.`);
}

function cannot(file: string, error: unknown): never {
  return fail('WORKTREE_FAILED', `"${file}" could not be copied into the worktree (${errnoOf(error) ?? 'unknown error'}).`);
}
