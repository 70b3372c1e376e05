// Removes the folders of sessions under the state, with their logs.
import { readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { errnoOf } from '../errno.ts';

/** What a folder is called while it is being removed; a kill may leave it so, and the next removal goes on with it. */
const DOOMED = '.removed-';

/** Removes the folders of these sessions; those that are not there count as removed. */
export async function removeSessionFolders(stateDir: string, sessionIds: readonly string[]): Promise<void> {
  const root = path.join(stateDir, 'sessions');
  for (const id of sessionIds) {
    const folder = path.join(root, id);
    if (path.dirname(folder) !== root) continue;
    await rename(folder, path.join(root, `${DOOMED}${id}`)).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error;
    });
  }
  const names = await readdir(root).catch(() => []);
  for (const name of names.filter((name) => name.startsWith(DOOMED)))
    await rm(path.join(root, name), { recursive: true, force: true });
}
