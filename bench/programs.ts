// The programs a benchmark measures: a copy of dist/, so that a rebuild under way changes nothing, and the bare echo server bundled like ours.
import { cp, mkdtemp, readFile, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { build } from 'esbuild';
import { PROJECT } from '../test/support/project.ts';

export type Command = readonly [string, ...string[]];

export interface Programs {
  /** Starts the door. */
  readonly door: Command;
  /** Starts the command line. */
  readonly cli: Command;
  /** Starts an MCP server made of nothing but the SDK. */
  readonly echo: Command;
  /** The same over HTTP; it prints its address. */
  readonly httpEcho: Command;
  close(): Promise<void>;
}

/** Copies the built programs of a folder. */
export async function copyPrograms(dist: string): Promise<Programs> {
  const root = await realpath(await mkdtemp(path.join(tmpdir(), 'sc-bench-')));
  const copy = path.join(root, 'dist');
  await copyWhole(dist, copy);
  // the hub loads channelcoder from there
  await symlink(path.join(PROJECT, 'node_modules'), path.join(root, 'node_modules'));
  await build({
    entryPoints: { echo: path.join(PROJECT, 'bench', 'echo.ts'), 'http-echo': path.join(PROJECT, 'bench', 'http-echo.ts') },
    outdir: root,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    minifySyntax: true,
    legalComments: 'none',
    logLevel: 'error',
  });
  return {
    door: [process.execPath, path.join(copy, 'door.cjs')],
    cli: [process.execPath, path.join(copy, 'cli.cjs')],
    echo: [process.execPath, path.join(root, 'echo.mjs')],
    httpEcho: [process.execPath, path.join(root, 'http-echo.mjs')],
    close: () => rm(root, { recursive: true, force: true }),
  };
}

/** Copies a build; one that somebody is just making is waited for. */
async function copyWhole(from: string, to: string): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      // written last by the build
      const version = await readFile(path.join(from, 'version'));
      await cp(from, to, { recursive: true });
      if (version.equals(await readFile(path.join(to, 'version')))) return;
    } catch (error) {
      if (tries === 20) throw error;
    }
    await rm(to, { recursive: true, force: true });
    await delay(500);
  }
}
