// The task files of a workspace: finds them by id, reads them, lists them, makes new ones.
import { realpath } from 'node:fs/promises';
import { relative } from 'node:path';
import { setImmediate as othersTurn } from 'node:timers/promises';
import { fail, ScopecraftError } from '../core/errors.ts';
import type { TaskStore } from '../core/ports.ts';
import { TASK_ID, type Task } from '../core/task.ts';
import { errnoOf } from './errno.ts';
import { openInside, statsAt, targetStats } from './inside.ts';
import { sharedDeed } from './shared-deed.ts';
import { createTaskFile, removeTaskFile } from './task-create.ts';
import { indexTasks, type TaskIndex, type TaskProblem } from './task-index.ts';
import { readBack } from './task-splice.ts';
import { readTask } from './task-text.ts';

export type { TaskProblem } from './task-index.ts';

export interface TaskFiles extends TaskStore {
  /** Real path of the workspace. */
  readonly root: string;
  /** The full id and the file of a task, without reading it. Undefined when there is none; fails with PATH_OUTSIDE or INVALID_INPUT. */
  locate(id: string): Promise<TaskPlace | undefined>;
  /** Files that are left out of the list, and why. */
  problems(): Promise<readonly TaskProblem[]>;
}

export interface TaskPlace {
  readonly id: string;
  /** Absolute path. */
  readonly file: string;
}

export interface TaskFilesOptions {
  /** Absolute path of the workspace, which must be there. */
  readonly workspace: string;
  /** Folders with task files, below the workspace; new tasks go into the first one. */
  readonly folders?: readonly string[];
}

interface Remembered {
  readonly stamp: string;
  readonly outcome: Task | ScopecraftError;
}

/** Whoever reads many files lets others have their turn after so long, in milliseconds. */
const READING_MS = 2;
/** Clocks of file systems tick this coarsely: a change within the same tick leaves the times as they are. In milliseconds. */
const CLOCK_TICK_MS = 50;
/** A walk through the folders is not worth its time before so long, or so many times as long as it took. */
const WALK_HOLDS_MS = 1000;
const WALK_SHARE = 20;
/** So long it answers for a file that is still there, while the next one is made: nobody waits for it. */
const WALK_ANSWERS_MS = 10_000;

/** Opens the task files of a workspace. Fails with WORKSPACE_MISSING. */
export async function createTaskFiles({ workspace, folders = ['.tasks'] }: TaskFilesOptions): Promise<TaskFiles> {
  const root = await realpath(workspace).catch(() => fail('WORKSPACE_MISSING', `There is no folder "${workspace}".`));
  const read = new Map<string, Remembered>();
  /** Not before `again` is a walk worth its time; at `until` it answers no more. It `isLong` where its time is worth more than its news. */
  let walked = { again: 0, until: 0, isLong: false, files: new Map<string, string>() };
  let isLooking = false;
  /** The ids of a walk in order, made when they are first asked for. */
  let sorted: { readonly of: ReadonlyMap<string, string>; readonly ids: readonly string[] } | undefined;

  const walk = sharedDeed(async () => {
    const at = performance.now();
    const index = await indexTasks(root, folders);
    const now = performance.now();
    const worthMs = WALK_SHARE * (now - at);
    const again = at + Math.min(Math.max(WALK_HOLDS_MS, worthMs), WALK_ANSWERS_MS);
    walked = { again, until: now + WALK_ANSWERS_MS, isLong: worthMs > WALK_HOLDS_MS, files: new Map(index.files) };
    return index;
  });
  /** Walks where that is worth its time, without anybody who waits for it. */
  const lookAgain = () => {
    if (isLooking || performance.now() < walked.again) return;
    isLooking = true;
    void walk().finally(() => {
      isLooking = false;
    });
  };

  /** The file of a task by the last walk, as far as that still answers. */
  const remembered = (id: string): string | undefined => {
    const { until, files } = walked;
    const file = performance.now() < until ? files.get(id) : undefined;
    if (file === undefined || !statsAt(file)) return undefined;
    lookAgain();
    return file;
  };

  const outcomeOf = ({ id, file }: TaskPlace): Task | ScopecraftError => {
    const before = Date.now();
    const stats = targetStats(file);
    const stamp = stats ? [id, stats.dev, stats.ino, stats.size, stats.mtimeMs, stats.ctimeMs].join(':') : '';
    const known = read.get(file);
    if (known && known.stamp === stamp) return known.outcome;
    const outcome = readPlace(root, { id, file });
    const isStill = stats !== undefined && Math.max(stats.mtimeMs, stats.ctimeMs) < before - CLOCK_TICK_MS;
    if (isStill) read.set(file, { stamp, outcome });
    else read.delete(file);
    return outcome;
  };
  const readAll = async (): Promise<{
    readonly index: TaskIndex;
    readonly outcomes: readonly (readonly [TaskPlace, Task | ScopecraftError])[];
  }> => {
    const index = await walk();
    const present = new Set(index.files.values());
    for (const file of read.keys()) if (!present.has(file)) read.delete(file);
    const outcomes: (readonly [TaskPlace, Task | ScopecraftError])[] = [];
    let since = performance.now();
    for (const [id, file] of index.files) {
      outcomes.push([{ id, file }, outcomeOf({ id, file })]);
      if (performance.now() - since < READING_MS) continue;
      await othersTurn();
      since = performance.now();
    }
    return { index, outcomes: outcomes.toSorted(([a], [b]) => (a.id < b.id ? -1 : 1)) };
  };
  const locate = async (id: string): Promise<TaskPlace | undefined> => {
    const file = remembered(checkedId(id));
    return file === undefined ? findPlace(await walk(), id) : { id, file };
  };

  return {
    root,
    locate,
    async get(id) {
      const place = await locate(id);
      if (!place) return undefined;
      const outcome = outcomeOf(place);
      // moved to another folder between looking it up and reading it
      const moved = statsAt(place.file) ? undefined : findPlace(await walk(), checkedId(id));
      return taskOf(moved ? outcomeOf(moved) : outcome);
    },
    async list() {
      const { outcomes } = await readAll();
      return outcomes.flatMap(([, outcome]) => (outcome instanceof ScopecraftError ? [] : [outcome]));
    },
    async ids() {
      if (walked.until === 0) await walk();
      else lookAgain();
      const { files } = walked;
      if (sorted?.of !== files || sorted.ids.length !== files.size) sorted = { of: files, ids: [...files.keys()].sort() };
      return sorted.ids;
    },
    async problems() {
      const { index, outcomes } = await readAll();
      const unread = outcomes.flatMap(([{ file }, outcome]) =>
        outcome instanceof ScopecraftError ? [{ file: relative(root, file), code: outcome.code, message: outcome.message }] : [],
      );
      return [...index.problems, ...unread].toSorted((a, b) => (a.file < b.file ? -1 : 1));
    },
    async filesOf(wanted) {
      if (performance.now() < walked.until) lookAgain();
      else await walk();
      return [...wanted].flatMap((id) => walked.files.get(id) ?? []);
    },
    async sessionsIn({ file }) {
      return readBack(bytesOf(root, file).toString('utf8'));
    },
    async create(draft) {
      const id = checkedId(draft.id);
      if (id.includes('/')) fail('INVALID_INPUT', `"${id}" names a subtask; a new task has an id without a slash.`);
      const isKnown = walked.isLong && performance.now() < walked.until;
      const taken = remembered(id) ?? (isKnown ? undefined : (await walk()).files.get(id));
      if (taken !== undefined) fail('TASK_EXISTS', `The task "${id}" is there already, in ${relative(root, taken)}.`);
      const file = await createTaskFile(root, folders[0] ?? '.tasks', { ...draft, id });
      walked.files.set(id, file);
      sorted = undefined;
      return taskOf(readPlace(root, { id, file }));
    },
    async discard(draft) {
      const isRemoved = await removeTaskFile(root, folders[0] ?? '.tasks', { ...draft, id: checkedId(draft.id) });
      if (isRemoved) walked.files.delete(draft.id);
      sorted = undefined;
    },
  };
}

