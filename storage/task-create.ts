// Makes the file of a new task, and takes it back where its session was refused.
import { mkdir, realpath, rm } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fail } from '../core/errors.ts';
import type { TaskDraft } from '../core/ports.ts';
import { createAtomic } from './atomic-write.ts';
import { errnoOf } from './errno.ts';
import { isInside, openInside, statsAt } from './inside.ts';

/** Makes `<folder>/current/<id>.task.md` and gives its absolute path. Fails with TASK_EXISTS, PATH_OUTSIDE or STORAGE_FAILED. */
export async function createTaskFile(root: string, folder: string, draft: TaskDraft): Promise<string> {
  const file = fileOf(root, folder, draft);
  await prepareFolder(root, dirname(file));
  const made = await createAtomic(file, textOf(draft), 0o644);
  if (!made) fail('TASK_EXISTS', `The task "${draft.id}" is there already, in ${relative(root, file)}.`);
  return file;
}

/** Removes the file that was made of it; one that was moved, or that says anything else, stays. True when it is removed. Fails with PATH_OUTSIDE. */
export async function removeTaskFile(root: string, folder: string, draft: TaskDraft): Promise<boolean> {
  const file = fileOf(root, folder, draft);
  if (!statsAt(file)) return false;
  const opened = openInside(root, file, 'refuse');
  try {
    if (opened.read().toString() !== textOf(draft)) return false;
  } finally {
    opened.close();
  }
  await rm(file);
  return true;
}

function fileOf(root: string, folder: string, { id }: TaskDraft): string {
  return join(root, folder, 'current', `${id}.task.md`);
}

/** Makes a folder below the root, unless something on its way leads out. */
async function prepareFolder(root: string, folder: string): Promise<void> {
  const parent = dirname(folder);
  if (folder !== root && parent !== folder) await prepareFolder(root, parent);
  try {
    await mkdir(folder);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST')
      fail('STORAGE_FAILED', `The folder "${relative(root, folder)}" cannot be made: ${errnoOf(error)}.`);
  }
  const real = await realpath(folder).catch(() => fail('STORAGE_FAILED', `"${relative(root, folder)}" is no folder.`));
  if (!isInside(root, real)) fail('PATH_OUTSIDE', `The folder "${relative(root, folder)}" leads out of the workspace.`);
}

function textOf({ id, title, instruction }: TaskDraft): string {
  const words = title.replace(/[\u0000-\u001F\u007F-\u009F\u2028\u2029]+/g, ' ').trim();
  return `# ${words || id}

---
type: task
status: in_progress
area: general
---

## Instruction
${instruction.trim()}

## Log
`;
}
