// How an interactive agent is started: its arguments, and for Claude Code the settings with the hooks by which it tells how it stands.
// Every value stands behind its flag and `=`, where it cannot become a flag itself.
import path from 'node:path';
import type { RunSpec } from '../core/run-ports.ts';
import { agentArgv, type DemoParts } from './agent-argv.ts';
import { denyArguments } from './claude-deny.ts';
import { asksFolder } from './hook-asks.ts';
import { HUB_TOOLS } from './hub-server.ts';
import { mcpConfigFile } from './run-folder.ts';
import { shellWord } from './shell-word.ts';

/** All events that Claude Code tells us about. An event that a version does not know would make it ask at its start. */
const HOOKS = ['SessionStart', 'UserPromptSubmit', 'Stop', 'Notification', 'PermissionRequest', 'SessionEnd'];

/** The one whose answer is a decision. It waits longer than any answer that `requests.timeoutMs` may want, in seconds. */
const ASKS = 'PermissionRequest';
const ASKS_TIMEOUT = 2_000_000;

/** The file with the settings of one run. */
export function settingsFile(folder: string): string {
  return path.join(folder, 'settings.json');
}

/** The file to which hooks add their lines. */
export function hooksFile(folder: string): string {
  return path.join(folder, 'hooks');
}

/** Program and arguments of one interactive run. */
export async function interactiveArgv(
  spec: RunSpec,
  program: string,
  demo: DemoParts,
  folder: string,
): Promise<readonly string[]> {
  const { agent, conversationId, resume, model, mcp, briefing } = spec;
  if (agent.kind === 'command') return [program, ...agent.args];
  if (agent.kind === 'demo') return [...(await agentArgv(spec, program, demo)), `--terminal=${path.join(folder, 'out')}`];
  const tools = [...agent.tools, ...(mcp ? [HUB_TOOLS] : [])];
  return [
    program,
    ...agent.args,
    `--${resume ? 'resume' : 'session-id'}=${conversationId}`,
    `--permission-mode=${agent.permissionMode}`,
    `--settings=${settingsFile(folder)}`,
    ...(model === undefined ? [] : [`--model=${model}`]),
    ...(briefing === '' ? [] : [`--append-system-prompt=${briefing}`]),
    ...(tools.length === 0 ? [] : [`--allowedTools=${tools.join(',')}`]),
    ...denyArguments(spec.deny),
    ...(mcp === undefined ? [] : [`--mcp-config=${mcpConfigFile(folder)}`]),
  ];
}

/** The settings of one run of Claude Code, as text. */
export function hookSettings(hookScript: string, folder: string): string {
  // read by the shell that Claude Code starts for it anyway
  const command = `to=${shellWord(hooksFile(folder))}; . ${shellWord(hookScript)}`;
  const asking = `asks=${shellWord(asksFolder(folder))}; ${command}`;
  const entryOf = (name: string) =>
    name === ASKS ? { type: 'command', command: asking, timeout: ASKS_TIMEOUT } : { type: 'command', command };
  return JSON.stringify({ hooks: Object.fromEntries(HOOKS.map((name) => [name, [{ hooks: [entryOf(name)] }]])) });
}
