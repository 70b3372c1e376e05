// Keeps the sessions of channelcoder in task files: a `SessionStorage` for `session({ storage })`, beside the sessions of the hub.
//
// Each save writes the whole state into a file of the state folder, and then what a reader should see of it into the task file, by the
// same splicing as the hub: done only when it would change, so that a stream that is saved with every chunk is not slowed by it.
import { randomBytes } from 'node:crypto';
import { relative } from 'node:path';
import type { Message, SessionInfo, SessionState, SessionStorage } from 'channelcoder';
import { fail, ScopecraftError } from '../../core/errors.ts';
import { inTurn } from '../../core/in-turn.ts';
import { openInside } from '../inside.ts';
import { ProjectionError } from '../projection-problem.ts';
import { createTaskFiles, type TaskFiles } from '../task-files.ts';
import { type RememberedSession, readBack } from '../task-splice.ts';
import { writeSessions } from '../task-write.ts';
import { AGENT, copyOf, rememberedState, shownSession } from './conversation.ts';
import { checkedName, createStateFiles, isName, type Place, type StateFiles } from './state-files.ts';

export interface TaskSessionStorageOptions {
  /** The workspace: the folder with `.tasks`. */
  readonly workspace: string;
  /** Task whose sessions these are. Without it sessions of all tasks are listed and loaded, and only loaded ones can be saved. */
  readonly taskId?: string;
  /** Folders with task files, below the workspace. Default: `.tasks`. */
  readonly folders?: readonly string[];
}

interface Opened {
  readonly taskFiles: TaskFiles;
  readonly stateFiles: StateFiles;
}

/** What is being written by this process: several storages may write one task file. */
const turns = new Map<string, Promise<unknown>>();
/** Where the late edits of somebody who had the task file open are looked for, in milliseconds after a write. */
const LATE_LOOKS_MS = [0, 20, 100];

/** channelcoder's sessions in task files. Fails with codes of the table in core/errors.ts. */
export class TaskSessionStorage implements SessionStorage {
  readonly #opened: Promise<Opened>;
  readonly #taskId: string | undefined;
  // channelcoder saves the same object again and again, often without a name
  readonly #places = new WeakMap<SessionState, Place>();

