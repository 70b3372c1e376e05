// How a checkout stands: the commit it is on, and a tree of all that lies in it, committed or not.
//
// The tree is made with an index of our own, a copy, so that neither the user's index nor its lock is touched. It lies in the state folder, where a hub
// that starts removes what a killed one left. What is not committed is written into the object store as `git stash` would, and git's own garbage
// collection takes it away again. A clean checkout costs one call and writes nothing.
import { createHash } from 'node:crypto';
import { copyFile, lstat, mkdtemp, readFile, realpath, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { RunGit } from './git.ts';
import { errnoOf } from './process.ts';

/** With more changed and untracked files than these, nothing is told. */
const MOST_PATHS = 2000;
/** A larger file that is not committed is known by its size and time alone. */
const BULKY_BYTES = 8 << 20;
const EMPTY_TREE = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';

/** A checkout and where git keeps what belongs to it. */
export interface Checkout {
  /** Real path of its topmost folder. */
  readonly root: string;
  readonly gitDir: string;
}

export interface Standing {
  /** Commit it is on; undefined before the first one. */
  readonly head: string | undefined;
  readonly tree: string;
  /** Large files that are not committed: path from the root → a word that changes with them. */
  readonly bulky: ReadonlyMap<string, string>;
}

/** The checkout a folder lies in, found without starting git; undefined when there is none. */
export async function checkoutOf(folder: string): Promise<Checkout | undefined> {
  const start = await realpath(folder).catch(() => undefined);
  if (start === undefined) return undefined;
  for (let root = start; ; root = path.dirname(root)) {
    const entry = path.join(root, '.git');
    const found = await stat(entry).catch(() => undefined);
    if (found?.isDirectory()) return { root, gitDir: entry };
    const named = found?.isFile() ? /^gitdir: (.+)$/m.exec(await readFile(entry, 'utf8').catch(() => ''))?.[1] : undefined;
    if (named !== undefined) return { root, gitDir: path.resolve(root, named) };
    if (root === path.dirname(root)) return undefined;
  }
}

/** With what git is asked, and where an index of our own may lie. */
export interface Look {
  readonly git: RunGit;
  readonly stateDir: string;
  readonly signal: AbortSignal;
}

/** How the checkout stands now; undefined when git does not tell. */
export async function standingOf(look: Look, { root, gitDir }: Checkout): Promise<Standing | undefined> {
  const { git, signal } = look;
  const status = await git(
    root,
    ['status', '--porcelain=v2', '--branch', '-z', '--untracked-files=all', '--no-renames', '--ignore-submodules=dirty'],
    { signal },
  );
  if (status.code !== 0) return undefined;
  const { head, paths } = readStatus(status.out);
  if (paths.length > MOST_PATHS) return undefined;
  const { small, bulky } = await bySize(root, paths);
  if (small.length === 0) return { head, tree: head === undefined ? EMPTY_TREE : `${head}^{tree}`, bulky };
  const tree = await treeWith(look, { root, gitDir }, small);
  return tree === undefined ? undefined : { head, tree, bulky };
}

/** Paths as they are on disk, byte for byte in latin1, because git's names need not be UTF-8. */
function readStatus(out: Buffer): { readonly head: string | undefined; readonly paths: readonly string[] } {
  let head: string | undefined;
  const paths: string[] = [];
  for (const record of out.toString('latin1').split('\0')) {
    const oid = /^# branch\.oid ([0-9a-f]{40,64})$/.exec(record)?.[1];
    if (oid !== undefined) head = oid;
    const name = /^(?:1(?: \S+){7}|u(?: \S+){9}|\?) (.+)$/s.exec(record)?.[1];
    // another repository inside this one is not ours to look into
    if (name !== undefined && !name.endsWith('/')) paths.push(name);
  }
  return { head, paths };
}

async function bySize(
  root: string,
  paths: readonly string[],
): Promise<{ readonly small: readonly string[]; readonly bulky: ReadonlyMap<string, string> }> {
  const small: string[] = [];
  const bulky = new Map<string, string>();
  for (const name of paths) {
    const stats = await lstat(Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name, 'latin1')])).catch(() => undefined);
    if (stats === undefined || stats.size <= BULKY_BYTES) small.push(name);
    else bulky.set(name, createHash('sha256').update(`${name}\0${stats.size}\0${stats.mtimeMs}`).digest('hex').slice(0, 12));
  }
  return { small, bulky };
}

async function treeWith(
  { git, stateDir, signal }: Look,
  { root, gitDir }: Checkout,
  paths: readonly string[],
): Promise<string | undefined> {
  const folder = await mkdtemp(path.join(stateDir, '.index.'));
  try {
    const index = path.join(folder, 'index');
    await copyFile(path.join(gitDir, 'index'), index).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error;
    });
    const env = { GIT_INDEX_FILE: index };
    const input = Buffer.from(`${paths.join('\0')}\0`, 'latin1');
    const added = await git(root, ['update-index', '--add', '--remove', '--replace', '-z', '--stdin'], { signal, env, input });
    const written = added.code === 0 ? await git(root, ['write-tree'], { signal, env }) : added;
    return written.code === 0 ? written.out.toString().trim() : undefined;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
