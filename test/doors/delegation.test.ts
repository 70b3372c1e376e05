// Delegation with real processes: with a single slot a parent starts a child and waits for it, three levels deep, and all of them finish.
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { connect, type TestClient } from '../support/clients.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const Rows = z.looseObject({
  sessions: z.array(z.looseObject({ id: z.string(), status: z.string(), label: z.string().optional() })),
});

const open: { workspace?: Workspace; client?: TestClient } = {};

afterEach(async () => {
  await open.client?.close();
  await open.workspace?.close();
});

/** A script that starts this prompt as a child, waits for it and says what came back. */
function delegating(name: string, prompt: string): string {
  const start = JSON.stringify({ prompt, agent: 'demo', label: name });
  // what the child's own script refers to is for the child
  const call = start.replaceAll(/\{\{(!*)last/g, '{{!$1last');
  return `@@mcp session_start ${call}\n@@mcp session_wait {"sessionIds": ["{{last.id}}"], "timeoutSeconds": 40}\n@@say ${name} said: {{last.sessions.0.result}}`;
}

describe('with one slot', () => {
  it('a parent, its child and its grandchild all complete, one inside the wait of the other', { timeout: 90_000 }, async () => {
    const workspace = await makeWorkspace({ userConfig: { defaultAgent: 'demo', resources: { maxConcurrentSessions: 1 } } });
    open.workspace = workspace;
    const client = await connect('modern', { env: workspace.env, cwd: workspace.path });
    open.client = client;
    const grandchild = '@@tool Bash {"command": "echo deep"}\n@@say the grandchild found {{last}}';
    const prompt = delegating('child', delegating('grandchild', grandchild));
    const { id } = await client.call('session_start', { prompt, label: 'parent' });
    await expect
      .poll(async () => client.call('session_wait', { sessionIds: [id], timeoutSeconds: 20 }), { timeout: 80_000 })
      .toMatchObject({ timedOut: false });
    const { sessions } = Rows.parse(await client.call('session_list', {}));
    expect(sessions.map(({ label, status }) => [label, status])).toEqual([
      ['grandchild', 'completed'],
      ['child', 'completed'],
      ['parent', 'completed'],
    ]);
    const parent = await client.call('session_get', { sessionId: id });
    expect(parent.result).toBe('child said: grandchild said: the grandchild found deep');
    expect(await client.call('queue_status')).toMatchObject({ slots: { total: 1, taken: 0, lent: 0 }, waiting: 0 });
  });
});
