// What the start of every run has in common: what must be there, what is written down about it, and how its agent learns where the hub is.
import { statSync } from 'node:fs';
import { fail } from '../core/errors.ts';
import type { RunSpec } from '../core/run-ports.ts';
import { type DemoParts, locateAgent, missingText } from './agent-argv.ts';
import { errnoOf } from './process.ts';
import { prepareRunFolder } from './run-folder.ts';

/** The agent's program as an absolute path. Fails with AGENT_MISSING, or STORAGE_FAILED where its working folder is not there. */
export function programFor({ agent, env, cwd }: RunSpec, programs: DemoParts): string {
  const program = locateAgent(agent, env, programs);
  if (program === undefined) return fail('AGENT_MISSING', missingText(agent), { PATH: env.PATH });
  if (!isFolder(cwd)) fail('STORAGE_FAILED', `The working folder "${cwd}" is not there.`);
  return program;
}

export interface RunFiles {
  /** What is kept about the run besides its spec. */
  readonly kept: object;
  readonly input: { readonly file: 'prompt' | 'in'; readonly text: string };
  /** Writes what else this kind of run needs. */
  readonly more?: () => void;
}

/** Makes the folder of the run. Fails with STORAGE_FAILED, or INTERNAL where this run was begun before. */
export function makeRunFolder(folder: string, spec: RunSpec, { kept, input, more }: RunFiles): void {
  const { env, messages: _messages, mcp, ...rest } = spec;
  // names of variables, never their values
  const file = { ...rest, ...kept, env: Object.keys(env), ...(mcp && { mcp: { url: mcp.url } }) };
  let isNew: boolean;
  try {
    isNew = prepareRunFolder(folder, file, input, spec.agent.kind === 'claude' ? mcp : undefined);
    if (isNew) more?.();
  } catch (error) {
    fail('STORAGE_FAILED', `The run folder "${folder}" could not be written (${errnoOf(error) ?? 'unknown error'}).`);
  }
  if (!isNew) fail('INTERNAL', `Run ${spec.run} of session ${spec.sessionId} was begun before.`);
}

/** How agents without a config file of ours learn where the hub is. */
export function accessOf({ agent, env, mcp }: RunSpec): Readonly<Record<string, string>> {
  if (mcp === undefined) return {};
  const access = agent.kind === 'claude' ? {} : { SCOPECRAFT_MCP_URL: mcp.url, SCOPECRAFT_MCP_TOKEN: mcp.token };
  // a proxy would neither reach the hub nor should it see the token
  const direct = [env.NO_PROXY ?? env.no_proxy, '127.0.0.1', 'localhost']
    .filter((hosts) => hosts !== undefined && hosts !== '')
    .join(',');
  return { ...access, NO_PROXY: direct, no_proxy: direct };
}

function isFolder(folder: string): boolean {
  try {
    return statSync(folder).isDirectory();
  } catch {
    return false;
  }
}
