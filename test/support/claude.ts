// The real Claude Code in a sandbox: a home of its own, a made-up key, and the stub model as its only network.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { endAllMarked, listed, processesLeft } from './processes.ts';
import { type Environment, environmentOf, homeBelow, makeRoot } from './project.ts';
import { type ProgramRun, runProgram } from './run-program.ts';

/** A key that no service knows. */
export const DUMMY_KEY = 'sk-ant-dummy-0000000000000000000000000000stub';

/** What claude needs in its environment to work with the stub, besides the base. */
export function claudeVariables(modelUrl: string, configDir: string): Environment {
  return {
    CLAUDE_CONFIG_DIR: configDir,
    ANTHROPIC_API_KEY: DUMMY_KEY,
    ANTHROPIC_BASE_URL: modelUrl,
    DISABLE_TELEMETRY: '1',
    DISABLE_AUTOUPDATER: '1',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  };
}

/** Writes the config that lets claude start without asking anything, also in the `trusted` folders. */
export async function writeClaudeConfig(configDir: string, trusted: readonly string[]): Promise<void> {
  await mkdir(configDir, { recursive: true, mode: 0o700 });
  const projects = Object.fromEntries(
    trusted.map((folder) => [folder, { hasTrustDialogAccepted: true, hasCompletedProjectOnboarding: true }]),
  );
  const config = {
    hasCompletedOnboarding: true,
    theme: 'dark',
    customApiKeyResponses: { approved: [DUMMY_KEY.slice(-20)], rejected: [] },
    projects,
  };
  await writeFile(path.join(configDir, '.claude.json'), JSON.stringify(config), { mode: 0o600 });
}

export interface ClaudeSandbox {
  readonly root: string;
  readonly home: string;
  /** An empty folder to work in, trusted by claude. */
  readonly cwd: string;
  readonly env: Environment;
  /** Removes everything. Rejects when a process of the sandbox was still there, after ending it. */
  close(): Promise<void>;
}

export interface SandboxOptions {
  /** Where the stub model listens. */
  readonly modelUrl: string;
  /** Further folders that claude shall trust. */
  readonly trusted?: readonly string[];
}

/** A temporary home for claude. */
export async function claudeSandbox({ modelUrl, trusted = [] }: SandboxOptions): Promise<ClaudeSandbox> {
  const root = await makeRoot();
  const folders = homeBelow(root);
  const cwd = path.join(folders.home, 'w');
  for (const folder of [...Object.values(folders), cwd]) await mkdir(folder, { recursive: true, mode: 0o700 });
  const configDir = path.join(folders.home, '.claude');
  await writeClaudeConfig(configDir, [cwd, ...trusted]);
  return {
    root,
    home: folders.home,
    cwd,
    env: { ...environmentOf(folders), ...claudeVariables(modelUrl, configDir) },
    close: () => closeRoot(root),
  };
}

/** Removes a test's folder after its processes: waits `graceMs` for them, ends what is left, and rejects with their pids unless they were `expected`. */
export async function closeRoot(root: string, { graceMs = 3000, expected = false } = {}): Promise<void> {
  const left = await processesLeft(root, expected ? 0 : graceMs);
  await endAllMarked(root);
  await rm(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  if (left.length > 0 && !expected) throw new Error(`Processes were left behind and had to be ended: ${listed(left)}.`);
}

const ClaudeRecord = z.looseObject({ type: z.string(), subtype: z.string().optional() });
export type ClaudeRecord = z.infer<typeof ClaudeRecord>;

const ClaudeResult = z.looseObject({
  type: z.literal('result'),
  subtype: z.string(),
  is_error: z.boolean(),
  result: z.string().optional(),
  session_id: z.string(),
  num_turns: z.number(),
  total_cost_usd: z.number(),
});
export type ClaudeResult = z.infer<typeof ClaudeResult>;

export interface ClaudeRun extends ProgramRun {
  readonly records: readonly ClaudeRecord[];
  /** The last result record. */
  readonly result: ClaudeResult | undefined;
}

export interface ClaudeOptions {
  readonly sandbox: ClaudeSandbox;
  /** Handed over on standard input. */
  readonly prompt: string;
  /** Default: the sandbox's folder. */
  readonly cwd?: string;
  /** Servers by name; claude then knows no others. */
  readonly mcpServers?: Readonly<Record<string, unknown>>;
  /** Further arguments, such as `--allowedTools Bash`. */
  readonly args?: readonly string[];
  /** Further variables. */
  readonly env?: Environment;
  readonly timeoutMs?: number;
}

/** Run `claude -p` to its end. */
export async function runClaude({
  sandbox,
  prompt,
  cwd = sandbox.cwd,
  mcpServers,
  args = [],
  env = {},
  timeoutMs = 60_000,
}: ClaudeOptions): Promise<ClaudeRun> {
  const mcpArgs = mcpServers === undefined ? [] : ['--strict-mcp-config', '--mcp-config', JSON.stringify({ mcpServers })];
  const argv = ['-p', '--output-format', 'stream-json', '--verbose', ...mcpArgs, ...args];
  const run = await runProgram('claude', argv, { env: { ...sandbox.env, ...env }, cwd, input: prompt, timeoutMs });
  const records = recordsOf(run.stdout);
  const results = records.flatMap((record) => ClaudeResult.safeParse(record).data ?? []);
  return { ...run, records, result: results.at(-1) };
}

/** The records in a stream-json text. Throws at a line that is none. */
export function recordsOf(text: string): readonly ClaudeRecord[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => ClaudeRecord.parse(JSON.parse(line)));
}
