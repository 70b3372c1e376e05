// Where the whole states of channelcoder's sessions lie: `.scopecraft/state/channelcoder/<task>/<name>.json`, and nowhere else.
import { realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { SessionState } from 'channelcoder';
import { fail } from '../../core/errors.ts';
import { TASK_ID } from '../../core/task.ts';
import { writeAtomic } from '../atomic-write.ts';
import { prepareStateFolder, privateFolder } from '../embedded/private-folder.ts';
import { errnoOf } from '../errno.ts';
import { openInside } from '../inside.ts';
import { readState } from './conversation.ts';

/** A session of channelcoder: its task and the name it was given. */
export interface Place {
  readonly taskId: string;
  readonly name: string;
}

const SUFFIX = '.json';

export interface StateFiles {
  /** Absolute path of the file, whether it is there or not. */
  pathOf(place: Place): string;
  /** The place a path names. Fails with PATH_OUTSIDE when `pathOf` gives no such path. */
  placeOf(path: string): Place;
  /** Undefined when there is no file. Fails with STORAGE_FAILED or PATH_OUTSIDE. */
  read(place: Place): Promise<SessionState | undefined>;
  /** Fails with STORAGE_FAILED. */
  write(place: Place, state: SessionState): Promise<void>;
}

/** True for what can be the name of a file and an id in the task file: no dot in front, no slash. */
export function isName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(name) && !name.endsWith(SUFFIX);
}

/** The name, without the `.json` that channelcoder lets callers put behind it. Fails with PATH_OUTSIDE or INVALID_INPUT. */
export function checkedName(given: string): string {
  const name = given.replace(/(?:\.json)+$/, '');
  if (isName(name)) return name;
  const shown = JSON.stringify(given.slice(0, 140));
  const rule = 'a name holds letters, digits, dots, dashes and underlines, 100 at most';
  if (/[/\\]/.test(given) || /^(?:~|\.\.|[A-Za-z]:)/.test(given))
    fail('PATH_OUTSIDE', `The session name ${shown} is a path; ${rule}.`);
  return fail('INVALID_INPUT', `${shown} is no session name; ${rule}.`);
}

/** The state files of a workspace, given by its real path. */
export function createStateFiles(root: string): StateFiles {
  const stateDir = join(root, '.scopecraft', 'state');
  const base = join(stateDir, 'channelcoder');
  const folderOf = (taskId: string) => join(base, encodeURIComponent(taskId));
  const pathOf = ({ taskId, name }: Place) => join(folderOf(taskId), checkedName(name) + SUFFIX);
  return {
    pathOf,
    placeOf(path) {
      const [folder = '', file = '', ...more] = path.startsWith(base + sep) ? path.slice(base.length + 1).split(sep) : [];
      const place = more.length === 0 ? placeAt(folder, file) : undefined;
      if (place && pathOf(place) === path) return place;
      return fail('PATH_OUTSIDE', `${JSON.stringify(path.slice(0, 300))} is no file of a session in this workspace.`);
    },
    async read(place) {
      const file = pathOf(place);
      try {
        const opened = openInside(await realpath(stateDir), file, 'refuse');
        try {
          return (
            readState(opened.read(Number.POSITIVE_INFINITY).toString('utf8')) ??
            fail('STORAGE_FAILED', `"${file}" holds no session of channelcoder; remove or mend it.`)
          );
        } finally {
          opened.close();
        }
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') return undefined;
        if (errnoOf(error) === 'ELOOP') return fail('PATH_OUTSIDE', `"${file}" is a symbolic link; it must be a real file.`);
        throw error;
      }
    },
    async write(place, state) {
      prepareStateFolder(stateDir);
      for (const folder of [base, folderOf(place.taskId)]) privateFolder(folder, 'close');
      await writeAtomic(pathOf(place), `${JSON.stringify(state, null, 2)}\n`);
    },
  };
}

function placeAt(folder: string, file: string): Place | undefined {
  const name = file.slice(0, -SUFFIX.length);
  try {
    const taskId = decodeURIComponent(folder);
    return TASK_ID.test(taskId) && isName(name) ? { taskId, name } : undefined;
  } catch {
    // a percent sign that encodes nothing
    return undefined;
  }
}
