// Agents: what a declared one is, those that are built in, and which environment variables each may get.
import { z } from 'zod';
import type { Config } from './config.ts';

export const PERMISSION_MODES = ['default', 'acceptEdits', 'plan', 'dontAsk', 'bypassPermissions'] as const;
export type PermissionMode = (typeof PERMISSION_MODES)[number];

export const AgentEntry = z.strictObject({
  kind: z
    .enum(['claude', 'command', 'demo'])
    .describe('How it is run: `claude` is Claude Code, `command` any other program, `demo` the built-in rehearsal agent.'),
  command: z.string().min(1).optional().describe('Program, as a name on PATH or an absolute path. Default for `claude`: claude.'),
  args: z.array(z.string()).default([]).describe('Fixed arguments, before ours. The prompt comes on standard input.'),
  env: z
    .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/))
    .default([])
    .describe('Names of environment variables it gets besides the base ones.'),
  permissionMode: z.enum(PERMISSION_MODES).default('acceptEdits').describe('For `claude`: what it may do without asking.'),
  tools: z
    .array(z.string().min(1))
    .default([])
    .describe('For `claude`: tools it may use without asking, such as `Bash(npm test:*)`.'),
  output: z.enum(['stream-json', 'text']).default('text').describe('For `command`: what its standard output is.'),
  model: z.string().min(1).optional().describe('Model when the start names none.'),
});
export type AgentEntry = z.infer<typeof AgentEntry>;

/** Variables every agent gets where they are set. */
export const BASE_ENVIRONMENT = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'LANG',
  'LC_ALL',
  'LC_CTYPE',
  'SHELL',
  'TERM',
  'TMPDIR',
  'TZ',
  'XDG_CONFIG_HOME',
  'XDG_RUNTIME_DIR',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
];

/** Variables Claude Code itself reads: account, endpoint, switches. Identity variables of a running Claude are not among them. */
const CLAUDE_ENVIRONMENT = [
  'ANTHROPIC_API_KEY',
  'ANTHROPIC_AUTH_TOKEN',
  'ANTHROPIC_BASE_URL',
  'ANTHROPIC_MODEL',
  'CLAUDE_CONFIG_DIR',
  'CLAUDE_CODE_OAUTH_TOKEN',
  'CLAUDE_CODE_USE_BEDROCK',
  'CLAUDE_CODE_USE_VERTEX',
  'CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC',
  'DISABLE_TELEMETRY',
  'DISABLE_AUTOUPDATER',
  'IS_SANDBOX',
];

/** Agents that are there without any config. */
export const BUILT_IN_AGENTS: Readonly<Record<string, AgentEntry>> = {
  claude: AgentEntry.parse({ kind: 'claude', command: 'claude' }),
  demo: AgentEntry.parse({ kind: 'demo', output: 'stream-json' }),
};

/** Names of all variables an agent may get: the base ones, those its kind reads, those its entry declares. */
export function environmentOf(agent: AgentEntry): readonly string[] {
  return [...BASE_ENVIRONMENT, ...(agent.kind === 'claude' ? CLAUDE_ENVIRONMENT : []), ...agent.env];
}

/** True for agents whose conversation can be gone on with in a further run. */
export function canResume({ kind }: AgentEntry): boolean {
  return kind !== 'command';
}

/** True for agents that can be spoken to while they run by themselves. */
export function canBeTold({ kind }: AgentEntry): boolean {
  return kind !== 'command';
}

/** The agent with this name, declared or built in. */
export function agentNamed(config: Pick<Config, 'agents'>, name: string): AgentEntry | undefined {
  return Object.hasOwn(config.agents, name)
    ? config.agents[name]
    : Object.hasOwn(BUILT_IN_AGENTS, name)
      ? BUILT_IN_AGENTS[name]
      : undefined;
}

/** Names of all agents that can be chosen. */
export function agentNames(config: Pick<Config, 'agents'>): readonly string[] {
  return [...new Set([...Object.keys(BUILT_IN_AGENTS), ...Object.keys(config.agents)])];
}
