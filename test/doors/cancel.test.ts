// Cancelling real Claude Code while it runs a tool: everything it started is gone, soon.
import { readdir, readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, sc, type TestClient } from '../support/clients.ts';
import { type StubModel, startStubModel } from '../support/stub-model.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

let model: StubModel;
let workspace: Workspace;
let client: TestClient;

beforeAll(async () => {
  model = await startStubModel();
  workspace = await makeWorkspace({
    modelUrl: model.url,
    userConfig: { agents: { claude: { kind: 'claude', command: 'claude', tools: ['Bash'] } } },
  });
  client = await connect('modern', { env: workspace.env, cwd: workspace.path });
});

afterAll(async () => {
  await client?.close();
  await workspace?.close();
  await model?.close();
});

/** Commands of the living processes that carry the marker of this session. */
async function processesOf(sessionId: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const commands = await Promise.all(
    pids.map(async (pid) => {
      const read = (name: string) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
      const isOurs = (await read('environ')).split('\0').includes(`SCOPECRAFT_SESSION=${sessionId}`);
      const isZombie = /\) Z /.test(await read('stat'));
      return isOurs && !isZombie ? (await read('cmdline')).replaceAll('\0', ' ').trim() : '';
    }),
  );
  return commands.filter(Boolean);
}

describe('cancelling Claude Code that runs `sleep 600`', () => {
  it('leaves no process of the session, within 8 seconds', async () => {
    // a command that begins with a long sleep is refused by newer versions
    const prompt = '@@tool Bash {"command": "echo begun; sleep 600"}';
    const { id } = await client.call('session_start', { prompt, agent: 'claude' });
    await expect.poll(() => processesOf(String(id)), { timeout: 15_000 }).toContain('sleep 600');
    const asked = performance.now();
    const cancelled = await sc(['session', 'cancel', String(id), '--reason', 'enough of it'], {
      env: workspace.env,
      cwd: workspace.path,
    });
    expect(cancelled.stdout).toMatch(/is stopping: cancelled by sc: enough of it/);
    await expect.poll(() => processesOf(String(id)), { timeout: 10_000, interval: 50 }).toEqual([]);
    expect(performance.now() - asked).toBeLessThan(8000);
    const { sessions } = await client.call('session_wait', { sessionIds: [id] });
    expect(sessions).toMatchObject([{ status: 'cancelled', cause: { kind: 'cancelled', by: 'sc', reason: 'enough of it' } }]);
    expect(await client.call('queue_status')).toMatchObject({ slots: { taken: 0 } });
    const after = await sc(['session', 'cancel', String(id)], { env: workspace.env, cwd: workspace.path });
    expect(after).toMatchObject({ code: 0, stdout: expect.stringContaining('is cancelled') });
  });
});
