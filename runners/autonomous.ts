// The runner of autonomous sessions: each run is a detached supervisor with a folder of its own; the hub only reads that folder.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { fail } from '../core/errors.ts';
import type { Clock, Run, Runner, RunSpec } from '../core/ports.ts';
import { agentArgv, locateAgent, programOf } from './agent-argv.ts';
import { followRun, type Launch } from './follow-run.ts';
import { codeOf, RUN_MARK } from './process.ts';
import { fence, prepareRunFolder, readClaim, readSpec, runFolder } from './run-folder.ts';

export interface AutonomousRunnerOptions {
  readonly stateDir: string;
  /** Absolute path of the workspace. */
  readonly workspace: string;
  /** File with the pid of the hub, for supervisors that find themselves without one. */
  readonly hubPidFile: string;
  /** The Node.js that runs the built-in agent, and a hub if one is missing. */
  readonly nodePath: string;
  /** Absolute paths. An empty keeper: supervisors start none. */
  readonly scripts: Readonly<Record<'supervise' | 'keeper' | 'demoAgent' | 'hub', string>>;
  readonly clock: Clock;
  /** How long an agent may stay after its result before it is taken down. */
  readonly resultGraceMs?: number;
}

const SHELL = '/bin/sh';

export function createAutonomousRunner(options: AutonomousRunnerOptions): Runner {
  const { stateDir, workspace, hubPidFile, nodePath, scripts, clock, resultGraceMs = 10_000 } = options;
  const programs = { node: nodePath, demoAgent: scripts.demoAgent };
  const place = createHash('sha256').update(workspace).digest('hex').slice(0, 16);
  const markFor = (sessionId: string, run: number) => `${place}/${sessionId}/${run}`;

  async function find(sessionId: string, run: number): Promise<Run | undefined> {
    const folder = runFolder(stateDir, sessionId, run);
    if (await fence(folder)) return undefined;
    if ((await readClaim(folder)) === 'fenced') return undefined;
    const spec = await readSpec(folder);
    // without its spec: the kind with the longest ladder, read as what it most likely speaks
    const agent = spec?.agent ?? {
      kind: 'claude',
      args: [],
      env: [],
      permissionMode: 'default',
      tools: [],
      output: 'stream-json',
    };
    return followRun({ folder, agent, mark: markFor(sessionId, run), clock, resultGraceMs });
  }

  return {
    locate: async (agent, env) => locateAgent(agent, env, programs),

    async start(spec) {
      const { sessionId, run, agent, env, cwd } = spec;
      const program = locateAgent(agent, env, programs);
      if (program === undefined) return fail('AGENT_MISSING', missingText(agent), { PATH: env.PATH });
      if (!isDirectory(cwd)) fail('STORAGE_FAILED', `The working folder "${cwd}" is not there.`);
      const folder = runFolder(stateDir, sessionId, run);
      const argv = await agentArgv(spec, program, programs, folder);
      const mark = markFor(sessionId, run);
      const isNew = await prepared(folder, { ...kept(spec), argv, mark }, spec);
      if (!isNew) fail('INTERNAL', `Run ${run} of session ${sessionId} was begun before.`);
      const words = [scripts.supervise, folder, hubPidFile, scripts.keeper, nodePath, scripts.hub, workspace, '--', ...argv];
      const launch = await launchSupervisor(words, cwd, {
        ...env,
        ...accessOf(spec),
        SCOPECRAFT_SESSION: sessionId,
        [RUN_MARK]: mark,
      });
      return followRun({ folder, agent, mark, clock, resultGraceMs, launch });
    },

    adopt: find,
  };
}

function missingText(agent: RunSpec['agent']): string {
  return `The program "${programOf(agent) ?? ''}" of agent "${agent.name}" is not there.`;
}

/** The spec as it is written down: names of variables, never their values. */
function kept({ env, messages: _messages, mcp, ...rest }: RunSpec): object {
  return { ...rest, env: Object.keys(env), ...(mcp && { mcp: { url: mcp.url } }) };
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

async function prepared(folder: string, file: object, { agent, messages, mcp }: RunSpec): Promise<boolean> {
  try {
    return await prepareRunFolder(
      folder,
      file,
      messages.map(({ text }) => text).join('\n\n'),
      agent.kind === 'claude' ? mcp : undefined,
    );
  } catch (error) {
    return fail('STORAGE_FAILED', `The run folder "${folder}" could not be written (${codeOf(error) ?? 'unknown error'}).`);
  }
}

/** Starts the supervisor in a session of its own, with no tie to us but our noticing its exit. */
async function launchSupervisor(words: readonly string[], cwd: string, env: Readonly<Record<string, string>>): Promise<Launch> {
  const launch: Launch = { hasExited: false };
  const supervisor = spawn(SHELL, words, { cwd, env: { ...env }, detached: true, stdio: 'ignore' });
  if (supervisor.pid === undefined) {
    const [error]: unknown[] = await once(supervisor, 'error');
    fail('STORAGE_FAILED', `The supervisor could not be started in "${cwd}" (${codeOf(error) ?? 'unknown error'}).`);
  }
  supervisor.once('exit', () => {
    launch.hasExited = true;
    launch.onExit?.();
  });
  supervisor.unref();
  return launch;
}

/** True for a folder. */
export function isDirectory(folder: string): boolean {
  try {
    return statSync(folder).isDirectory();
  } catch {
    return false;
  }
}
