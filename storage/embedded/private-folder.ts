// Folders only their owner may enter: made when missing, refused when somebody else could have prepared them.
// Without waiting: a door and its hub begin with this, and a handful of calls costs less than one turn of the event loop.
import { chmodSync, lstatSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fail } from '../../core/errors.ts';
import { errnoOf, unless } from '../errno.ts';

/** Makes `<workspace>/.scopecraft/state` ready: a real folder of this user, closed to others, unseen by git. Fails with STORAGE_FAILED. */
export function prepareStateFolder(stateDir: string): void {
  const parent = path.dirname(stateDir);
  mkdirSync(parent, { recursive: true });
  refuseLink(parent);
  privateFolder(stateDir, 'close');
  unless('EEXIST', undefined, () => writeFileSync(path.join(stateDir, '.gitignore'), '*\n', { flag: 'wx' }));
}

/** Makes the folder of the socket ready, and the one above it, which other users could otherwise have made. Fails with STORAGE_FAILED. */
export function prepareRuntimeFolder(runtimeDir: string): void {
  mkdirSync(path.dirname(path.dirname(runtimeDir)), { recursive: true });
  for (const folder of [path.dirname(runtimeDir), runtimeDir]) privateFolder(folder, 'refuse');
}

/** For `catch`: answers `nothing` where a file or folder is not there, throws any other error on. */
export function orNothing<Nothing>(nothing: Nothing): (error: unknown) => Nothing {
  return (error) => {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return nothing;
  };
}

/** Makes one folder that only its owner may enter; one that is open to others is closed or refused. Fails with STORAGE_FAILED. */
export function privateFolder(folder: string, whenOpen: 'close' | 'refuse'): void {
  unless('EEXIST', undefined, () => mkdirSync(folder, { mode: 0o700 }));
  refuseLink(folder);
  const { uid, mode } = lstatSync(folder);
  const me = process.getuid?.();
  if (me !== undefined && uid !== me)
    fail('STORAGE_FAILED', `The folder ${folder} belongs to another user (uid ${uid}); remove it or make it yours.`);
  if ((mode & 0o077) === 0) return;
  if (whenOpen === 'refuse')
    fail('STORAGE_FAILED', `The folder ${folder} is open to other users; run \`chmod 700 '${folder}'\`.`);
  chmodSync(folder, 0o700);
}

function refuseLink(folder: string): void {
  const found = lstatSync(folder);
  if (found.isSymbolicLink()) fail('STORAGE_FAILED', `${folder} is a symbolic link; it must be a real folder.`);
  if (!found.isDirectory()) fail('STORAGE_FAILED', `${folder} is not a folder; remove what stands there.`);
}
