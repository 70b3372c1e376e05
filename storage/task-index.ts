// Finds out which task files there are: walks the task folders and gives each file its id.
//
// A task folder holds tasks itself and in `current/`, `backlog/` and `archive/YYYY-MM/`. A task is `<id>.task.md` or `<id>.md`, or a
// folder `<id>/` with an `_overview.md`; the other `*.task.md` in such a folder are its subtasks, `<id>/<file stem>`. Where an id is
// there twice, the file found first counts: current, the folder itself, backlog, archive from the newest month back.
import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type { ErrorCode } from '../core/errors.ts';
import { TASK_ID } from '../core/task.ts';
import { errnoOf } from './errno.ts';
import { isInside } from './inside.ts';

/** Something about a task file that a person should look at. */
export interface TaskProblem {
  /** Path below the workspace. */
  readonly file: string;
  readonly code: ErrorCode;
  readonly message: string;
}

export interface TaskIndex {
  /** Task id → absolute path of its file. */
  readonly files: ReadonlyMap<string, string>;
  /** File stem of subtasks → their full ids. */
  readonly stems: ReadonlyMap<string, readonly string[]>;
  /** Folders that lead out of the workspace and were not entered, as paths below it. */
  readonly blocked: readonly string[];
  readonly problems: readonly TaskProblem[];
}

interface Found {
  readonly id: string;
  readonly file: string;
}

/** Files people keep beside their tasks. */
const NO_TASKS: readonly string[] = ['readme', 'claude', 'agents', 'gemini'];
const BINS: readonly string[] = ['current', 'backlog', 'archive'];
const TEMPORARY = /^\..*\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/;

/** Walks the task folders of a workspace whose real path is `root`. */
export async function indexTasks(root: string, folders: readonly string[]): Promise<TaskIndex> {
  const walk = new Walk(root);
  const found = (await Promise.all(folders.map((folder) => walk.taskFolder(join(root, folder))))).flat();
  const files = new Map<string, string>();
  const stems = new Map<string, string[]>();
  for (const { id, file } of found) {
    const first = files.get(id);
    if (first !== undefined) {
      walk.report(file, 'TASK_EXISTS', `The task id "${id}" is taken by ${relative(root, first)}.`);
      continue;
    }
    files.set(id, file);
    const slash = id.indexOf('/');
    const stem = slash < 0 ? undefined : id.slice(slash + 1);
    if (stem !== undefined) stems.set(stem, [...(stems.get(stem) ?? []), id]);
  }
  return { files, stems, blocked: walk.blocked, problems: walk.problems };
}

class Walk {
  readonly blocked: string[] = [];
  readonly problems: TaskProblem[] = [];
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async taskFolder(folder: string): Promise<Found[]> {
    const months = await this.#entries(join(folder, 'archive'));
    const archived = months.map(({ name }) => name).filter((name) => /^\d{4}-\d{2}$/.test(name));
    const bins = [
      'current',
      '.',
      'backlog',
      ...archived
        .toSorted()
        .toReversed()
        .map((month) => join('archive', month)),
    ];
    return (await Promise.all(bins.map((bin) => this.#bin(join(folder, bin))))).flat();
  }

  report(file: string, code: ErrorCode, message: string): void {
    this.problems.push({ file: relative(this.#root, file), code, message });
  }

  async #bin(folder: string): Promise<Found[]> {
    // beside each other, `<id>.task.md` comes before `<id>/` and `<id>.md`
    const [first, others]: [Found[], Found[]] = [[], []];
    const add = (one: Found) => (one.file.endsWith('.task.md') ? first : others).push(one);
    const parents: Promise<Found[]>[] = [];
    for (const entry of await this.#entries(folder)) {
      const found = this.#entry(folder, entry);
      if (found instanceof Promise) parents.push(found);
      else if (found) add(found);
    }
    const plain = others.splice(0);
    for (const one of (await Promise.all(parents)).flat()) add(one);
    return [...first, ...others, ...plain];
  }

  /** No promise and no list for a plain file: there may be thousands of them. */
  #entry(folder: string, entry: Dirent): Found | undefined | Promise<Found[]> {
    const file = `${folder}${sep}${entry.name}`;
    if (/^[._]/.test(entry.name)) return TEMPORARY.test(entry.name) ? this.#temporary(file) : undefined;
    const stem = stemOf(entry.name);
    if (stem === undefined) return entry.isDirectory() || entry.isSymbolicLink() ? this.#parent(file, entry.name) : undefined;
    if (entry.isDirectory() || NO_TASKS.includes(stem.toLowerCase())) return undefined;
    if (TASK_ID.test(stem)) return { id: stem, file };
    this.report(
      file,
      'INVALID_INPUT',
      'Its name is no task id: letters, digits, dots, dashes and underlines, beginning with a letter or digit.',
    );
    return undefined;
  }

  async #temporary(file: string): Promise<Found[]> {
    if (await isOld(file)) this.report(file, 'STORAGE_FAILED', 'A temporary file left over by a crash; it can be removed.');
    return [];
  }

  async #parent(folder: string, id: string): Promise<Found[]> {
    if (BINS.includes(id) || !TASK_ID.test(id)) return [];
    const entries = (await this.#entries(folder)).map(({ name }) => name);
    const subtasks = entries
      .filter((name) => name.endsWith('.task.md'))
      .map((name) => ({ id: `${id}/${stemOf(name)}`, file: join(folder, name) }));
    const overview = entries.includes('_overview.md') ? [{ id, file: join(folder, '_overview.md') }] : [];
    return [...overview, ...subtasks.filter((subtask) => TASK_ID.test(subtask.id))];
  }

  /** What a folder holds, by name; nothing when it is not there, is no folder or leads out of the workspace. */
  async #entries(folder: string): Promise<Dirent[]> {
    try {
      const real = await realpath(folder);
      if (isInside(this.#root, real))
        return (await readdir(real, { withFileTypes: true })).toSorted((a, b) => (a.name < b.name ? -1 : 1));
      const path = relative(this.#root, folder);
      if (!this.blocked.includes(path)) {
        this.blocked.push(path);
        this.report(folder, 'PATH_OUTSIDE', 'This folder leads out of the workspace; it was not entered.');
      }
      return [];
    } catch (error) {
      const code = errnoOf(error);
      if (code !== 'ENOENT' && code !== 'ENOTDIR')
        this.report(folder, 'TASK_UNREADABLE', `This folder cannot be read: ${code ?? 'unknown error'}.`);
      return [];
    }
  }
}

/** Not one that is being written just now. */
async function isOld(file: string): Promise<boolean> {
  const stats = await stat(file).catch(() => undefined);
  return stats !== undefined && stats.mtimeMs < Date.now() - 60_000;
}

function stemOf(name: string): string | undefined {
  return /^(.+?)(?:\.task)?\.md$/s.exec(name)?.[1];
}
