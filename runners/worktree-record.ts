// What is kept about a worktree of ours: in git's own folder for it, so that the two come and go together.
import { createHash } from 'node:crypto';
import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { checkoutOf } from './git-standing.ts';

const FILE = 'scopecraft.json';

const WorktreeNote = z.looseObject({
  branch: z.string(),
  base: z.string(),
  /** Copied files, by path in the worktree, with the hash of their content. */
  copied: z.record(z.string(), z.string()).default({}),
  isSetUp: z.boolean().default(false),
});
export type WorktreeNote = z.infer<typeof WorktreeNote>;

/** What was kept, or undefined. */
export async function readNote(folder: string): Promise<WorktreeNote | undefined> {
  const file = await noteFile(folder);
  const text = file === undefined ? undefined : await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return WorktreeNote.parse(JSON.parse(text));
  } catch {
    // cut short by a crash: what it says is found out again
    return undefined;
  }
}

/** Keeps it. */
export async function writeNote(folder: string, note: WorktreeNote): Promise<void> {
  const file = await noteFile(folder);
  if (file === undefined) return;
  await writeFile(`${file}.new`, JSON.stringify(note), { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** True when a checkout stands in this very folder. */
export async function isCheckout(folder: string): Promise<boolean> {
  return (await checkoutOf(folder))?.root === folder;
}

/** The hash by which a copied file is known again. */
export function hashOf(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

async function noteFile(folder: string): Promise<string | undefined> {
  const checkout = await checkoutOf(folder);
  const isOwn = checkout?.root === folder && (await stat(checkout.gitDir).catch(() => undefined))?.isDirectory();
  return isOwn ? path.join(checkout.gitDir, FILE) : undefined;
}
