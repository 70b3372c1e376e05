// Which program an agent is, where it lies, and with what arguments it is started.
import type { AgentEntry } from '../core/agent.ts';
import type { RunSpec } from '../core/run-ports.ts';
import { claudeArgv } from './claude-argv.ts';
import { locateProgram } from './locate-program.ts';

/** What the built-in agent is made of. */
export interface DemoParts {
  readonly node: string;
  readonly demoAgent: string;
}

/** The agent's program as an absolute path, or undefined when it is not there. Looked for on the PATH of the run, not on ours. */
export function locateAgent(agent: AgentEntry, env: Readonly<Record<string, string>>, demo: DemoParts): string | undefined {
  if (agent.kind === 'demo') return demo.node;
  const name = programOf(agent);
  return name === undefined ? undefined : locateProgram(name, env.PATH ?? '');
}

/** The agent of a run whose spec cannot be read: the kind with the longest ladder, read as what it most likely speaks. */
export const UNKNOWN_AGENT: AgentEntry = {
  kind: 'claude',
  args: [],
  env: [],
  permissionMode: 'default',
  tools: [],
  output: 'stream-json',
};

/** That the program of an agent is not there, in words. */
export function missingText(agent: RunSpec['agent']): string {
  return `The program "${programOf(agent) ?? ''}" of agent "${agent.name}" is not there.`;
}

/** The name the agent's program is called by. */
function programOf({ kind, command }: AgentEntry): string | undefined {
  return command ?? (kind === 'claude' ? 'claude' : undefined);
}

/** Program and arguments of one run. */
export async function agentArgv(spec: RunSpec, program: string, demo: DemoParts): Promise<readonly string[]> {
  const { agent, conversationId } = spec;
  switch (agent.kind) {
    case 'claude':
      return [program, ...(await claudeArgv(spec))];
    case 'command':
      return [program, ...agent.args];
    case 'demo':
      return [program, demo.demoAgent, ...agent.args, `--${spec.resume ? 'resume' : 'session-id'}=${conversationId}`];
  }
}
