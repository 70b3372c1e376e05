// The task that a session is started on: one that is there, or one made for a prompt that came alone.
import { fail, nearest } from './errors.ts';
import type { Ids, TaskStore } from './ports.ts';
import { slugOf, type Task } from './task.ts';

/** The task that the caller named. Fails with TASK_NOT_FOUND. */
export async function namedTask(tasks: TaskStore, taskId: string): Promise<Task> {
  return (await tasks.get(taskId)) ?? unknownTask(tasks, taskId);
}

/** A task for a prompt that came alone. */
export function newTask(tasks: TaskStore, ids: Ids, prompt: string): Promise<Task> {
  const title = (prompt.trim().split('\n')[0] ?? '').slice(0, 80);
  return tasks.create({ id: `${slugOf(title, 40)}-${ids.base32(4)}`, title, instruction: prompt });
}

async function unknownTask(tasks: TaskStore, taskId: string): Promise<never> {
  const near = nearest(
    taskId,
    (await tasks.list()).map((task) => task.id),
  );
  return fail('TASK_NOT_FOUND', `There is no task "${taskId}".${near ? ` Did you mean "${near}"?` : ''}`);
}
