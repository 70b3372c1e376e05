// The port `Git`: what a session changed in its folder, seen as the difference between two moments, so that what was dirty before is not counted.
//
// A mark is `<commit>:<tree>:<large files>`; the tree is left out while it is that of the commit. It speaks of the whole checkout, also where the
// folder is only a part of it: what an agent changes beside its folder is changed all the same. Paths are told relative to the folder.
// A caller never fails here and never waits for more than three seconds: what cannot be told is undefined.
import { realpath } from 'node:fs/promises';
import path from 'node:path';
import type { Changes, Git } from '../core/git-ports.ts';
import type { RunGit } from './git.ts';
import { type Checkout, checkoutOf, type Standing, standingOf } from './git-standing.ts';

const LIMIT_MS = 2000;
const MOST_FILES = 100;
const MOST_COMMITS = 20;
const MOST_SUBJECT = 200;
/** So many large files are told apart at most. */
const MOST_BULKY = 50;
const MARK = /^([0-9a-f]{40,64})?:([0-9a-f]{40,64})?:((?:[0-9a-f]{12})*)$/;

interface Line {
  readonly file: string;
  readonly insertions: number;
  readonly deletions: number;
}

/** What git says about folders, by this git. */
export function createGitChanges(git: RunGit, stateDir: string, limitMs = LIMIT_MS): Git {
  return {
    async mark(folder) {
      const found = await quietly(async () => {
        const checkout = await checkoutOf(folder);
        return checkout && (await standingOf({ git, stateDir, signal: AbortSignal.timeout(limitMs) }, checkout));
      });
      return found && markOf(found);
    },

    since: (folder, mark, leaveOut = []) =>
      quietly(async () => {
        const before = parseMark(mark);
        const checkout = await checkoutOf(folder);
        if (!before || !checkout) return undefined;
        const signal = AbortSignal.timeout(limitMs);
        const now = await standingOf({ git, stateDir, signal }, checkout);
        const lines = now && (await changedFiles(git, checkout, { before, now }, signal));
        const commits = now && (await commitsBetween(git, checkout, before.head, now.head, signal));
        if (!lines || !commits) return undefined;
        const here = await realpath(folder);
        const left = new Set(leaveOut);
        const counted = lines.filter(({ file }) => !left.has(path.join(checkout.root, file)));
        return {
          files: counted.slice(0, MOST_FILES).map(({ file }) => path.relative(here, path.join(checkout.root, file))),
          fileCount: counted.length,
          insertions: counted.reduce((sum, { insertions }) => sum + insertions, 0),
          deletions: counted.reduce((sum, { deletions }) => sum + deletions, 0),
          ...commits,
        };
      }),
  };
}

function markOf({ head = '', tree, bulky }: Standing): string {
  return `${head}:${tree === `${head}^{tree}` ? '' : tree}:${[...bulky.values()].slice(0, MOST_BULKY).join('')}`;
}

function parseMark(
  mark: string,
): { readonly head: string | undefined; readonly tree: string; readonly bulky: string[] } | undefined {
  const [, head, tree = head && `${head}^{tree}`, bulky = ''] = MARK.exec(mark) ?? [];
  return tree === undefined ? undefined : { head, tree, bulky: bulky.match(/.{12}/g) ?? [] };
}

async function changedFiles(
  git: RunGit,
  { root }: Checkout,
  { before, now }: { before: { tree: string; bulky: readonly string[] }; now: Standing },
  signal: AbortSignal,
): Promise<readonly Line[] | undefined> {
  const large = [...now.bulky]
    .slice(0, MOST_BULKY)
    .filter(([, word]) => !before.bulky.includes(word))
    .map(([file]) => ({ file: named(file), insertions: 0, deletions: 0 }));
  if (before.tree === now.tree) return large;
  const found = await git(root, ['diff-tree', '-r', '-M', '--numstat', '-z', before.tree, now.tree], { signal });
  if (found.code !== 0) return undefined;
  const lines = numstat(found.out.toString('latin1')).filter(({ file }) => !large.some((other) => other.file === file));
  return [...lines, ...large].toSorted((a, b) => (a.file < b.file ? -1 : 1));
}

/** Reads `<inserted> TAB <deleted> TAB <path> NUL`; with a rename the path is empty, and old and new follow. A dash is a binary file. */
function numstat(text: string): Line[] {
  const records = text.split('\0');
  const lines: Line[] = [];
  for (let at = 0; at < records.length; at++) {
    const [, insertions, deletions, name] = /^(\d+|-)\t(\d+|-)\t(.*)$/s.exec(records[at] ?? '') ?? [];
    if (name === undefined) continue;
    if (name === '') at += 2;
    const file = named(name === '' ? (records[at] ?? '') : name);
    lines.push({ file, insertions: Number(insertions) || 0, deletions: Number(deletions) || 0 });
  }
  return lines;
}

async function commitsBetween(
  git: RunGit,
  { root }: Checkout,
  from: string | undefined,
  to: string | undefined,
  signal: AbortSignal,
): Promise<Pick<Changes, 'commits' | 'commitCount'> | undefined> {
  if (to === undefined || from === to) return { commits: [], commitCount: 0 };
  const range = from === undefined ? [to] : [to, `^${from}`];
  const counted = await git(root, ['rev-list', '--count', ...range, '--'], { signal });
  const format = ['--format=%h%x09%s', '--abbrev=12', '--no-show-signature', '--no-color', '--no-notes'];
  const listed = await git(root, ['log', '-z', `--max-count=${MOST_COMMITS}`, ...format, ...range, '--'], { signal });
  if (counted.code !== 0 || listed.code !== 0) return undefined;
  const commits = listed.out
    .toString()
    .split('\0')
    .flatMap((record) => {
      const [, id, subject] = /^(\S+)\t(.*)$/s.exec(record) ?? [];
      return id === undefined || subject === undefined ? [] : [{ id, subject: subject.slice(0, MOST_SUBJECT) }];
    });
  return { commits, commitCount: Number(counted.out.toString()) };
}

function named(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString();
}

async function quietly<T>(look: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await look();
  } catch {
    // the folder went away meanwhile, or there is no place for an index of our own
    return undefined;
  }
}
