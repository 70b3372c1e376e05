// How a door or the CLI comes to a hub: it connects to the one whose claim is highest, and starts one, with its keeper, where there is none.
// The only file in server/ that starts processes.
import { closeSync, existsSync, type FSWatcher, openSync, statSync, utimesSync, watch, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import path from 'node:path';
import { Duplex } from 'node:stream';
import { fail } from '../core/errors.ts';
import {
  type FoundClaim,
  forbiddenSocket,
  goneFile,
  highestClaim,
  isForeignCopy,
  type Place,
  placeOf,
  reach,
  remainsOf,
} from '../storage/embedded/claim.ts';
import { prepareStateFolder } from '../storage/embedded/private-folder.ts';
import { unless } from '../storage/errno.ts';
import { readFailure } from './failure.ts';
import { type Guest, greet } from './greet.ts';
import type { Programs } from './programs.ts';
import { compareVersions } from './version.ts';
import type { Welcome } from './wire.ts';

/** How long to try, in all. */
const PATIENCE_MS = 10_000;
/** For so long a hub that somebody started is waited for before another one is started. */
const START_MS = 2_000;
/** For so long an older door leaves the workspace to the newer one that asked for it. */
const HANDOVER_MS = 5_000;

export interface ConnectOptions extends Guest {
  /** Real path. */
  readonly workspace: string;
  readonly stateDir: string;
  readonly programs: Programs;
  /** Environment of a hub that has to be started. */
  readonly hubEnvironment: Readonly<Record<string, string>>;
  readonly patienceMs?: number;
}

export interface HubLink {
  /** Carries MCP lines, both ways. */
  readonly socket: Socket;
  readonly welcome: Welcome;
}

/** What one look at the workspace found; a hub that `ended`, or never was, may be started. */
type Finding = HubLink | { readonly is: 'ended' | 'promised' | 'silent' | 'closed' };

/** A welcomed connection to the hub of the workspace. Fails with HUB_UNREACHABLE, HUB_VERSION or STORAGE_FAILED, saying what to do. */
export async function connectHub(options: ConnectOptions): Promise<HubLink> {
  const { stateDir, patienceMs = PATIENCE_MS } = options;
  const noHub = () => fail('HUB_UNREACHABLE', `No hub runs for the workspace ${options.workspace}.`);
  if (options.start === false && !existsSync(stateDir)) return noHub();
  prepareStateFolder(stateDir);
  const here = placeOf(stateDir);
  const until = performance.now() + patienceMs;
  const folder = watchFolder(stateDir);
  const since = Date.now();
  try {
    for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 1.5, 250)) {
      const found = highestClaim(stateDir);
      const finding = await look(found, here, options, Math.max(100, until - performance.now()));
      if ('socket' in finding) return finding;
      if (finding.is === 'ended') {
        if (options.start === false) return noHub();
        if (isOurTurn(stateDir, found?.epoch ?? 0)) await startKeeper(options);
      }
      const failure = readFailure(stateDir, since);
      if (failure) fail('HUB_UNREACHABLE', failure.message, { code: failure.code });
      if (performance.now() > until) fail('HUB_UNREACHABLE', sentence(finding.is, found, stateDir, patienceMs));
      await folder.changed(pauseMs);
    }
  } finally {
    folder.close();
  }
}

/** A server without a workspace, on the pipes of a child: it lists what there is and answers every call with WORKSPACE_MISSING. */
export async function startWithoutWorkspace(programs: Programs, environment: Readonly<Record<string, string>>): Promise<Duplex> {
  const { spawn } = await import('node:child_process');
  const child = spawn(programs.node, [programs.hub, '--no-workspace'], { env: environment, stdio: ['pipe', 'pipe', 'inherit'] });
  const stream = Duplex.from({ writable: child.stdin, readable: child.stdout });
  child.once('error', (error) => stream.destroy(error));
  child.once('exit', () => stream.destroy());
  stream.once('close', () => child.kill());
  return stream;
}

