// The hub program: owns the ledger, the line and the runs of one workspace, and serves MCP to whoever comes to its socket.
// With `--no-workspace` it serves one connection on its standard pipes: tools are listed, and every call says what is missing.
// `hub-start.ts` starts it, and reads `--keep-code`.
import { stat } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { BASE_ENVIRONMENT, environmentOf } from '../core/agent.ts';
import type { Config } from '../core/config.ts';
import type { Settings } from '../core/ports.ts';
import { createSecrets } from '../core/secrets.ts';
import { RESOURCES } from '../resources/index.ts';
import { warm } from '../runners/claude-argv.ts';
import { createEnvironments } from '../storage/environments.ts';
import { boundedTransport } from './backlog.ts';
import { ensureTokens } from './client-tokens.ts';
import { type Composed, compose } from './compose.ts';
import { readEnvironment } from './config.ts';
import { HUB_EXIT } from './failure.ts';
import { type HttpDoor, openHttpDoor } from './http.ts';
import { startHub } from './hub.ts';
import { createMcpFactory } from './mcp.ts';
import { expectReadable, type Peer } from './peer.ts';
import { programsIn } from './programs.ts';
import { runtimeDirOf } from './runtime-dir.ts';
import { addressOf, serveWhileOpen } from './serving-door.ts';
import { openSettings } from './settings.ts';
import { taskListeningProblem } from './task-listening.ts';
import { isActiveRun, openKey } from './token.ts';
import { createUpdates } from './updates.ts';
import { stateDirOf } from './workspace.ts';

declare const __VERSION__: string;

const WARM_AFTER_MS = 300;

const { values } = parseArgs({
  options: { workspace: { type: 'string' }, 'no-workspace': { type: 'boolean' }, 'keep-code': { type: 'boolean' } },
});
const secrets = createSecrets(() => settings?.current().secrets.variables ?? []);
let settings: Settings | undefined;
const log = (line: string) => console.error(`${new Date().toISOString()} ${secrets.mask(line)}`);

if (values.workspace === undefined) serveNothing();
else void serveWorkspace(values.workspace).then((code) => process.exit(code));

function serveNothing(): void {
  const factory = createMcpFactory({
    orchestrator: undefined,
    updates: undefined,
    version: __VERSION__,
    listed: { toolsets: ['core'], legacy: false },
    log,
  });
  serveStdio(factory({ kind: 'door', environment: {} }), { legacy: 'serve' });
}

async function serveWorkspace(workspace: string): Promise<number> {
  // what is left of a run may start a hub late; it must not bring a removed workspace back
  if (!(await isFolder(workspace))) {
    log(`There is no folder "${workspace}".`);
    return HUB_EXIT.hopeless;
  }
  const environment = readEnvironment();
  const stateDir = stateDirOf(workspace);
  const opened = await openSettings({ workspace, configFolder: environment.configFolder });
  settings = opened;
  for (const problem of opened.problems()) log(`config: ${problem}`);
  const httpSettings = () => opened.current().server.http;
  let composed: Composed | undefined;
  let http: HttpDoor | undefined;
  let serve: ((peer: Peer) => ReturnType<ReturnType<typeof createMcpFactory>>) | undefined;
  const giveUp = (error: unknown) => {
    log(`the hub cannot go on and is started again: ${error instanceof Error ? error.stack : String(error)}`);
    process.exit(70);
  };
  process.on('uncaughtException', giveUp).on('unhandledRejection', giveUp);

  return startHub({
    stateDir,
    runtimeDir: runtimeDirOf(workspace, environment),
    version: __VERSION__,
    wants: () => [...new Set([...BASE_ENVIRONMENT, ...Object.values(opened.current().agents).flatMap(environmentOf)])],
    async onOwned({ epoch, stillOwner }) {
      const door = await openHttpDoor({ stateDir, log });
      http = door;
      composed = await compose({
        workspace,
        stateDir,
        runtimeDir: runtimeDirOf(workspace, environment),
        programs: programsIn(),
        environment: environment.hub,
        version: __VERSION__,
        settings: opened,
        secrets,
        epoch,
        stillOwner,
        grant: door.grant,
        grantShare: door.grantShare,
        isReachable: door.isReachable,
        log,
        giveUp,
      });
      // loaded when the first doors have been served, so that neither they nor the first session wait for it
      setTimeout(() => {
        warm().catch((error: unknown) => log(`the Claude Code runner could not be prepared: ${String(error)}`));
        composed?.orchestrator.rules.refresh().catch((error: unknown) => log(`the rules could not be read: ${String(error)}`));
      }, WARM_AFTER_MS).unref();
      const { toolsets, legacyTools } = opened.current().server;
      const updates = createUpdates(composed.orchestrator, RESOURCES);
      serve = createMcpFactory({
        orchestrator: composed.orchestrator,
        updates,
        version: __VERSION__,
        listed: { toolsets, legacy: legacyTools },
        stateKey: await openKey(stateDir, 'request state'),
        log,
        mask: secrets.maskAll,
      });
      const { orchestrator } = composed;
      const { ledger } = orchestrator;
      door.serve({
        build: serve,
        expectReadable: (peer, uri) => expectReadable(orchestrator, peer, uri),
        updates,
        isActive: (identity) => isActiveRun(ledger.session(identity.sessionId), identity),
        share: ({ sessionId, shareId }) => ledger.session(sessionId)?.shares?.find((share) => share.shareId === shareId),
        environmentOf: createEnvironments(stateDir).find,
        settings: httpSettings,
      });
      if (httpSettings().enabled) await serveAlways(door, httpSettings(), environment.hub);
    },
    onConnection({ socket, hello, environment: given, onClose }) {
      secrets.learn(given);
      if (hello.kind === 'serve' && http)
        return void serveWhileOpen({ socket, environment: given, http, settings: httpSettings });
      if (hello.kind === 'serve') throw new Error('A door was let in before the hub was composed.');
      const factory = serve?.({ kind: hello.kind, environment: given });
      if (!factory) throw new Error('A door was let in before the hub was composed.');
      const handle = serveStdio(factory, {
        legacy: 'serve',
        transport: boundedTransport(socket, taskListeningProblem),
        onerror: (error) => log(`connection: ${error.message}`),
      });
      onClose(() => void handle.close());
    },
    isBusy: () => (composed?.isBusy() ?? false) || (http?.isBusy() ?? false),
    idleExitMs: () => opened.current().server.idleExitMs,
    onStop: async (reason) => {
      await http?.close();
      await composed?.close(reason);
    },
  });
}

/** Serves clients over HTTP as long as the hub lives; where that cannot be, the hub goes on without, and says why. */
async function serveAlways(door: HttpDoor, settings: Config['server']['http'], environment: Readonly<Record<string, string>>) {
  try {
    await ensureTokens(stateDirOf(String(values.workspace)));
    const { url } = await door.admit(addressOf(settings, environment));
    log(`http: clients with a token are served at ${url}`);
  } catch (error) {
    log(`http: clients are not served: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function isFolder(folder: string): Promise<boolean> {
  return (await stat(folder).catch(() => undefined))?.isDirectory() ?? false;
}