  constructor({ workspace, taskId, folders }: TaskSessionStorageOptions) {
    this.#taskId = taskId;
    this.#opened = createTaskFiles({ workspace, ...(folders && { folders }) }).then((taskFiles) => ({
      taskFiles,
      stateFiles: createStateFiles(taskFiles.root),
    }));
    // told by the first call
    this.#opened.catch(() => {});
  }

  /** Saves a session on the task of this storage, or on the one it was loaded from; answers the path that `load` takes. */
  async save(state: SessionState, name?: string): Promise<string> {
    const taskId = this.#taskId ?? this.#places.get(state)?.taskId;
    if (taskId === undefined)
      return fail('INVALID_INPUT', 'This storage was opened without a taskId, so it cannot save a new session.');
    return this.saveSessionToTask(taskId, state, name);
  }

  /** The session with this name or path. Fails with SESSION_NOT_FOUND, INVALID_INPUT or PATH_OUTSIDE. */
  async load(nameOrPath: string): Promise<SessionState> {
    const { stateFiles } = await this.#opened;
    const place = /[/\\]/.test(nameOrPath) ? stateFiles.placeOf(nameOrPath) : await this.#find(checkedName(nameOrPath));
    const state = await this.#stateAt(place);
    if (state === undefined)
      return fail('SESSION_NOT_FOUND', `Task "${place.taskId}" has no session "${place.name}" of ${AGENT}.`);
    this.#places.set(state, place);
    return state;
  }

  /** The sessions that the task files tell of, the last active one first. */
  async list(): Promise<SessionInfo[]> {
    const { stateFiles } = await this.#opened;
    const places = await this.#placesOf(this.#taskId);
    const states = await Promise.all(places.map(async (place) => ({ place, state: await this.#stateAt(place) })));
    return states
      .flatMap(({ place, state }) => (state ? [infoOf(place, state, stateFiles.pathOf(place))] : []))
      .toSorted((a, b) => b.lastActive.getTime() - a.lastActive.getTime());
  }

  /** Saves a session on a task, under the name it has or is given here; a nameless one gets a name. Answers the path of its state. */
  async saveSessionToTask(taskId: string, state: SessionState, name?: string): Promise<string> {
    const given = name ?? state.metadata.name ?? this.#places.get(state)?.name ?? newName(state);
    const checked = checkedName(given);
    // as it is now: by its turn it may have gone on
    const copy = copyOf(state, checked);
    const { taskFiles, stateFiles } = await this.#opened;
    const place = { taskId: (await located(taskFiles, taskId)).id, name: checked };
    this.#places.set(state, place);
    await inTurn(turns, `${taskFiles.root}\0${place.taskId}`, async () => {
      const there = (await remembered(taskFiles, place.taskId)).find(({ id }) => id === checked);
      if (there && there.agent !== AGENT)
        fail(
          'INVALID_INPUT',
          `Task "${place.taskId}" has a session "${checked}" of the agent ${there.agent ?? 'unknown'}; choose another name.`,
        );
      await stateFiles.write(place, copy);
      await show(taskFiles, place, copy);
    });
    return stateFiles.pathOf(place);
  }

  /** The session on the task that was active last; null where there is none. */
  async loadSessionFromTask(taskId: string): Promise<SessionState | null> {
    const places = await this.#placesOf(taskId);
    const states = await Promise.all(places.map(async (place) => ({ place, state: await this.#stateAt(place) })));
    const newest = states
      .flatMap(({ place, state }) => (state ? [{ place, state }] : []))
      .toSorted((a, b) => b.state.metadata.lastActive.getTime() - a.state.metadata.lastActive.getTime())[0];
    if (newest) this.#places.set(newest.state, newest.place);
    return newest?.state ?? null;
  }

  /** Every message of a session, oldest first. Fails as `load` does. */
  async getSessionHistory(nameOrPath: string): Promise<readonly Message[]> {
    return (await this.load(nameOrPath)).messages;
  }

  async #find(name: string): Promise<Place> {
    if (this.#taskId !== undefined) return { taskId: (await located((await this.#opened).taskFiles, this.#taskId)).id, name };
    const [place, ...more] = (await this.#placesOf(undefined)).filter((one) => one.name === name);
    if (place === undefined) return fail('SESSION_NOT_FOUND', `No task has a session "${name}" of ${AGENT}.`);
    if (more.length === 0) return place;
    const tasks = [place, ...more].map(({ taskId }) => taskId).join(', ');
    return fail(
      'INVALID_INPUT',
      `Several tasks have a session "${name}": ${tasks}. Load it by its path, or open the storage with a taskId.`,
    );
  }

  /** The whole state where it is kept, else what the task file tells. */
  async #stateAt(place: Place): Promise<SessionState | undefined> {
    const { taskFiles, stateFiles } = await this.#opened;
    const whole = await stateFiles.read(place);
    if (whole) return whole;
    const told = (await remembered(taskFiles, place.taskId)).find(({ id, agent }) => id === place.name && agent === AGENT);
    return told && rememberedState(told);
  }

  async #placesOf(taskId: string | undefined): Promise<Place[]> {
    const { taskFiles } = await this.#opened;
    const ids =
      taskId === undefined
        ? (await taskFiles.list()).filter(hasSessions).map(({ id }) => id)
        : [(await located(taskFiles, taskId)).id];
    const found = await Promise.all(
      ids.map(async (id) => (await remembered(taskFiles, id)).map((session) => ({ taskId: id, session }))),
    );
    return found.flat().flatMap(({ taskId: id, session }) => (isOurs(session) ? [{ taskId: id, name: session.id }] : []));
  }
}

function hasSessions({ fields }: { readonly fields: Readonly<Record<string, unknown>> }): boolean {
  return Array.isArray(fields.sessions);
}

/** Somebody may have written a name into the file that is none. */
function isOurs({ id, agent }: RememberedSession): boolean {
  return agent === AGENT && isName(id);
}

async function located(taskFiles: TaskFiles, taskId: string) {
  return (await taskFiles.locate(taskId)) ?? fail('TASK_NOT_FOUND', `There is no task "${taskId}".`);
}

async function remembered(taskFiles: TaskFiles, taskId: string): Promise<readonly RememberedSession[]> {
  const { file } = await located(taskFiles, taskId);
  const opened = openInside(taskFiles.root, file, 'follow');
  try {
    return readBack(opened.read().toString('utf8'));
  } finally {
    opened.close();
  }
}

async function show(taskFiles: TaskFiles, { taskId, name }: Place, state: SessionState): Promise<void> {
  const session = shownSession(name, state);
  try {
    await writeSessions({
      taskFiles,
      taskId,
      sessions: () => [session],
      lateLooksMs: LATE_LOOKS_MS,
      onDisk: (deed) => deed(),
      inTurn: (_file, deed) => deed(),
    });
  } catch (error) {
    if (!(error instanceof ProjectionError)) throw error;
    const { file } = await located(taskFiles, taskId);
    const code = error.code === 'busy' || error.code === 'failed' ? 'STORAGE_FAILED' : 'TASK_UNREADABLE';
    const problem = `The session "${name}" is kept, but something is wrong with ${relative(taskFiles.root, file)}`;
    throw new ScopecraftError(code, `${problem}: ${error.message}.`);
  }
}

function infoOf({ name }: Place, { messages, metadata: { created, lastActive } }: SessionState, path: string): SessionInfo {
  return { name, path, created, lastActive, messageCount: messages.length };
}

function newName({ metadata: { created } }: SessionState): string {
  return `session-${created.getTime()}-${randomBytes(2).toString('hex')}`;
}
