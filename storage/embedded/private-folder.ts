// Folders only their owner may enter: made when missing, refused when somebody else could have prepared them.
import { chmod, lstat, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../core/errors.ts';
import { errnoOf } from '../errno.ts';

/** Makes `<workspace>/.scopecraft/state` ready: a real folder of this user, closed to others, unseen by git. Fails with STORAGE_FAILED. */
export async function prepareStateFolder(stateDir: string): Promise<void> {
  const parent = path.dirname(stateDir);
  await mkdir(parent, { recursive: true });
  await refuseLink(parent);
  await privateFolder(stateDir, 'close');
  await writeFile(path.join(stateDir, '.gitignore'), '*\n', { flag: 'wx' }).catch(unless('EEXIST'));
}

/** Makes the folder of the socket ready, and the one above it, which other users could otherwise have made. Fails with STORAGE_FAILED. */
export async function prepareRuntimeFolder(runtimeDir: string): Promise<void> {
  await mkdir(path.dirname(path.dirname(runtimeDir)), { recursive: true });
  for (const folder of [path.dirname(runtimeDir), runtimeDir]) await privateFolder(folder, 'refuse');
}

/** For `catch`: swallows the one error code, throws any other error on. */
export function unless(code: string): (error: unknown) => void {
  return (error) => {
    if (errnoOf(error) !== code) throw error;
  };
}

/** For `catch`: answers `nothing` where a file or folder is not there, throws any other error on. */
export function orNothing<Nothing>(nothing: Nothing): (error: unknown) => Nothing {
  return (error) => {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return nothing;
  };
}

/** Makes one folder that only its owner may enter; one that is open to others is closed or refused. Fails with STORAGE_FAILED. */
export async function privateFolder(folder: string, whenOpen: 'close' | 'refuse'): Promise<void> {
  await mkdir(folder, { mode: 0o700 }).catch(unless('EEXIST'));
  await refuseLink(folder);
  const { uid, mode } = await lstat(folder);
  const me = process.getuid?.();
  if (me !== undefined && uid !== me)
    fail('STORAGE_FAILED', `The folder ${folder} belongs to another user (uid ${uid}); remove it or make it yours.`);
  if ((mode & 0o077) === 0) return;
  if (whenOpen === 'refuse')
    fail('STORAGE_FAILED', `The folder ${folder} is open to other users; run \`chmod 700 '${folder}'\`.`);
  await chmod(folder, 0o700);
}

async function refuseLink(folder: string): Promise<void> {
  const found = await lstat(folder);
  if (found.isSymbolicLink()) fail('STORAGE_FAILED', `${folder} is a symbolic link; it must be a real folder.`);
  if (!found.isDirectory()) fail('STORAGE_FAILED', `${folder} is not a folder; remove what stands there.`);
}
