// The old names of tools: still callable, with what they fix, and listed only where that is asked for.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { connect, sc, type TestClient } from '../support/clients.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const OLD = ['autonomous_start', 'autonomous_list', 'autonomous_cancel', 'autonomous_logs'];
const Listed = z.looseObject({ sessions: z.array(z.looseObject({ id: z.string() })) });
const later = () => new Date(Date.now() + 3_600_000).toISOString();

let workspace: Workspace;
let client: TestClient;

beforeAll(async () => {
  workspace = await makeWorkspace({ userConfig: { defaultAgent: 'demo' } });
  client = await connect('modern', { env: workspace.env, cwd: workspace.path });
});
afterAll(async () => {
  await client?.close();
  await workspace?.close();
});

const names = async (by: TestClient) => (await by.tools()).map(({ name }) => name);
const listedBy = async (tool: string) => Listed.parse(await client.call(tool)).sessions.map(({ id }) => id);

it('do what the tools of today do, with their kind of session', async () => {
  const { id, type } = await client.call('autonomous_start', { prompt: '@@say it is done' });
  expect(type).toBe('autonomous');
  expect(await client.call('session_wait', { sessionIds: [id] })).toMatchObject({ sessions: [{ status: 'completed' }] });
  const { entries } = await client.call('autonomous_logs', { sessionId: id });
  expect(entries).toEqual(expect.arrayContaining([expect.objectContaining({ kind: 'result', text: 'it is done' })]));
  const talk = await client.call('session_start', { prompt: 'Talk.', type: 'interactive', notBefore: later() });
  expect(await listedBy('session_list')).toEqual([talk.id, id]);
  expect(await listedBy('autonomous_list')).toEqual([id]);
  expect(await client.call('autonomous_cancel', { sessionId: talk.id })).toMatchObject({ id: talk.id, status: 'cancelled' });
  const { stdout } = await sc(['autonomous', 'list', '--format=json'], { env: workspace.env, cwd: workspace.path });
  expect(Listed.parse(JSON.parse(stdout)).sessions).toMatchObject([{ id }]);
});

it('are listed where the settings say so, and nowhere else', async () => {
  expect((await names(client)).filter((name) => OLD.includes(name))).toEqual([]);
  const wanting = await makeWorkspace({ userConfig: { server: { legacyTools: true } } });
  const door = await connect('modern', { env: wanting.env, cwd: wanting.path });
  try {
    expect(await names(door)).toEqual(expect.arrayContaining(OLD));
  } finally {
    await door.close();
    await wanting.close();
  }
});
