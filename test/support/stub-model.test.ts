// The stub model proved with the real Claude Code: what its scripts say happens, and nothing that is only quoted somewhere.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { agentResult, ResultRecord } from '../../runners/agent-result.ts';
import { type ClaudeSandbox, claudeSandbox, DUMMY_KEY, recordsOf, runClaude } from './claude.ts';
import { ECHO_SERVER, PROJECT } from './project.ts';
import { type StubModel, startStubModel } from './stub-model.ts';
import { makeWorkspace } from './workspace.ts';

const MCP_SERVERS = { echo: { command: ECHO_SERVER[0], args: [ECHO_SERVER[1]] } };
const ECHO_TOOLS = ['--allowedTools', 'mcp__echo__echo,mcp__echo__refuse'];

describe('the real Claude Code on the stub model', () => {
  let stub: StubModel;
  let sandbox: ClaudeSandbox;

  beforeAll(async () => {
    stub = await startStubModel();
    sandbox = await claudeSandbox({ modelUrl: stub.url });
  });

  afterAll(async () => {
    await sandbox.close();
    await stub.close();
  });

  test('runs a Bash call that writes a file, and reports the closing words and a cost', async () => {
    const prompt = '@@tool Bash {"command":"printf written > made.txt"}';
    const { code, result } = await runClaude({ sandbox, prompt, args: ['--allowedTools', 'Bash'] });
    expect(code).toBe(0);
    expect(result).toMatchObject({ subtype: 'success', is_error: false, result: `done: ${prompt.slice(0, 60)}`, num_turns: 2 });
    expect(result?.total_cost_usd).toBeGreaterThan(0);
    expect(await readFile(path.join(sandbox.cwd, 'made.txt'), 'utf8')).toBe('written');
  });

  test('carries the made-up key and the session id to the stub', async () => {
    const { result } = await runClaude({ sandbox, prompt: '@@say hello' });
    const asked = stub.requests().filter(({ sessionId }) => sessionId === result?.session_id);
    expect(result?.result).toBe('hello');
    expect(asked).toMatchObject([{ path: '/v1/messages', status: 200, apiKey: DUMMY_KEY, prompt: '@@say hello', turn: 0 }]);
  });

  test('hands fields of a JSON result to the next call, in strings and as values', async () => {
    const prompt = [
      '@@tool mcp__echo__echo {"items":[{"id":"a\\"b"}],"n":7}',
      '@@tool mcp__echo__echo {"id":"{{last.items.0.id}}","n":{{last.n}},"text":"n is {{last.n}}","whole":"{{last}}"}',
      '@@say {{last.id}} {{last.n}} {{last.text}} {{last.whole}}',
    ].join('\n');
    const { result } = await runClaude({ sandbox, prompt, mcpServers: MCP_SERVERS, args: ECHO_TOOLS });
    expect(result?.result).toMatch(/^a"b 7 n is 7 \{"items":\[\{"id":"a\\"b"\}\],"n":7,"toolUseId":"toolu_\w+"\}$/);
  });

  test('shows the model the error text of a tool that refuses', async () => {
    const prompt = '@@tool mcp__echo__refuse {}\n@@say {{last.code}}';
    const { result } = await runClaude({ sandbox, prompt, mcpServers: MCP_SERVERS, args: ECHO_TOOLS });
    expect(result?.result).toBe('REFUSED');
  });

  test('finds a deferred tool by a search first', async () => {
    const prompt = '@@tool mcp__echo__echo {"word":"found"}\n@@say {{last.word}}';
    const { result, records } = await runClaude({
      sandbox,
      prompt,
      mcpServers: MCP_SERVERS,
      args: ECHO_TOOLS,
      env: { ENABLE_TOOL_SEARCH: 'true' },
    });
    expect(result?.result).toBe('found');
    expect(JSON.stringify(records)).toContain('"name":"ToolSearch"');
  });

  test('shows the retries of an error and goes on after it', async () => {
    const { records, result } = await runClaude({ sandbox, prompt: '@@error 529 1\n@@say better now' });
    const retries = records.filter(({ subtype }) => subtype === 'api_retry');
    expect(retries).toMatchObject([{ type: 'system', attempt: 1, error_status: 529 }]);
    expect(result).toMatchObject({ is_error: false, result: 'better now' });
  });

  test('gives up on a model that stays overloaded, which is told as what may pass', async () => {
    const { result } = await runClaude({ sandbox, prompt: '@@error 529 40\n@@say never' });
    expect(agentResult(ResultRecord.parse(result))).toMatchObject({ isError: true, errorKind: 'agent_error', isTransient: true });
  });

  test('waits as long as the script says', async () => {
    const { result } = await runClaude({ sandbox, prompt: '@@sleep 700\n@@say late' });
    expect(result).toMatchObject({ result: 'late' });
    expect(Number(result?.duration_ms)).toBeGreaterThanOrEqual(700);
  });

  test('leaves the directives of a nested prompt to the nested agent', async () => {
    const inner = '@@tool Bash {"command":"echo inner >> nested.txt"}\n@@say inner is done';
    // newer versions go on beside a nested agent unless they are told to wait for it
    const nested = { description: 'inner', subagent_type: 'general-purpose', run_in_background: false, prompt: inner };
    const prompt = [
      `@@tool Agent ${JSON.stringify(nested)}`,
      `@@tool Bash ${JSON.stringify({ command: "printf '@@say not mine\\n@@error 500\\n'; echo outer >> nested.txt" })}`,
      '@@say outer is done',
    ].join('\n');
    const { result } = await runClaude({ sandbox, prompt, args: ['--allowedTools', 'Bash,Agent,Task'] });
    expect(result?.result).toBe('outer is done');
    expect(await readFile(path.join(sandbox.cwd, 'nested.txt'), 'utf8')).toBe('inner\nouter\n');
  });

  test('answers a second prompt of a resumed session with the results of the first', async () => {
    const args = ['--allowedTools', 'Bash'];
    const first = await runClaude({ sandbox, prompt: '@@tool Bash {"command":"echo remembered"}\n@@say first', args });
    const sessionId = String(first.result?.session_id);
    const second = await runClaude({ sandbox, prompt: '@@say it was {{last}}', args: [...args, '--resume', sessionId] });
    expect(second.result).toMatchObject({ session_id: sessionId, result: 'it was remembered' });
  });

  test('acts on a message sent while the model was working', async () => {
    const { child, output } = startStreaming(sandbox);
    child.stdin.write(userLine('@@tool Bash {"command":"touch begun.txt; sleep 2"}\n@@say first'));
    await expect.poll(() => existsSync(path.join(sandbox.cwd, 'begun.txt')), { timeout: 10_000 }).toBe(true);
    child.stdin.write(userLine('Please:\n@@tool Bash {"command":"echo second"}\n@@say got {{last}}'));
    await expect
      .poll(() => recordsOf(wholeLines(output())).some(({ type }) => type === 'result'), { timeout: 10_000 })
      .toBe(true);
    child.stdin.end();
    await new Promise((resolve) => child.once('close', resolve));
    const results = recordsOf(output()).filter(({ type }) => type === 'result');
    expect(results).toMatchObject([{ result: 'got second' }]);
  });
});

