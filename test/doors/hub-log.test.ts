// What the hub writes to its log: no secret, also where a sentence names something that has one in it.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { MASK } from '../../core/secrets.ts';
import { connect } from '../support/clients.ts';
import { makeWorkspace } from '../support/workspace.ts';

/** The value of a variable that the config calls a secret, and a key of a known form. */
const WORD = 'quiet-harbour-lantern';
const KEY = `sk-ant-api03-${'a1b2'.repeat(8)}`;

it('names a task and a host, and masks the secret in their names', async () => {
  const workspace = await makeWorkspace({
    // its front matter has no room for sessions, which is a problem to be logged
    tasks: { [`${WORD}.task.md`]: '---\ntype: test\nsessions: none\n---\n\n# A task\n\n## Instruction\n\n@@say done\n' },
    userConfig: {
      defaultAgent: 'demo',
      agents: { demo: { kind: 'demo', env: ['HARBOUR'] } },
      secrets: { variables: ['HARBOUR'] },
      server: { http: { enabled: true, host: KEY } },
    },
    env: { HARBOUR: WORD },
  });
  const log = () => readFile(path.join(workspace.path, '.scopecraft', 'state', 'hub.log'), 'utf8');
  const client = await connect('modern', { env: workspace.env, cwd: workspace.path });
  try {
    const { id } = await client.call('session_start', { taskId: WORD });
    await client.call('session_wait', { sessionIds: [id], timeoutSeconds: 40 }, { timeoutMs: 60_000 });
    await expect.poll(log).toContain(`task file: Task "${MASK}" does not show its sessions: `);
    expect(await log()).toContain(`http: clients are not served: "${MASK}" can be reached by other machines`);
    for (const secret of [WORD, KEY]) expect(await log()).not.toContain(secret);
  } finally {
    await client.close();
    await workspace.close();
  }
});
