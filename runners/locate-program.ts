// Where a program lies: by its absolute path, or by its name on a PATH.
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';

/** The program as an absolute path, or undefined when it is not there. */
export function locateProgram(name: string, searchPath: string): string | undefined {
  if (path.isAbsolute(name)) return isProgram(name) ? name : undefined;
  if (name.includes('/')) return undefined;
  // a relative folder on PATH would mean the folder the agent works in, and with it whatever a repository put there
  const folders = searchPath.split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  for (const folder of folders) {
    const file = path.join(folder, name);
    if (isProgram(file)) return file;
  }
  return undefined;
}

/** True for a file that can be run. */
export function isProgram(file: string): boolean {
  // not awaited: a dozen looks of a few microseconds each stand between a start and its agent
  try {
    if (!statSync(file, { throwIfNoEntry: false })?.isFile()) return false;
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
