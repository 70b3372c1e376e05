// Real Claude Code: it lists our prompts as slash commands, gets them, and does what they say.
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type ClaudeRun, runClaude } from '../support/claude.ts';
import { connect, type TestClient } from '../support/clients.ts';
import { DOOR } from '../support/project.ts';
import { type StubModel, startStubModel } from '../support/stub-model.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const GUIDES = ['start_task', 'continue_session', 'review_session', 'delegate'];
const Init = z.looseObject({ subtype: z.literal('init'), slash_commands: z.array(z.string()) });
const RULE = `---
name: Greet
priority: 5
conditions:
  - { field: area, operator: equals, value: greeting }
---
@@say Hello from {{task.title}}.
`;

let model: StubModel;
let workspace: Workspace;
let client: TestClient;

beforeAll(async () => {
  model = await startStubModel();
  workspace = await makeWorkspace({
    modelUrl: model.url,
    tasks: { greet: '# The task\n\n---\ntype: bug\nstatus: todo\narea: greeting\n---\n\n## Instruction\n\nGreet.\n' },
    userConfig: { defaultAgent: 'demo' },
  });
  const folder = path.join(workspace.path, '.scopecraft', 'prompts');
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'greet-rule.md'), RULE);
  // its hub is there when Claude Code comes, so that it need not wait for one
  client = await connect('modern', { env: workspace.env, cwd: workspace.path });
});

afterAll(async () => {
  await client?.close();
  await workspace?.close();
  await model?.close();
});

const commandsOf = (run: ClaudeRun) =>
  run.records.flatMap((record) => Init.safeParse(record).data?.slash_commands ?? []).filter((name) => name.startsWith('mcp__'));

/** Claude Code with this typed in; it waits for its servers before it looks at it. */
function typed(prompt: string): Promise<ClaudeRun> {
  return runClaude({
    sandbox: { root: workspace.root, home: workspace.home, cwd: workspace.path, env: workspace.env, close: async () => {} },
    mcpServers: { scopecraft: { command: process.execPath, args: [DOOR] } },
    args: ['--allowedTools', 'mcp__scopecraft'],
    env: { MCP_CONNECTION_NONBLOCKING: '0', MCP_CONNECT_TIMEOUT_MS: '30000' },
    prompt,
  });
}

describe('real Claude Code', () => {
  it('lists the prompts as slash commands, those of rules too', async () => {
    const commands = commandsOf(await typed('/mcp__scopecraft__start_task greet'));
    expect(commands).toEqual(
      expect.arrayContaining([...GUIDES, 'greet-rule', 'default'].map((name) => `mcp__scopecraft__${name}`)),
    );
  });

  it('gets the text of one with what was typed behind it', async () => {
    const from = model.requests().length;
    const run = await typed('/mcp__scopecraft__start_task greet');
    expect(run.result).toMatchObject({ is_error: false });
    const told = model
      .requests()
      .slice(from)
      .map(({ prompt }) => prompt ?? '');
    const text = await client.prompt('start_task', { taskId: 'greet' });
    expect(text).toContain('(rule greet-rule)');
    // the stub takes the script in it for its own and says it
    expect(run.result?.result).toBe('Hello from The task.');
    expect(told.some((prompt) => prompt.includes(text.trim()))).toBe(true);
  });

  it('is told by a rule what to do when its command is typed', async () => {
    const run = await typed('/mcp__scopecraft__greet-rule greet');
    expect(run.result).toMatchObject({ is_error: false, result: 'Hello from The task.' });
  });
});