async function look(found: FoundClaim | undefined, here: Place, options: ConnectOptions, ms: number): Promise<Finding> {
  if (!found) return { is: 'ended' };
  const { claim, gone } = found;
  if (gone) return { is: afterwards(gone, options) };
  // the hub refuses such a claim with the whole sentence
  if (!claim || isForeignCopy(claim, here)) return { is: 'ended' };
  const socket = await reach(claim.socket);
  if (socket === 'EPERM' || socket === 'EACCES') fail('HUB_UNREACHABLE', forbiddenSocket(claim.socket, socket));
  if (socket === 'EAGAIN') return { is: 'silent' };
  if (typeof socket === 'string') {
    if (remainsOf(claim, here) === 'silent') return { is: 'silent' };
    // it may have left since its claim was read, and says for whom before its process is gone
    return { is: afterwards(highestClaim(options.stateDir)?.gone, options) };
  }
  try {
    const welcome = await greet(socket, claim, here, options, ms);
    if (typeof welcome !== 'string') return { socket, welcome };
    if (welcome === 'handover') await closed(socket, ms);
    socket.destroy();
    return { is: 'closed' };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Whether a hub that is no more made room for a newer one, which is on its way. */
function afterwards(gone: FoundClaim['gone'], { version }: ConnectOptions): 'promised' | 'ended' {
  if (gone?.handoverTo === undefined || compareVersions(gone.handoverTo, version) <= 0) return 'ended';
  return isYoung(gone.at, HANDOVER_MS) ? 'promised' : 'ended';
}

/** True for one door of those that find the same hub dead at the same time; only spares processes, the claim decides who owns. */
function isOurTurn(stateDir: string, epoch: number): boolean {
  const ticket = path.join(stateDir, `start.${epoch}`);
  const isMade = unless('EEXIST', false, () => {
    writeFileSync(ticket, '', { flag: 'wx', mode: 0o600 });
    return true;
  });
  if (isMade) return true;
  const taken = statSync(ticket, { throwIfNoEntry: false });
  if (!taken || isYoung(taken.mtimeMs, START_MS)) return false;
  unless('ENOENT', undefined, () => utimesSync(ticket, new Date(), new Date()));
  return true;
}

/** Of what seems to be later than now by more than that, the clock was set back: it is old. */
function isYoung(at: number, ms: number): boolean {
  return Math.abs(Date.now() - at) < ms;
}

/** Starts keeper and hub, detached. */
async function startKeeper({ programs, workspace, stateDir, hubEnvironment }: ConnectOptions): Promise<void> {
  const { spawn } = await import('node:child_process');
  const log = openSync(path.join(stateDir, 'hub.log'), 'a', 0o600);
  try {
    const keeper = spawn('/bin/sh', [programs.keeper, programs.node, programs.hub, workspace], {
      cwd: workspace,
      env: hubEnvironment,
      detached: true,
      stdio: ['ignore', log, log],
    });
    await new Promise((resolve, reject) => keeper.once('spawn', resolve).once('error', reject));
    keeper.unref();
  } finally {
    closeSync(log);
  }
}

function sentence(
  is: 'ended' | 'promised' | 'silent' | 'closed',
  found: FoundClaim | undefined,
  stateDir: string,
  patienceMs: number,
): string {
  const pid = found?.claim?.pid;
  if (is === 'silent') {
    const force = `touch '${goneFile(stateDir, found?.epoch ?? 0)}'`;
    return `The hub of this workspace (pid ${pid}) lives but its socket does not answer; end it with \`kill ${pid}\`, or, when ${pid} is another program, run \`${force}\`.`;
  }
  if (is === 'closed')
    return `The hub of this workspace (pid ${pid}) closes every connection; ${path.join(stateDir, 'hub.log')} says why.`;
  return `No hub came up within ${patienceMs / 1000} seconds; the end of ${path.join(stateDir, 'hub.log')} says why.`;
}

function closed(socket: Socket, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    socket.resume();
  });
}

interface WatchedFolder {
  /** Resolves when something changed in the folder, at the latest after `ms`. */
  changed(ms: number): Promise<void>;
  close(): void;
}

function watchFolder(folder: string): WatchedFolder {
  let wake = () => {};
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(folder, { persistent: false }, (_event, name) => {
      if (name !== null && /^hub\.(\d+\.json|\d+\.gone|failed)$/.test(name)) wake();
    }).on('error', () => watcher?.close());
  } catch {
    // no watches left on this machine: the pauses alone must do
  }
  return {
    changed: (ms) =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, ms);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      }),
    close: () => watcher?.close(),
  };
}
