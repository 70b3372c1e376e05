// The command line of Claude Code: channelcoder builds its frame once, from placeholders; our own values are put in afterwards.
// So no value passes through channelcoder (it would take `{id}` or a leading dash for its own), and every value stands behind its
// flag and `=`, where it cannot become a flag itself. What is said to it comes on standard input and never on the command line.
import { z } from 'zod';
import { fail } from '../core/errors.ts';
import type { RunSpec } from '../core/run-ports.ts';
import { denyArguments } from './claude-deny.ts';
import { HUB_SERVER, HUB_TOOLS } from './hub-server.ts';

const BRIEFING = 'SCOPECRAFT_BRIEFING';
const TOOLS = 'SCOPECRAFT_TOOLS';
const PROMPT = 'SCOPECRAFT_PROMPT';

const ON_ITS_OUTPUT = JSON.stringify({ mcpServers: { [HUB_SERVER]: { type: 'sdk', name: HUB_SERVER } } });

const DryRun = z.object({ args: z.array(z.string()) });
let frame: Promise<readonly string[]> | undefined;

/** Loads channelcoder (about 150 ms), so that the first start need not wait for it. */
export async function warm(): Promise<void> {
  frame ??= buildFrame();
  await frame;
}

/** Arguments for one run, the program itself not included. */
export async function claudeArgv(spec: RunSpec): Promise<readonly string[]> {
  frame ??= buildFrame();
  const values: Readonly<Record<string, string>> = {
    [BRIEFING]: spec.briefing,
    [TOOLS]: [...spec.agent.tools, ...(spec.mcp ? [HUB_TOOLS] : [])].join(','),
  };
  const framed = (await frame).flatMap((argument, at, all) => {
    const value = values[all[at + 1] ?? ''];
    if (value !== undefined) return value === '' ? [] : [`${argument}=${value}`];
    return Object.hasOwn(values, argument) ? [] : [argument];
  });
  return [
    ...spec.agent.args,
    ...framed,
    ...denyArguments(spec.deny),
    // messages by line, each repeated with its id once it was taken up
    '--input-format=stream-json',
    '--replay-user-messages',
    // it asks on its output and takes the answer from its input: a tool of ours it would have to reach at its first use of any
    '--permission-prompt-tool=stdio',
    `--${spec.resume ? 'resume' : 'session-id'}=${spec.conversationId}`,
    `--permission-mode=${spec.agent.permissionMode}`,
    ...(spec.model === undefined ? [] : [`--model=${spec.model}`]),
    // called on its output; in place of a server of that name which the user has, beside all others
    ...(spec.mcp === undefined ? [] : [`--mcp-config=${ON_ITS_OUTPUT}`]),
    ...(spec.resultSchema === undefined ? [] : [`--json-schema=${spec.resultSchema}`]),
    ...(spec.maxCostUsd === undefined ? [] : [`--max-budget-usd=${spec.maxCostUsd}`]),
  ];
}

async function buildFrame(): Promise<readonly string[]> {
  const { claude } = await import('channelcoder');
  const { data } = await claude(PROMPT, { dryRun: true, mode: 'stream', appendSystem: BRIEFING, tools: [TOOLS] });
  const { args } = DryRun.parse(data);
  const expected = ['--print', '--output-format', 'stream-json', '--verbose', BRIEFING, TOOLS];
  const missing = expected.filter((argument) => !args.includes(argument));
  if (missing.length > 0) fail('INTERNAL', `channelcoder built a command line without ${missing.join(', ')}.`);
  return args;
}
