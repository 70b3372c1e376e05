// Being told of changes on one connection: from when it was asked for, once for each change, and not after it was ended.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect, type TestClient } from '../support/clients.ts';
import { modernRequest } from '../support/http-clients.ts';
import { openRawSocket, type RawSocket } from '../support/raw-socket.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const URI = 'queue://status';
/** Longer than what becomes stale is gathered for, shorter than until the same is told again. */
const SOON_MS = 500;

let workspace: Workspace;
let client: TestClient;
let raw: RawSocket;

beforeAll(async () => {
  workspace = await makeWorkspace();
  client = await connect('modern', { env: workspace.env, cwd: workspace.path });
});
afterAll(async () => {
  await client.close();
  await workspace.close();
});

/** The connection is told of the line so often when it is paused or resumed, and not once more. */
async function expectTold(times: number, tool: 'queue_pause' | 'queue_resume'): Promise<void> {
  // what was told before is told again a second later at the most
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  const before = raw.lines.length;
  const told = () =>
    raw.lines.slice(before).filter((line) => line.includes('notifications/resources/updated') && line.includes(URI)).length;
  await client.call(tool);
  await expect.poll(told, { timeout: 10_000 }).toBeGreaterThanOrEqual(times);
  await new Promise((resolve) => setTimeout(resolve, SOON_MS));
  expect(told()).toBe(times);
}

async function asked(id: number, message: object): Promise<void> {
  raw.send(JSON.stringify({ jsonrpc: '2.0', id, ...message }));
  await expect.poll(() => raw.lines.some((line) => JSON.parse(line).id === id), { timeout: 10_000 }).toBe(true);
}

it('an older client hears of what it subscribed to, once each time, also when it had unsubscribed before', async () => {
  raw = await openRawSocket(workspace);
  const clientInfo = { name: 'older', version: '1' };
  await asked(1, { method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo } });
  raw.send(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' }));
  await expectTold(0, 'queue_pause');
  await asked(2, { method: 'resources/subscribe', params: { uri: URI } });
  await expectTold(1, 'queue_resume');
  await asked(3, { method: 'resources/unsubscribe', params: { uri: URI } });
  await expectTold(0, 'queue_pause');
  await asked(4, { method: 'resources/subscribe', params: { uri: URI } });
  await expectTold(1, 'queue_resume');
  raw.socket.destroy();
});

it('a newer client hears from its first wish on, also when it called before, and once for each wish', async () => {
  raw = await openRawSocket(workspace);
  const wish = (id: number) => {
    const notifications = { resourceSubscriptions: [URI] };
    const { params } = JSON.parse(modernRequest('subscriptions/listen', { notifications }).body ?? '');
    raw.send(JSON.stringify({ jsonrpc: '2.0', id, method: 'subscriptions/listen', params }));
    return expect.poll(() => raw.lines.filter((line) => line.includes('acknowledged')).length, { timeout: 10_000 }).toBe(id);
  };
  const { params } = JSON.parse(modernRequest('tools/list', {}).body ?? '');
  await asked(10, { method: 'tools/list', params });
  await expectTold(0, 'queue_pause');
  await wish(1);
  await expectTold(1, 'queue_resume');
  await wish(2);
  await expectTold(2, 'queue_pause');
  raw.socket.destroy();
});
