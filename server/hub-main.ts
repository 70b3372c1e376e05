// The hub program: owns the ledger, the line and the runs of one workspace, and serves MCP to whoever comes to its socket.
// With `--no-workspace` it serves one connection on its standard pipes: tools are listed, and every call says what is missing.
// `kept-code.ts` starts it.
//
// It claims the workspace first and loads what it serves with while the disk writes the claim down, because a door waits for both.
import { parseArgs } from 'node:util';
import { readEnvironment } from './config.ts';
import { HUB_EXIT } from './failure.ts';
import { startHub } from './hub.ts';
import type { HubService } from './hub-service.ts';
import { runtimeDirOf } from './runtime-dir.ts';
import { realFolder, stateDirOf } from './workspace.ts';

declare const __VERSION__: string;

const { values } = parseArgs({
  options: { workspace: { type: 'string' }, 'no-workspace': { type: 'boolean' } },
});

if (values.workspace === undefined) void import('./hub-service.ts').then(({ serveNothing }) => serveNothing(__VERSION__));
else void serveWorkspace(values.workspace).then((code) => process.exit(code));

async function serveWorkspace(workspace: string): Promise<number> {
  // what is left of a run may start a hub late; it must not bring a removed workspace back
  if (realFolder(workspace) === undefined) {
    console.error(`${new Date().toISOString()} There is no folder "${workspace}".`);
    return HUB_EXIT.hopeless;
  }
  const environment = readEnvironment();
  const stateDir = stateDirOf(workspace);
  const runtimeDir = runtimeDirOf(workspace, environment);
  let service: HubService | undefined;
  const serving = () => {
    if (!service) throw new Error('A door was let in before the hub was composed.');
    return service;
  };
  const hub = startHub({
    stateDir,
    runtimeDir,
    version: __VERSION__,
    wants: () => serving().wants(),
    async onOwned(ownership) {
      const opened = await loading;
      service = opened;
      await opened.serve(ownership);
    },
    onConnection: (connection) => serving().connect(connection),
    isBusy: () => service?.isBusy() ?? false,
    idleExitMs: () => serving().idleExitMs(),
    onStop: async (reason) => service?.close(reason),
  });
  const places = { workspace, stateDir, runtimeDir, environment, version: __VERSION__ };
  const loading = import('./hub-service.ts').then(({ openService }) => openService(places));
  // told where it is waited for
  loading.catch(() => undefined);
  return hub;
}
