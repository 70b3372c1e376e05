// The runner of autonomous sessions: each run is a detached supervisor with a folder of its own; the hub only reads that folder.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { fail } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import type { Run, Runner, RunSpec } from '../core/run-ports.ts';
import { isShortage } from '../core/take-up.ts';
import { agentArgv, locateAgent, UNKNOWN_AGENT } from './agent-argv.ts';
import { endRun } from './end-marked.ts';
import { followRun, type Launch } from './follow-run.ts';
import { userLine } from './inbox.ts';
import { errnoOf, placeOf, RUN_MARK } from './process.ts';
import { fence, readClaim, readSpec, runFolder } from './run-folder.ts';
import { accessOf, makeRunFolder, programFor } from './run-start.ts';

export interface AutonomousRunnerOptions {
  readonly stateDir: string;
  /** Absolute path of the workspace. */
  readonly workspace: string;
  /** File that says who the hub is, for supervisors that find themselves without one. */
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
/** For so long at most the agent has the processor before what feeds it is started. */
const HEAD_START_MS = 250;
/** After so long Claude Code gives up a call, unless a variable of its environment says otherwise. */
const CLAUDE_CALL_MS = 100_000_000;

export function createAutonomousRunner(options: AutonomousRunnerOptions): Runner {
  const { stateDir, workspace, hubPidFile, nodePath, scripts, clock, resultGraceMs = 10_000 } = options;
  const programs = { node: nodePath, demoAgent: scripts.demoAgent };
  const place = placeOf(workspace);
  const markFor = (sessionId: string, run: number) => `${place}/${sessionId}/${run}`;

  async function find(sessionId: string, run: number): Promise<Run | undefined> {
    const folder = runFolder(stateDir, sessionId, run);
    if (fence(folder)) return undefined;
    if (readClaim(folder) === 'fenced') return undefined;
    const spec = readSpec(folder);
    const agent = spec?.agent ?? UNKNOWN_AGENT;
    return followRun({ folder, agent, promptIds: spec?.promptIds ?? [], mark: markFor(sessionId, run), clock, resultGraceMs });
  }

  return {
    locate: async (agent, env) => locateAgent(agent, env, programs),

    async start(spec) {
      const { sessionId, run, agent, env, cwd } = spec;
      const program = programFor(spec, programs);
      const folder = runFolder(stateDir, sessionId, run);
      const argv = await agentArgv(spec, program, programs);
      const mark = markFor(sessionId, run);
      const promptIds = spec.messages.map(({ promptId }) => promptId);
      // Claude Code calls the hub on its output, and needs neither address nor token
      const reach = agent.kind === 'claude' ? { ...spec, mcp: undefined } : spec;
      makeRunFolder(folder, reach, { kept: { promptIds, argv, mark }, input: inputOf(spec) });
      const words = [scripts.supervise, folder, hubPidFile, scripts.keeper, nodePath, scripts.hub, workspace, '--', ...argv];
      const variables = { ...patienceOf(spec), ...env, ...accessOf(reach), SCOPECRAFT_SESSION: sessionId, [RUN_MARK]: mark };
      const launch = await launchSupervisor(words, cwd, variables);
      clock.after(HEAD_START_MS, launch.feed);
      return followRun({ folder, agent, promptIds, mark, clock, resultGraceMs, launch });
    },

    adopt: find,
    end: (sessionId, run) => endRun(markFor(sessionId, run)),
  };
}

/** What the run begins with, for an agent that can be told more while it runs and for others. */
function inputOf({ agent, messages }: RunSpec) {
  return agent.kind === 'command'
    ? ({ file: 'prompt', text: messages.map(({ text }) => text).join('\n\n') } as const)
    : ({ file: 'in', text: messages.map(userLine).join('') } as const);
}

/** What has Claude Code wait for an answer as long as that may take, where it would give the call up before. */
function patienceOf({ agent, mcp }: RunSpec) {
  const callTimeoutMs = mcp?.callTimeoutMs ?? 0;
  return agent.kind === 'claude' && callTimeoutMs > CLAUDE_CALL_MS ? { MCP_TOOL_TIMEOUT: String(callTimeoutMs) } : {};
}

/** Starts the supervisor in a session of its own. It feeds the agent when its input ends, and we notice its exit: no other tie to us. */
async function launchSupervisor(words: readonly string[], cwd: string, env: Readonly<Record<string, string>>): Promise<Launch> {
  const supervisor = spawn(SHELL, words, { cwd, env: { ...env }, detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  const launch: Launch = { hasExited: false, feed: () => supervisor.stdin.destroy() };
  if (supervisor.pid === undefined) {
    const [error]: unknown[] = await once(supervisor, 'error');
    if (isShortage(error)) throw error;
    fail('STORAGE_FAILED', `The supervisor could not be started in "${cwd}" (${errnoOf(error) ?? 'unknown error'}).`);
  }
  supervisor.once('exit', () => {
    launch.hasExited = true;
    launch.onExit?.();
  });
  supervisor.unref();
  if (supervisor.stdin instanceof Socket) supervisor.stdin.unref();
  return launch;
}
