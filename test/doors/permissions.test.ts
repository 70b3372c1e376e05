// Who may use what, on the real Claude Code: rules of the settings where it asks nobody.
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { connect, type TestClient } from '../support/clients.ts';
import { type StubModel, startStubModel } from '../support/stub-model.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const SessionRow = z.looseObject({ id: z.string(), status: z.string(), result: z.string().optional() });
const Waited = z.looseObject({ sessions: z.array(SessionRow), cursor: z.string() });
const FULL = { timeout: 120_000 };

let model: StubModel;
const open: { workspace?: Workspace; client?: TestClient } = {};
beforeAll(async () => {
  model = await startStubModel();
});
afterEach(async () => {
  await open.client?.close();
  await open.workspace?.close();
  delete open.client;
  delete open.workspace;
});
afterAll(() => model.close());

async function begin(config: object) {
  const workspace = await makeWorkspace({ modelUrl: model.url, userConfig: { defaultAgent: 'claude', ...config } });
  open.workspace = workspace;
  open.client = await connect('modern', { env: workspace.env, cwd: workspace.path });
  const isThere = (name: string) =>
    stat(path.join(workspace.path, name)).then(
      () => true,
      () => false,
    );
  return { workspace, client: open.client, isThere };
}

async function stands(client: TestClient, id: string, isSo: (row: z.infer<typeof SessionRow>) => boolean) {
  let after: string | undefined;
  for (let tries = 0; tries < 8; tries += 1) {
    const args = { sessionIds: [id], timeoutSeconds: 15, ...(after !== undefined && { after }) };
    const { sessions, cursor } = Waited.parse(await client.call('session_wait', args, { timeoutMs: 60_000 }));
    if (sessions[0] && isSo(sessions[0])) return sessions[0];
    after = cursor;
  }
  throw new Error(`It never stood so: ${JSON.stringify(await client.call('session_get', { sessionId: id }))}`);
}

describe('a rule of the settings that denies', () => {
  it.each(['autonomous', 'interactive'] as const)('holds for an %s Claude that would ask nobody', FULL, async (type) => {
    const { client, isThere } = await begin({
      agents: { claude: { kind: 'claude', command: 'claude', permissionMode: 'acceptEdits', tools: ['Bash'] } },
      requests: { deny: ['Bash(touch *)', 'Write'] },
    });
    const prompt = [
      '@@tool Bash {"command":"mkdir made"}',
      '@@tool Bash {"command":"true && touch touched"}',
      '@@tool Write {"file_path":"written","content":"x"}',
      '@@say The last: {{last}}',
    ].join('\n');
    const { id } = SessionRow.parse(await client.call('session_start', { prompt, type }));
    const end = await stands(client, id, ({ status }) => status === (type === 'interactive' ? 'waiting' : 'completed'));
    expect([await isThere('made'), await isThere('touched'), await isThere('written')]).toEqual([true, false, false]);
    if (type === 'interactive') {
      // its log may be behind how it stands
      await expect
        .poll(async () => JSON.stringify(await client.call('session_logs', { sessionId: id })))
        .toContain('Permission to use Bash with command true && touch touched has been denied');
      await client.call('session_cancel', { sessionId: id });
      await stands(client, id, ({ status }) => status === 'cancelled');
    } else {
      expect(end.result).toContain('No such tool available: Write');
      expect(await client.call('session_get', { sessionId: id })).toMatchObject({ permissionDenials: ['Bash'] });
    }
  });
});
