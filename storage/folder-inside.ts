// A working folder that a caller names: it must be there, and inside the workspace, links followed.
import { realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../core/errors.ts';
import { isInside } from './inside.ts';

/** The real path of a folder given relative to the workspace or absolute. Fails with PATH_OUTSIDE or INVALID_INPUT. */
export async function folderInside(workspace: string, given: string): Promise<string> {
  const root = await realpath(workspace);
  const asked = path.resolve(root, given);
  const real = await realpath(asked).catch(() => undefined);
  // what is outside is not told to be there or not
  if (!isInside(root, real ?? asked)) fail('PATH_OUTSIDE', `"${given}" is not inside the workspace.`);
  if (real === undefined || !(await stat(real)).isDirectory()) fail('INVALID_INPUT', `"${given}" is no folder of the workspace.`);
  return real;
}
