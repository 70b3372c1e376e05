// A task: a Markdown file with front matter that says what is to be done.
import { z } from 'zod';
import type { HistoryLine } from './history.ts';

/** What a task id may look like: it becomes a file name, never a path. Subtasks are `<parent>/<id>`. */
export const TASK_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}(?:\/[A-Za-z0-9][A-Za-z0-9._-]{0,127})?$/;

export interface Task {
  /** Id as callers give it: the file name without `.task.md` or `.md`; subtasks are `<parent>/<id>`. */
  readonly id: string;
  /** Absolute path of the file. */
  readonly file: string;
  readonly title: string;
  /** Front matter as it stands there; unknown keys included. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Text below title and front matter, without the Session History section. */
  readonly body: string;
}

/** One row of task_list. */
export const TaskRow = z.looseObject({
  taskId: z.string().describe('Id, as session_start wants it.'),
  title: z.string(),
  type: z.string().optional(),
  status: z.string().optional().describe('As written in the file.'),
  area: z.string().optional(),
  priority: z.string().optional(),
  tags: z.array(z.string()).optional(),
  file: z.string().describe('Path below the workspace.'),
  lastSession: z.looseObject({ id: z.string(), status: z.string() }).optional().describe('The newest session on this task.'),
});
export type TaskRow = z.infer<typeof TaskRow>;

/** A session as its task file tells of it. */
export interface ToldSession {
  readonly id: string;
  readonly type?: string | undefined;
  readonly status?: string | undefined;
  readonly history: readonly HistoryLine[];
}

/** What to say where so many task files tell of sessions and the ledger knows none at all. */
export function forgottenText(files: number): string {
  const count = files === 1 ? '1 task file tells' : `${files} task files tell`;
  return `${count} of sessions, and this workspace knows of none: its state folder .scopecraft/state was removed, or the files came from another copy. What stands in them stays and is read with task://{id}/history; those sessions cannot be continued here.`;
}

/** A status, type or tag as words that can be compared: `🟡 To Do` and `to_do` are both `todo`. */
export function normalised(word: unknown): string {
  return String(word ?? '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '');
}

/** A text as a short id: lower case words joined by dashes, at most `length` characters. */
export function slugOf(text: string, length = 32): string {
  const words = text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return words.slice(0, length).replace(/-+$/, '') || 'task';
}
