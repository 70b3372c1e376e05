// Real Claude Code as a client over HTTP: it waits for a session while the hub is killed, and gets its answer from the next one.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { runClaude } from '../support/claude.ts';
import { sc } from '../support/clients.ts';
import { type StubModel, startStubModel } from '../support/stub-model.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const Listed = z.looseObject({ sessions: z.array(z.looseObject({ status: z.string() })) });

let model: StubModel;
let workspace: Workspace;
beforeAll(async () => {
  model = await startStubModel();
  workspace = await makeWorkspace({
    modelUrl: model.url,
    userConfig: { defaultAgent: 'demo', server: { http: { enabled: true } } },
  });
});
afterAll(async () => {
  await workspace.close();
  await model.close();
});

it('has its answer, and no child twice, after a hub kill under its call', async () => {
  const { env, path: cwd, root, home } = workspace;
  const state = path.join(cwd, '.scopecraft', 'state');
  const list = async () => {
    const { code, stdout, stderr } = await sc(['session', 'list', '--format=json'], { env, cwd });
    expect(code, stderr).toBe(0);
    return Listed.parse(JSON.parse(stdout)).sessions;
  };
  // starts the hub
  expect(await list()).toEqual([]);
  const url = `http://127.0.0.1:${(await readFile(path.join(state, 'port'), 'utf8')).trim()}/mcp`;
  const token = (await readFile(path.join(state, 'tokens', 'operate'), 'utf8')).trim();
  const child = '@@tool Bash {\\"command\\":\\"until [ -f go ]; do sleep 0.1; done\\"}\\n@@say forty-two';
  const claude = runClaude({
    sandbox: { root, home, cwd, env, close: async () => {} },
    prompt: [
      // its servers may still be connecting in its first turn
      '@@tool Bash {"command":"sleep 2"}',
      `@@tool mcp__scopecraft__session_start {"prompt":"${child}"}`,
      '@@tool mcp__scopecraft__session_wait {"sessionIds":["{{last.id}}"],"timeoutSeconds":40}',
      '@@say The child said {{last.sessions.0.result}}.',
    ].join('\n'),
    args: ['--allowedTools', 'mcp__scopecraft,Bash'],
    mcpServers: { scopecraft: { type: 'http', url, headers: { Authorization: `Bearer ${token}` }, timeout: 60_000 } },
  });
  await expect.poll(async () => (await list()).map(({ status }) => status), { timeout: 60_000 }).toEqual(['running']);
  // until it waits
  await delay(1500);
  const hub = await workspace.hub();
  if (!hub) throw new Error('There is no hub to kill.');
  process.kill(hub.pid, 'SIGKILL');
  await list();
  await writeFile(path.join(cwd, 'go'), '');
  expect((await claude).result).toMatchObject({ is_error: false, result: 'The child said forty-two.' });
  expect((await list()).map(({ status }) => status)).toEqual(['completed']);
});
