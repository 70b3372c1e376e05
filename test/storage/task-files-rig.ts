// A workspace with no task yet, and its task files, made before each test.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { createTaskFiles, type TaskFiles } from '../../storage/task-files.ts';

export let outer = '';
export let root = '';
export let tasks: TaskFiles;

/** Makes them before each test of the file that calls this. */
export function openEach(): void {
  beforeEach(async () => {
    outer = await mkdtemp(join(tmpdir(), 'sc-tasks-'));
    root = join(outer, 'w');
    await mkdir(join(root, '.tasks'), { recursive: true });
    await openTasks();
  });
  afterEach(() => rm(outer, { recursive: true, force: true }));
}

/** Makes a file of the workspace; answers its path. */
export async function put(path: string, text = `# ${path}\n`): Promise<string> {
  const file = join(root, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  return file;
}

/** Looks at the task files anew, with these folders. */
export async function openTasks(folders?: readonly string[]): Promise<void> {
  tasks = await createTaskFiles({ workspace: root, ...(folders && { folders }) });
}
