// Which workspace this process is about, and where that workspace keeps its state.
//
// In this order: what was said (`--workspace`, SCOPECRAFT_WORKSPACE); the nearest folder from here up with `.tasks` or
// `.scopecraft/config.json`; the root of the git repository; this folder. A linked git worktree always means its main worktree.
// Folders at or above $HOME never count: programs such as Claude Desktop start servers there, or in `/`.
import { accessSync, constants, existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { fail } from '../core/errors.ts';
import type { Environment } from './config.ts';

export interface WorkspaceQuestion {
  /** What `--workspace` said. */
  readonly flag?: string | undefined;
  readonly environment: Pick<Environment, 'home' | 'workspace'>;
  readonly cwd: string;
}

/** The real path of the workspace, or undefined where there is none. Fails with WORKSPACE_MISSING when one was named that is no folder. */
export function findWorkspace({ flag, environment, cwd }: WorkspaceQuestion): string | undefined {
  if (flag !== undefined) return named(flag, '--workspace', cwd);
  if (environment.workspace !== undefined) return named(environment.workspace, 'SCOPECRAFT_WORKSPACE', cwd);
  const here = realFolder(cwd);
  if (here === undefined) return undefined;
  const home = realFolder(environment.home) ?? environment.home;
  const start = mainWorktree(here);
  const folders = foldersUp(start, home);
  const marked = folders.find(
    (folder) => existsSync(path.join(folder, '.tasks')) || existsSync(path.join(folder, '.scopecraft', 'config.json')),
  );
  const chosen = marked ?? folders.find((folder) => existsSync(path.join(folder, '.git'))) ?? folders[0];
  return chosen !== undefined && isWritable(chosen) ? chosen : undefined;
}

/** Where the workspace keeps what is ours. */
export function stateDirOf(workspace: string): string {
  return path.join(workspace, '.scopecraft', 'state');
}

function named(given: string, by: string, cwd: string): string {
  const folder = realFolder(path.resolve(cwd, given));
  return folder === undefined
    ? fail('WORKSPACE_MISSING', `There is no folder "${given}", which ${by} names as the workspace.`)
    : mainWorktree(folder);
}

/** The folder and those above it, nearest first, as far as they lie below $HOME; outside of it, below `/`. */
function foldersUp(start: string, home: string): string[] {
  const folders: string[] = [];
  for (let folder = start; folder !== path.dirname(folder); folder = path.dirname(folder)) {
    if (folder === home || home.startsWith(`${folder}${path.sep}`)) break;
    folders.push(folder);
  }
  return folders;
}

/** The same place in the main worktree, when the folder lies in a linked one; otherwise the folder itself. */
function mainWorktree(folder: string): string {
  for (let root = folder; root !== path.dirname(root); root = path.dirname(root)) {
    const gitEntry = path.join(root, '.git');
    if (!existsSync(gitEntry)) continue;
    const main = mainOf(root, gitEntry);
    if (main === undefined) return folder;
    return realFolder(path.join(main, path.relative(root, folder))) ?? main;
  }
  return folder;
}

/** The main worktree of the linked one at `root`; undefined when it is none, as in a submodule or beside a bare repository. */
function mainOf(root: string, gitEntry: string): string | undefined {
  try {
    if (!statSync(gitEntry).isFile()) return undefined;
    const gitDir = /^gitdir: (.+)$/m.exec(readFileSync(gitEntry, 'utf8'))?.[1];
    if (gitDir === undefined) return undefined;
    const absolute = path.resolve(root, gitDir);
    const common = path.resolve(absolute, readFileSync(path.join(absolute, 'commondir'), 'utf8').trim());
    return path.basename(common) === '.git' ? realFolder(path.dirname(common)) : undefined;
  } catch {
    // no commondir file, or a worktree whose repository is gone
    return undefined;
  }
}

export function realFolder(folder: string): string | undefined {
  try {
    const real = realpathSync(folder);
    return statSync(real).isDirectory() ? real : undefined;
  } catch {
    return undefined;
  }
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
