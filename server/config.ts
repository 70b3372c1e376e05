// What the surroundings of this process say; the only file that reads process.env.
// The door bundles it and must stay small and quick, so nothing here may load zod: config files are read elsewhere.
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';

/** Variables a hub gets from the door that starts it. What agents need comes later, from the door that starts a session. */
const HUB_VARIABLES = [
  'PATH',
  'HOME',
  'LANG',
  'LC_ALL',
  'SHELL',
  'TERM',
  'TMPDIR',
  'USER',
  'LOGNAME',
  'XDG_CONFIG_HOME',
  'XDG_RUNTIME_DIR',
  'XDG_STATE_HOME',
] as const;

export interface Environment {
  /** Where the user's own files are. */
  readonly home: string;
  /** Where the user's config is: `$XDG_CONFIG_HOME` or `~/.config`. */
  readonly configFolder: string;
  /** SCOPECRAFT_WORKSPACE. */
  readonly workspace: string | undefined;
  /** XDG_RUNTIME_DIR. */
  readonly runtimeFolder: string | undefined;
  readonly temporaryFolder: string;
  /** The variables a hub may have. */
  readonly hub: Readonly<Record<string, string>>;
  /** All variables that are set. */
  readonly all: Readonly<Record<string, string>>;
}

/** The environment of this process, sorted by use. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>> = process.env): Environment {
  const all = Object.fromEntries(Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
  return {
    home: all.HOME || homedir(),
    configFolder: all.XDG_CONFIG_HOME || path.join(all.HOME || homedir(), '.config'),
    workspace: all.SCOPECRAFT_WORKSPACE || undefined,
    runtimeFolder: all.XDG_RUNTIME_DIR || undefined,
    temporaryFolder: all.TMPDIR || tmpdir(),
    hub: chosen(all, HUB_VARIABLES),
    all,
  };
}

/** The variables with these names that are set. */
export function chosen(all: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])));
}
