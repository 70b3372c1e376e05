// MCP clients of both SDKs, and workspaces that end what was started in them.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { CLIENT_KINDS, connect, ToolFailure } from './clients.ts';
import { ECHO_SERVER } from './project.ts';
import { runProgram } from './run-program.ts';
import { makeWorkspace } from './workspace.ts';

describe.each(CLIENT_KINDS)('a %s client', (kind) => {
  test('lists, calls, fails with the code, reads and is told of changes', async () => {
    const workspace = await makeWorkspace();
    const client = await connect(kind, { env: workspace.env, cwd: workspace.path, command: ECHO_SERVER });
    try {
      expect(client.revision).toBe(kind === 'modern' ? '2026-07-28' : '2025-11-25');
      expect((await client.tools()).map(({ name }) => name)).toEqual(['echo', 'refuse', 'touch']);
      const steps: unknown[] = [];
      const answer = await client.call(
        'echo',
        { a: 1 },
        { meta: { 'claudecode/toolUseId': 'toolu_1' }, onProgress: (step) => steps.push(step) },
      );
      expect(answer).toEqual({ a: 1, toolUseId: 'toolu_1' });
      expect(steps).toMatchObject([{ progress: 1, message: 'half way' }]);
      const failure = await client.call('refuse', { details: { x: 1 } }).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(ToolFailure);
      expect(failure).toMatchObject({ code: 'REFUSED', body: { message: 'It said no.', details: { x: 1 } } });
      expect(await client.read('echo://one')).toBe('the text of echo://one');
      const told: string[] = [];
      const subscription = await client.subscribe(['echo://one'], (uri) => told.push(uri));
      await client.call('touch', { uri: 'echo://two' });
      await client.call('touch', { uri: 'echo://one' });
      await expect.poll(() => told).toEqual(['echo://one']);
      await subscription.close();
    } finally {
      await client.close();
      await workspace.close();
    }
  });
});

describe('a workspace', () => {
  test('holds what it was given, with a home of its own', async () => {
    const workspace = await makeWorkspace({
      tasks: { one: '# One\n', 'current/two.task.md': '# Two\n' },
      config: { a: 1 },
      userConfig: { b: 2 },
      git: true,
    });
    expect(await workspace.task('one')).toBe('# One\n');
    expect(await workspace.task('two')).toBe('# Two\n');
    expect(await readFile(path.join(workspace.path, '.scopecraft', 'config.json'), 'utf8')).toBe('{"a":1}');
    expect(await readFile(path.join(String(workspace.env.XDG_CONFIG_HOME), 'scopecraft', 'config.json'), 'utf8')).toMatch(
      /^{"b":2,/,
    );
    const { stdout } = await runProgram('git', ['status', '--porcelain'], { env: workspace.env, cwd: workspace.path });
    expect(stdout).toBe('');
    await workspace.close();
    expect(existsSync(workspace.root)).toBe(false);
  });

  test('ends the keeper before the hub, and both before it goes', async () => {
    const workspace = await makeWorkspace();
    const keep = `mkdir -p .scopecraft/state; echo "{\\"pid\\":$$}" > .scopecraft/state/hub.json; exec sleep 300`;
    const keeper = path.join(workspace.home, 'keeper.sh');
    await writeFile(keeper, `while :; do sh -c '${keep}' & wait $!; done`);
    spawn('sh', [keeper, 'node', 'hub.cjs'], {
      cwd: workspace.path,
      env: workspace.env,
      stdio: 'ignore',
      detached: true,
    }).unref();
    await expect.poll(async () => (await workspace.hub())?.command, { timeout: 5000 }).toBe('sleep 300');
    await workspace.close();
    expect(existsSync(workspace.root)).toBe(false);
  });

  test('reports a process that was left behind, and ends it', async () => {
    const workspace = await makeWorkspace();
    const left = spawn('sleep', ['300'], { cwd: '/', env: workspace.env, stdio: 'ignore' });
    const ended = new Promise((resolve) => left.once('close', (_, signal) => resolve(signal)));
    await expect(workspace.close()).rejects.toThrow(`${left.pid} (sleep 300)`);
    expect(await ended).toBe('SIGTERM');
    expect(existsSync(workspace.root)).toBe(false);
  });
});
