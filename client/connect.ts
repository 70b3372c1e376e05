// Opens a typed client on the hub of a workspace, for programs that use the orchestrator.
import { fail } from '../core/errors.ts';
import { readEnvironment } from '../server/config.ts';
import { findWorkspace } from '../server/workspace.ts';
import { type CallOptions, openConnection, type ResourceText, type Watching } from './hub-connection.ts';
import { followSessions, type HookOptions, type HookSubscription, type SessionHooks } from './session-hooks.ts';
import { type ToolMethods, toolMethods } from './tool-methods.ts';

/** How to connect. */
export interface ConnectOptions {
  /** Who asks, in a word; the history of a session says it. Default: `client`. */
  readonly name?: string;
  /** False: only to a hub that runs already; else it fails with HUB_UNREACHABLE. Default: one is started. */
  readonly start?: boolean;
  /** Environment variables for a hub that is started, and for the agents of the sessions that are started here. Default: those of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** A client of one workspace: a method for each tool, and the resources. Everything it does may fail with a ScopecraftError. */
export interface ScopecraftClient extends ToolMethods {
  /** Real path of the workspace. */
  readonly workspace: string;
  /** A resource such as `session://{id}/log` as it is now. */
  read(uri: string, options?: CallOptions): Promise<ResourceText>;
  /** Calls back whenever the resource has changed, and once after a hub was replaced, because something may have been missed. */
  watch(uri: string, callback: (uri: string) => void): Promise<Watching>;
  /** Calls the hooks when sessions start, complete and fail. */
  onSession(hooks: SessionHooks, options?: HookOptions): Promise<HookSubscription>;
  /** Lets go of the hub; what it does goes on. Calls under way fail with CANCELLED. Until then the process is kept alive. */
  close(): Promise<void>;
}

/**
 * Connects to the hub of a workspace (default: the one this process is in, found as `sc` finds it) and starts it where there is none.
 * When the hub is killed later, calls and watches go on with the next one. Fails with WORKSPACE_MISSING, HUB_UNREACHABLE or HUB_VERSION.
 */
export async function connect(workspace?: string, options: ConnectOptions = {}): Promise<ScopecraftClient> {
  const { name = 'client', start = true, env } = options;
  const environment = readEnvironment(env);
  const cwd = process.cwd();
  const found =
    findWorkspace({ flag: workspace, environment, cwd }) ?? fail('WORKSPACE_MISSING', `"${cwd}" is no place for a workspace.`);
  const connection = await openConnection({ workspace: found, environment, name, kind: 'door', start });
  const methods = toolMethods(connection);
  return {
    ...methods,
    workspace: found,
    read: connection.read,
    watch: connection.watch,
    onSession: (hooks, which) => followSessions(methods, connection, hooks, which),
    close: connection.close,
  };
}
