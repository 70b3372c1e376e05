// The CLI's connection to the hub of the workspace.
import { type HubConnection, openConnection } from '../client/hub-connection.ts';
import { fail } from '../core/errors.ts';
import { readEnvironment } from '../server/config.ts';
import { findWorkspace } from '../server/workspace.ts';

export interface ClientOptions {
  /** What `--workspace` said. */
  readonly workspace?: string | undefined;
  /** False: only to a hub that runs already. */
  readonly start?: boolean;
}

/** The workspace that the CLI is about. Fails with WORKSPACE_MISSING. */
export function workspaceOf(flag: string | undefined): string {
  const cwd = process.cwd();
  return (
    findWorkspace({ flag, environment: readEnvironment(), cwd }) ??
    fail('WORKSPACE_MISSING', `"${cwd}" is no place for a workspace.`)
  );
}

/** Connects to the hub, starting it where there is none. When the hub is gone later, calls and watches go on with the next one. */
export function connectClient({ workspace, start = true }: ClientOptions): Promise<HubConnection> {
  return openConnection({ workspace: workspaceOf(workspace), environment: readEnvironment(), name: 'sc', kind: 'cli', start });
}
