// Where the product under test lies, and the environment that every program started by a test gets: an allow-list, nothing of this machine's own.
import { mkdtemp, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
export const DOOR = path.join(PROJECT, 'dist', 'door.cjs');
export const CLI = path.join(PROJECT, 'dist', 'cli.cjs');

/** Command of the small MCP server in echo-server.ts. */
export const ECHO_SERVER = [
  path.join(PROJECT, 'node_modules', '.bin', 'tsx'),
  path.join(PROJECT, 'test', 'support', 'echo-server.ts'),
] as const;

export type Environment = Readonly<Record<string, string>>;

/** PATH for programs under test: this project's programs first, then this Node, then the machine's. */
export const PROGRAM_PATH = [
  path.join(PROJECT, 'node_modules', '.bin'),
  path.dirname(process.execPath),
  process.env.PATH ?? '/usr/bin:/bin',
].join(path.delimiter);

/** A new folder with a short path, because the path of a Unix socket has at most 103 bytes. */
export async function makeRoot(): Promise<string> {
  return realpath(await mkdtemp(path.join(tmpdir(), 'sc-')));
}

export interface Home {
  readonly home: string;
  readonly configHome: string;
  readonly runtimeDir: string;
  readonly temporaryDir: string;
}

/** The folders of a made-up user below `root`. Their paths are what marks every process of the test. */
export function homeBelow(root: string): Home {
  return {
    home: path.join(root, 'h'),
    configHome: path.join(root, 'c'),
    runtimeDir: path.join(root, 'r'),
    temporaryDir: path.join(root, 't'),
  };
}

/** The base environment of that user. */
export function environmentOf({ home, configHome, runtimeDir, temporaryDir }: Home): Environment {
  return {
    PATH: PROGRAM_PATH,
    HOME: home,
    LANG: 'C.UTF-8',
    SHELL: '/bin/sh',
    TERM: 'xterm-256color',
    TMPDIR: temporaryDir,
    XDG_CONFIG_HOME: configHome,
    XDG_RUNTIME_DIR: runtimeDir,
  };
}
