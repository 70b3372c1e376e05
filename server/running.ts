// Puts together what runs and where: the runners of both types, git, and the worktrees of sessions.
import path from 'node:path';
import { type AgentEntry, environmentOf } from '../core/agent.ts';
import type { Environments, Settings } from '../core/ports.ts';
import type { Runner } from '../core/run-ports.ts';
import type { SessionType } from '../core/session.ts';
import { createAutonomousRunner } from '../runners/autonomous.ts';
import { createRunnerByType } from '../runners/by-type.ts';
import { createGit } from '../runners/git.ts';
import { createGitChanges } from '../runners/git-changes.ts';
import { noteHub } from '../runners/hub-note.ts';
import { createInteractiveRunner } from '../runners/interactive.ts';
import { createWorktrees } from '../runners/worktrees.ts';
import { systemClock } from './clock.ts';
import type { RunAccess } from './http.ts';
import type { Programs } from './programs.ts';
import type { RunIdentity } from './token.ts';

export interface RunningOptions {
  readonly workspace: string;
  readonly stateDir: string;
  /** Folder of the user for sockets. */
  readonly runtimeDir: string;
  readonly programs: Programs;
  readonly settings: Settings;
  readonly environments: Environments;
  /** The variables of the hub itself. */
  readonly environment: Readonly<Record<string, string>>;
  /** What a run is given to call this hub. */
  readonly grant: (identity: RunIdentity) => RunAccess;
  readonly typeOf: (sessionId: string) => SessionType;
  readonly agentOf: (sessionId: string) => AgentEntry | undefined;
}

/** Where requests wait as long as their session lives. */
const LONGEST_REQUEST_MS = 7 * 86_400_000;
const CALL_SLACK_MS = 120_000;

/** For the hub that owns the workspace: it is written down as the one that runs have. */
export function createRunning(options: RunningOptions) {
  const { workspace, stateDir, settings, environments, agentOf } = options;
  const { node: nodePath, ...scripts } = options.programs;
  const hubPidFile = path.join(stateDir, 'hub.pid');
  noteHub(hubPidFile);
  const running = { stateDir, workspace, nodePath, scripts, hubPidFile, clock: systemClock };
  const terminals = createInteractiveRunner({ ...running, runtimeDir: options.runtimeDir });
  const byType = createRunnerByType({ autonomous: createAutonomousRunner(running), interactive: terminals }, options.typeOf);
  // longer than any answer takes, also when the call is sent again after a hub kill
  const callTimeoutMs = () => (settings.current().requests.timeoutMs || LONGEST_REQUEST_MS) + CALL_SLACK_MS;
  const runner: Runner = {
    ...byType,
    start: (spec) => byType.start({ ...spec, mcp: { ...options.grant(spec), callTimeoutMs: callTimeoutMs() } }),
  };
  const git = createGit(options.environment);
  const worktrees = createWorktrees({
    workspace,
    stateDir,
    git,
    settings: () => settings.current().worktrees,
    async environmentOf(sessionId) {
      const agent = agentOf(sessionId);
      const names = new Set(agent ? environmentOf(agent) : []);
      return Object.fromEntries(Object.entries((await environments.find(sessionId)) ?? {}).filter(([name]) => names.has(name)));
    },
  });
  return { runner, terminals, git: createGitChanges(git, stateDir), worktrees };
}
