// The task that a session is started on: one that is there, or one made for a prompt that came alone.
import { fail, nearest, ScopecraftError } from './errors.ts';
import type { CallKey } from './once.ts';
import type { Ids, TaskDraft, TaskStore } from './ports.ts';
import { slugOf, type Task } from './task.ts';

/** The task that the caller named. Fails with TASK_NOT_FOUND, and as the port does; where the file of a task was named, with its id. */
export async function namedTask(tasks: TaskStore, taskId: string): Promise<Task> {
  try {
    const found = await tasks.get(taskId);
    if (found) return found;
  } catch (error) {
    const meant = await taskOfFile(tasks, taskId);
    if (!meant) throw error;
  }
  return unknownTask(tasks, taskId);
}

export interface NewTaskParts {
  readonly tasks: TaskStore;
  readonly ids: Ids;
  readonly digest: (text: string) => string;
}

export interface NewTask {
  readonly draft: TaskDraft;
  readonly task: Task;
}

const MARK_LENGTH = 8;

/** A task for a prompt that came alone. The same call, sent again, has the same one: a hub may have been killed when it had made the file. */
export async function newTask({ tasks, ids, digest }: NewTaskParts, prompt: string, call: CallKey | undefined): Promise<NewTask> {
  const title = (prompt.trim().split('\n')[0] ?? '').slice(0, 80);
  const mark = call ? digest(`${call.requestKey} ${call.digest}`).slice(0, MARK_LENGTH) : ids.base32(4);
  const draft = { id: `${slugOf(title, 40)}-${mark}`, title, instruction: prompt };
  try {
    return { draft, task: await tasks.create(draft) };
  } catch (error) {
    const isThere = call && error instanceof ScopecraftError && error.code === 'TASK_EXISTS';
    const made = isThere ? await tasks.get(draft.id) : undefined;
    if (!made) throw error;
    return { draft, task: made };
  }
}

async function unknownTask(tasks: TaskStore, taskId: string): Promise<never> {
  const meant = await taskOfFile(tasks, taskId);
  if (meant) fail('TASK_NOT_FOUND', `"${taskId}" is the file of a task, not its id. Did you mean "${meant.id}"?`);
  const near = nearest(
    taskId,
    (await tasks.list()).map((task) => task.id),
  );
  return fail('TASK_NOT_FOUND', `There is no task "${taskId}".${near ? ` Did you mean "${near}"?` : ''}`);
}

/** The task in the file that a text names, by its path, the end of it, or its name; looked for among the known tasks alone. */
async function taskOfFile(tasks: TaskStore, text: string): Promise<Task | undefined> {
  const path = text.replace(/^\.\//, '');
  return path.endsWith('.md') ? (await tasks.list()).find(({ file }) => file === path || file.endsWith(`/${path}`)) : undefined;
}
