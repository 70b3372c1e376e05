// The runner of interactive sessions: each run has a terminal on the workspace's own tmux server, where a person can meet it.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { fail } from '../core/errors.ts';
import { oneAfterTheOther } from '../core/in-turn.ts';
import type { Run, Runner, RunSpec, Terminals } from '../core/run-ports.ts';
import { locateAgent, UNKNOWN_AGENT } from './agent-argv.ts';
import type { AutonomousRunnerOptions } from './autonomous.ts';
import { DELIVERY_LIMITS, type DeliveryLimits } from './deliver.ts';
import { endRun } from './end-marked.ts';
import { followInteractive } from './follow-interactive.ts';
import { prepareAsks } from './hook-asks.ts';
import { hookSettings, interactiveArgv, settingsFile } from './interactive-argv.ts';
import { isProgram } from './locate-program.ts';
import { paneOf } from './pane.ts';
import { placeOf, RUN_MARK } from './process.ts';
import { fence, readClaim, readSpec, runFolder } from './run-folder.ts';
import { accessOf, makeRunFolder, programFor } from './run-start.ts';
import { shellWord } from './shell-word.ts';
import { type Tmux, tmuxAt, tmuxProgramOn } from './tmux.ts';
import { prepareTold } from './told.ts';

export interface InteractiveRunnerOptions extends Omit<AutonomousRunnerOptions, 'scripts' | 'resultGraceMs'> {
  /** A folder of this user alone with a short path; the tmux server has its socket below it. */
  readonly runtimeDir: string;
  /** Absolute paths. An empty keeper: supervisors start none. */
  readonly scripts: Readonly<Record<'supervise' | 'hook' | 'keeper' | 'demoAgent' | 'hub', string>>;
  readonly limits?: Partial<DeliveryLimits>;
}

/** What a later hub needs to know besides. */
const TerminalSpec = z.looseObject({ resume: z.boolean(), startedAt: z.number(), tmux: z.string() });

export function createInteractiveRunner(options: InteractiveRunnerOptions): Runner & Terminals {
  const { stateDir, workspace, runtimeDir, hubPidFile, nodePath, scripts, clock } = options;
  const programs = { node: nodePath, demoAgent: scripts.demoAgent };
  const limits = { ...DELIVERY_LIMITS, ...options.limits };
  const socket = path.join(runtimeDir, 'tmux', 's');
  const place = placeOf(workspace);
  const markFor = (sessionId: string, run: number) => `${place}/${sessionId}/${run}`;
  // the names of the variables a pane gets are an option of the whole server
  const inTurn = oneAfterTheOther();
  const servers = new Map<string, Tmux>();
  const tmuxOf = (program: string) => {
    const known = servers.get(program) ?? tmuxAt(program, socket);
    servers.set(program, known);
    return known;
  };

  /** The pane as a later hub finds it; `spec` is unreadable only after damage. */
  async function found(sessionId: string, run: number) {
    const spec = readSpec(runFolder(stateDir, sessionId, run));
    const { resume, startedAt, tmux } = TerminalSpec.safeParse(spec).data ?? { resume: true, startedAt: 0, tmux: 'tmux' };
    return { spec, resume, startedAt, tmux, pane: paneOf(tmuxOf(tmux), sessionId, run) };
  }

  async function adopt(sessionId: string, run: number): Promise<Run | undefined> {
    const folder = runFolder(stateDir, sessionId, run);
    if (fence(folder) || readClaim(folder) === 'fenced') return undefined;
    const { spec, resume, startedAt, pane } = await found(sessionId, run);
    const agent = spec?.agent ?? UNKNOWN_AGENT;
    const mark = markFor(sessionId, run);
    return followInteractive({ folder, agent, mark, clock, pane, limits, startedAt, resume, isOurs: false });
  }

  return {
    async locate(agent, env) {
      await tmuxProgramOn(env.PATH ?? '');
      return locateAgent(agent, env, programs);
    },

    async start(spec) {
      const { sessionId, run, agent, cwd, resume } = spec;
      const tmux = tmuxOf(await tmuxProgramOn(spec.env.PATH ?? ''));
      const program = programFor(spec, programs);
      const folder = runFolder(stateDir, sessionId, run);
      const argv = await interactiveArgv(spec, program, programs, folder);
      const mark = markFor(sessionId, run);
      const startedAt = clock.now();
      const words = [scripts.supervise, folder, hubPidFile, scripts.keeper, nodePath, scripts.hub, workspace, '--', ...argv];
      makeRunFolder(folder, spec, {
        kept: { argv, mark, startedAt, tmux: tmux.program },
        input: { file: 'prompt', text: '' },
        more: () => prepareTerminal(folder, words, spec),
      });
      const pane = paneOf(tmux, sessionId, run);
      const env = { ...spec.env, ...accessOf(spec), SCOPECRAFT_SESSION: sessionId, [RUN_MARK]: mark };
      const open = async () => {
        await tmux.ensureServer(spec.env.PATH ?? '');
        return pane.open({
          cwd,
          env,
          script: launchFile(folder),
          shell: spec.env.SHELL !== undefined && isProgram(spec.env.SHELL) ? spec.env.SHELL : undefined,
          output: agent.kind === 'command' ? path.join(folder, 'out') : undefined,
        });
      };
      // the server may have left between the two, with the last session on it
      const problem = await inTurn(async () => ((await open()) === undefined ? undefined : await open()));
      if (problem !== undefined) fail('STORAGE_FAILED', `The terminal could not be opened: ${problem.slice(0, 300)}`);
      return followInteractive({ folder, agent, mark, clock, pane, limits, startedAt, resume, isOurs: true });
    },

    adopt,

    async end(sessionId, run) {
      await endRun(markFor(sessionId, run));
      const { pane } = await found(sessionId, run);
      await pane.close();
    },

    async find(sessionId, run) {
      const { pane, tmux } = await found(sessionId, run);
      const view = await pane.look();
      if (!view || view.isDead) return undefined;
      return {
        // from inside another tmux too
        command: ['env', '-u', 'TMUX', tmux, '-S', socket, 'attach-session', '-t', `=${pane.session}`],
        socket,
        session: pane.session,
        pane: view.pane,
        attached: view.attached,
      };
    },

    async detach(sessionId, run) {
      const { pane } = await found(sessionId, run);
      return (await pane.look()) === undefined ? 0 : pane.detach();
    },
  };

  function prepareTerminal(folder: string, words: readonly string[], { agent, messages }: RunSpec): void {
    const mode = 0o600;
    prepareTold(folder, messages);
    if (agent.kind === 'claude') prepareAsks(folder);
    writeFileSync(settingsFile(folder), hookSettings(scripts.hook, folder), { mode });
    writeFileSync(path.join(folder, 'terminal'), '', { mode });
    writeFileSync(launchFile(folder), launchScript(words), { mode });
  }
}

function launchFile(folder: string): string {
  return path.join(folder, 'launch');
}

/** In a file, because a command of tmux may have 16 kB. */
function launchScript(words: readonly string[]): string {
  // a terminal that goes away tells only the process that leads it; when that one ends, all others in front are told: the agent, which
  // ends, and the supervisor, which writes down how. So this shell must not become the supervisor, nor end by a key that is for the agent.
  return `trap : INT QUIT\n/bin/sh ${words.map(shellWord).join(' ')}\nexit $?\n`;
}