describe('the stub model', () => {
  test('counts tokens, answers without streaming, and knows nothing else', async () => {
    const stub = await startStubModel();
    try {
      const post = (where: string, body: unknown) => fetch(`${stub.url}${where}`, { method: 'POST', body: JSON.stringify(body) });
      const counted = await post('/v1/messages/count_tokens', {});
      expect(await counted.json()).toEqual({ input_tokens: 10 });
      const reminder = '<system-reminder>\n@@say from a file\n</system-reminder>';
      const messages = [
        { role: 'user', content: [reminder, 'Say it:\n@@say plain\n  @@say indented'].map((text) => ({ type: 'text', text })) },
        { role: 'system', content: 'A rule:\n@@say from the system' },
      ];
      const said = await post('/v1/messages', { model: 'm', messages });
      expect(await said.json()).toMatchObject({
        model: 'm',
        stop_reason: 'end_turn',
        content: [{ type: 'text', text: 'plain' }],
      });
      const title = '<session>\n@@error 500\n</session>\n\nWrite the title.';
      expect((await post('/v1/messages', { messages: [{ role: 'user', content: title }] })).status).toBe(200);
      const nested = await post('/v1/messages', {
        messages: [{ role: 'user', content: '@@tool Run {"prompt":"@@say {{!last.id}}","text":"{{!!last}}"}' }],
      });
      expect(await nested.json()).toMatchObject({
        content: [{ name: 'Run', input: { prompt: '@@say {{last.id}}', text: '{{!last}}' } }],
      });
      const missing = await fetch(`${stub.url}/v1/models`);
      expect([missing.status, await missing.json()]).toMatchObject([404, { type: 'error', error: { type: 'not_found_error' } }]);
    } finally {
      await stub.close();
    }
  });

  test('runs as a process of its own that prints its address', async () => {
    const workspace = await makeWorkspace();
    const main = path.join(PROJECT, 'test', 'support', 'stub-model-main.ts');
    const child = spawn(process.execPath, ['--import', 'tsx', main], {
      cwd: PROJECT,
      env: workspace.env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const line = await new Promise<string>((resolve) => child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString())));
    expect((await fetch(`${JSON.parse(line).url}/v1/models`)).status).toBe(404);
    const closed = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGTERM');
    expect(await closed).toBe(0);
    await workspace.close();
  });
});

function startStreaming({ cwd, env }: ClaudeSandbox) {
  const format = ['--output-format', 'stream-json', '--input-format', 'stream-json', '--replay-user-messages', '--verbose'];
  const child = spawn('claude', ['-p', ...format, '--allowedTools', 'Bash'], { cwd, env, stdio: ['pipe', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return { child, output: () => text };
}

function userLine(text: string): string {
  return `${JSON.stringify({ type: 'user', message: { role: 'user', content: [{ type: 'text', text }] } })}\n`;
}

function wholeLines(text: string): string {
  return text.slice(0, text.lastIndexOf('\n') + 1);
}