function taskOf(outcome: Task | ScopecraftError): Task {
  if (outcome instanceof ScopecraftError) throw outcome;
  return outcome;
}

function checkedId(id: string): string {
  if (TASK_ID.test(id)) return id;
  const shown = JSON.stringify(id.slice(0, 140));
  const leadsOut = /^(?:[/\\~]|[A-Za-z]:)/.test(id) || id.split(/[/\\]/).includes('..');
  if (leadsOut) fail('PATH_OUTSIDE', `The task id ${shown} is a path; an id names a file in the task folders.`);
  return fail(
    'INVALID_INPUT',
    `${shown} is no task id; it may hold letters, digits, dots, dashes and underlines, and one slash before a subtask.`,
  );
}

function findPlace(index: TaskIndex, id: string): TaskPlace | undefined {
  const file = index.files.get(id);
  if (file !== undefined) return { id, file };
  const [fullId, ...more] = index.stems.get(id) ?? [];
  if (more.length > 0)
    fail('INVALID_INPUT', `"${id}" is the name of ${more.length + 1} subtasks: ${[fullId, ...more].join(', ')}.`);
  const stemFile = fullId === undefined ? undefined : index.files.get(fullId);
  if (fullId !== undefined && stemFile !== undefined) return { id: fullId, file: stemFile };
  const [blocked] = index.blocked;
  // the task may well be behind a folder that was not entered: "not found" would send the caller astray
  if (blocked !== undefined)
    fail('PATH_OUTSIDE', `There is no task "${id}" inside the workspace, and the folder "${blocked}" leads out of it.`);
  return undefined;
}

function readPlace(root: string, { id, file }: TaskPlace): Task | ScopecraftError {
  const name = relative(root, file);
  const unreadable = (why: string, details: Readonly<Record<string, unknown>> = {}) =>
    new ScopecraftError('TASK_UNREADABLE', `The task file "${name}" cannot be read: ${why}.`, { file: name, ...details });
  try {
    const outcome = readTask(id, file, bytesOf(root, file));
    return 'task' in outcome ? outcome.task : unreadable(outcome.problem, { details: outcome.details });
  } catch (error) {
    if (error instanceof ScopecraftError && error.code === 'PATH_OUTSIDE') return error;
    return unreadable(error instanceof ScopecraftError ? error.message.replace(/\.$/, '') : (errnoOf(error) ?? 'unknown error'));
  }
}

function bytesOf(root: string, file: string): Buffer {
  const opened = openInside(root, file, 'follow');
  try {
    return opened.read();
  } finally {
    opened.close();
  }
}
