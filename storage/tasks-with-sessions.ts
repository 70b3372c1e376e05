// Which task files tell of sessions: looked through without hurry, so that whoever calls the hub meanwhile goes first.
import { setTimeout as rest } from 'node:timers/promises';
import type { Task } from '../core/task.ts';
import { openInside } from './inside.ts';
import type { TaskFiles } from './task-files.ts';

/** After so long a rest is made, both in milliseconds. */
const WORK_MS = 2;
const REST_MS = 10;

/** Ids of the tasks whose files tell of sessions; with a signal, of those that were looked at before it came. */
export async function tasksWithSessions(files: TaskFiles, signal?: AbortSignal): Promise<readonly string[]> {
  const found: string[] = [];
  let since = performance.now();
  for (const id of await files.ids()) {
    if (signal?.aborted) break;
    if (await tellsOfSessions(files, id)) found.push(id);
    if (performance.now() - since < WORK_MS) continue;
    await rest(REST_MS);
    since = performance.now();
  }
  return found;
}

async function tellsOfSessions(files: TaskFiles, id: string): Promise<boolean> {
  try {
    const place = await files.locate(id);
    // most files need no reading of what they say
    return place !== undefined && mentionsSessions(files.root, place.file) && hasSessions(await files.get(id));
  } catch {
    // what cannot be read tells of nothing
    return false;
  }
}

function mentionsSessions(root: string, file: string): boolean {
  const opened = openInside(root, file, 'follow');
  try {
    return opened.read().includes('sessions');
  } finally {
    opened.close();
  }
}

function hasSessions(task: Task | undefined): boolean {
  return Array.isArray(task?.fields.sessions) && task.fields.sessions.length > 0;
}
