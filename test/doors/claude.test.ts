// The first working line, on the real thing: Claude Code as the client starts Claude Code as the agent, waits for it and reads its log.
// The same line with the demo agent over the SDK's clients on stdio, and through `sc`.
import { mkdir, readFile, symlink } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { runClaude } from '../support/claude.ts';
import { CLIENT_KINDS, connect, sc } from '../support/clients.ts';
import { DOOR, PROJECT } from '../support/project.ts';
import { type StubModel, startStubModel } from '../support/stub-model.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const TASK = (lines: string) =>
  `# Write a file\n\n---\ntype: feature\nstatus: todo\narea: test\n---\n\n## Instruction\n\n${lines}\n\n## Log\n`;
const CHILD = TASK(
  '@@tool Bash {"command": "echo from the child > made-by-child.txt && cat made-by-child.txt"}\n@@say The child wrote: {{last}}',
);
const DEMO = TASK(
  '@@tool Bash {"command": "echo from the demo > made-by-demo.txt && cat made-by-demo.txt"}\n@@cost 0.25\n@@say The demo is done.',
);
const McpConfig = z.object({ mcpServers: z.record(z.string(), z.unknown()) });
const Answer = z.looseObject({
  sessions: z.array(
    z.looseObject({
      id: z.string(),
      status: z.string(),
      result: z.string(),
      costUsd: z.number(),
      cause: z.looseObject({ kind: z.string() }),
    }),
  ),
});
const ToolResults = z.looseObject({
  type: z.literal('user'),
  message: z.looseObject({ content: z.array(z.looseObject({ type: z.literal('tool_result'), content: z.unknown() })) }),
});

let model: StubModel;
let workspace: Workspace;

beforeAll(async () => {
  model = await startStubModel();
  workspace = await makeWorkspace({
    modelUrl: model.url,
    tasks: { 'child.task.md': CHILD, 'demo-task.task.md': DEMO },
    userConfig: { agents: { claude: { kind: 'claude', command: 'claude', tools: ['Bash'] } } },
  });
});

afterAll(async () => {
  await workspace?.close();
  await model?.close();
});

describe('real Claude Code as the client', () => {
  it('starts real Claude Code on a task, waits for it and reads its log', async () => {
    const bin = path.join(workspace.home, 'bin');
    await mkdir(bin);
    await symlink(DOOR, path.join(bin, 'scopecraft-orchestrator'));
    const { mcpServers } = McpConfig.parse(JSON.parse(await readFile(path.join(PROJECT, 'mcp.json'), 'utf8')));
    const run = await runClaude({
      sandbox: { root: workspace.root, home: workspace.home, cwd: workspace.path, env: workspace.env, close: async () => {} },
      mcpServers,
      args: ['--allowedTools', 'mcp__scopecraft'],
      env: { PATH: `${bin}:${workspace.env.PATH}` },
      prompt: [
        '@@tool mcp__scopecraft__session_start {"taskId": "child"}',
        '@@tool mcp__scopecraft__session_wait {"sessionIds": ["{{last.id}}"], "timeoutSeconds": 40}',
        '@@tool mcp__scopecraft__session_logs {"sessionId": "{{last.sessions.0.id}}"}',
        '@@tool mcp__scopecraft__session_wait {"sessionIds": ["{{last.sessionId}}"]}',
        '@@say The client is done.',
      ].join('\n'),
    });
    expect(run.stderr).toBe('');
    expect(run.result).toMatchObject({ is_error: false, result: 'The client is done.' });
    const results = run.records
      .flatMap((record) => ToolResults.safeParse(record).data?.message.content ?? [])
      .map(({ content }) => textOf(content))
      // a Claude whose servers are still connecting waits for them first
      .filter((text) => text.startsWith('{'));
    expect(results).toHaveLength(4);

    expect(await readFile(path.join(workspace.path, 'made-by-child.txt'), 'utf8')).toBe('from the child\n');
    const [session] = Answer.parse(JSON.parse(results.at(-1) ?? '')).sessions;
    expect(session).toMatchObject({ status: 'completed', cause: { kind: 'done' }, result: 'The child wrote: from the child' });
    expect(session?.costUsd).toBeGreaterThan(0);
    expect(results[2]).toContain('made-by-child.txt');
    await expect
      .poll(() => workspace.task('child'))
      .toMatch(/- \d{4}-\d\d-\d\d \d\d:\d\d:\d\d: Session completed, \$0\.\d{4}, 2 turns: The child wrote: from the child/);
    expect(await workspace.task('child')).toContain(`- id: ${session?.id}\n    type: autonomous\n    status: completed`);
  });
});

describe('the same line with the demo agent', () => {
  it.each(CLIENT_KINDS)('over stdio with the %s client', async (kind) => {
    const client = await connect(kind, { env: workspace.env, cwd: workspace.path });
    try {
      const started = await client.call('session_start', { taskId: 'demo-task', agent: 'demo' });
      const waited = Answer.parse(await client.call('session_wait', { sessionIds: [started.id], timeoutSeconds: 30 }));
      expect(waited.sessions).toMatchObject([
        { id: started.id, status: 'completed', result: 'The demo is done.', costUsd: 0.25 },
      ]);
      const { entries } = await client.call('session_logs', { sessionId: started.id });
      expect(entries).toEqual(expect.arrayContaining([expect.objectContaining({ kind: 'tool_result', text: 'from the demo' })]));
      expect(await readFile(path.join(workspace.path, 'made-by-demo.txt'), 'utf8')).toBe('from the demo\n');
      await expect.poll(() => workspace.task('demo-task')).toContain(`### Session: ${started.id} (Autonomous)`);
      expect(JSON.parse(await client.read(`session://${started.id}`))).toMatchObject({ status: 'completed' });
      expect(await client.read('task://demo-task/history')).toContain('Session completed, $0.2500');
      expect(JSON.parse(await client.read('queue://status'))).toMatchObject({ slots: { total: 3, taken: 0 } });
    } finally {
      await client.close();
    }
  });

  it('through sc', async () => {
    const at = { env: workspace.env, cwd: workspace.path };
    const started = await sc(['session', 'start', 'demo-task', '--agent=demo', '--format=json'], at);
    expect(started.stderr).toBe('');
    const { id } = z.looseObject({ id: z.string() }).parse(JSON.parse(started.stdout));
    const waited = await sc(['session', 'wait', id, '--format=json'], at);
    expect(Answer.parse(JSON.parse(waited.stdout)).sessions).toMatchObject([
      { status: 'completed', result: 'The demo is done.', costUsd: 0.25 },
    ]);
    const logs = await sc(['session', 'logs', id, '--follow'], at);
    expect(logs.stdout).toMatch(/tool_result Bash +from the demo/);
    expect((await sc(['session', 'list'], at)).stdout).toMatch(new RegExp(`${id} +completed +demo +medium`));
    expect((await sc(['status'], at)).stdout).toMatch(/hub +running/);
  });
});

function textOf(content: unknown): string {
  const blocks = z.array(z.looseObject({ text: z.string() })).safeParse(content);
  return blocks.success ? blocks.data.map(({ text }) => text).join('') : String(content);
}
