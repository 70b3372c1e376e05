// What a hub does for its workspace once it owns it: composes the parts, serves MCP to doors and over HTTP, and closes all in order.
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
import type { Environment } from './config.ts';
import { type HttpDoor, openHttpDoor } from './http.ts';
import type { HubConnection, Ownership, StopReason } from './hub.ts';
import { createMcpFactory } from './mcp.ts';
import { expectReadable, type Peer } from './peer.ts';
import { programsIn } from './programs.ts';
import { createRunServers } from './run-calls.ts';
import { addressOf, serveWhileOpen } from './serving-door.ts';
import { openSettings } from './settings.ts';
import { isListening, taskListeningProblem } from './task-listening.ts';
import { isActiveRun, openKey } from './token.ts';
import { createUpdates } from './updates.ts';

const WARM_AFTER_MS = 300;

export interface ServicePlaces {
  readonly workspace: string;
  readonly stateDir: string;
  readonly runtimeDir: string;
  readonly environment: Environment;
  readonly version: string;
}

export interface HubService {
  /** Names of the environment variables that doors are asked for. */
  wants(): readonly string[];
  idleExitMs(): number;
  /** The workspace is ours: recovers, and resolves when doors can be let in. */
  serve(ownership: Ownership): Promise<void>;
  /** Serves a door that was let in. */
  connect(connection: HubConnection): void;
  isBusy(): boolean;
  close(reason: StopReason): Promise<void>;
}

type McpFactory = ReturnType<typeof createMcpFactory>;

/** Serves one connection on the standard pipes: tools are listed, and every call says that there is no workspace. */
export function serveNothing(version: string): void {
  const factory = createMcpFactory({
    orchestrator: undefined,
    updates: undefined,
    version,
    listed: { toolsets: [], legacy: false },
    log: (line) => console.error(`${new Date().toISOString()} ${line}`),
  });
  serveStdio(factory({ kind: 'door', environment: {} }), { legacy: 'serve' });
}

/** Reads the settings; touches nothing of the workspace before `serve`. */
export async function openService({ workspace, stateDir, runtimeDir, environment, version }: ServicePlaces): Promise<HubService> {
  let opened: Settings | undefined;
  const secrets = createSecrets(() => opened?.current().secrets.variables ?? []);
  const log = (line: string) => console.error(`${new Date().toISOString()} ${secrets.mask(line)}`);
  const giveUp = (error: unknown) => {
    log(`the hub cannot go on and is started again: ${error instanceof Error ? error.stack : String(error)}`);
    process.exit(70);
  };
  process.on('uncaughtException', giveUp).on('unhandledRejection', giveUp);
  const settings = await openSettings({ workspace, configFolder: environment.configFolder });
  opened = settings;
  for (const problem of settings.problems()) log(`config: ${problem}`);
  const httpSettings = () => settings.current().server.http;
  let composed: Composed | undefined;
  let http: HttpDoor | undefined;
  const runServers = createRunServers(log);
  let factoryFor: ((peer: Peer) => ReturnType<McpFactory>) | undefined;

  /** Serves clients over HTTP as long as the hub lives; where that cannot be, the hub goes on without, and says why. */
  async function serveAlways(door: HttpDoor, given: Config['server']['http']) {
    try {
      await ensureTokens(stateDir);
      const { url } = await door.admit(addressOf(given, environment.hub));
      log(`http: clients with a token are served at ${url}`);
    } catch (error) {
      log(`http: clients are not served: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  return {
    wants: () => [...new Set([...BASE_ENVIRONMENT, ...Object.values(settings.current().agents).flatMap(environmentOf)])],
    idleExitMs: () => settings.current().server.idleExitMs,

    async serve({ epoch, stillOwner }) {
      const door = await openHttpDoor({ stateDir, log });
      http = door;
      composed = await compose({
        workspace,
        stateDir,
        runtimeDir,
        programs: programsIn(),
        environment: environment.hub,
        version,
        settings,
        secrets,
        epoch,
        stillOwner,
        grant: door.grant,
        serveRun: runServers.serveRun,
        grantShare: door.grantShare,
        isReachable: door.isReachable,
        log,
        giveUp,
      });
      const { orchestrator } = composed;
      // loaded when the first doors have been served, so that neither they nor the first session wait for it
      setTimeout(() => {
        warm().catch((error: unknown) => log(`the Claude Code runner could not be prepared: ${String(error)}`));
        orchestrator.rules.refresh().catch((error: unknown) => log(`the rules could not be read: ${String(error)}`));
      }, WARM_AFTER_MS).unref();
      const { toolsets, legacyTools } = settings.current().server;
      const updates = createUpdates(orchestrator, RESOURCES);
      const build = createMcpFactory({
        orchestrator,
        updates,
        version,
        listed: { toolsets, legacy: legacyTools },
        stateKey: await openKey(stateDir, 'request state'),
        log,
        mask: secrets.maskAll,
      });
      factoryFor = build;
      const { ledger } = orchestrator;
      const environmentOf = createEnvironments(stateDir).find;
      runServers.open({ build, environmentOf });
      door.serve({
        build,
        expectReadable: (peer, uri) => expectReadable(orchestrator, peer, uri),
        updates,
        isActive: (identity) => isActiveRun(ledger.session(identity.sessionId), identity),
        share: ({ sessionId, shareId }) => ledger.session(sessionId)?.shares?.find((share) => share.shareId === shareId),
        environmentOf,
        settings: httpSettings,
      });
      if (httpSettings().enabled) await serveAlways(door, httpSettings());
    },

    connect({ socket, hello, environment: given, onClose }) {
      secrets.learn(given);
      if (!factoryFor || !http) throw new Error('A door was let in before the hub was composed.');
      if (hello.kind === 'serve') return void serveWhileOpen({ socket, environment: given, http, settings: httpSettings });
      const listening = signal();
      const transport = boundedTransport(socket, (message) => {
        if (isListening(message)) listening.give();
        return taskListeningProblem(message);
      });
      const handle = serveStdio(factoryFor({ kind: hello.kind, environment: given, whenListening: listening.when }), {
        legacy: 'serve',
        transport,
        onerror: (error) => log(`connection: ${error.message}`),
      });
      onClose(() => void handle.close());
    },

    isBusy: () => (composed?.isBusy() ?? false) || (http?.isBusy() ?? false),

    async close(reason) {
      runServers.close();
      await http?.close();
      await composed?.close(reason);
    },
  };
}

/** Something that happens once: who comes later is called back at once. */
function signal() {
  let isGiven = false;
  let waiting: (() => void)[] = [];
  return {
    when: (callback: () => void) => void (isGiven ? callback() : waiting.push(callback)),
    give() {
      isGiven = true;
      for (const callback of waiting) callback();
      waiting = [];
    },
  };
}
