// Calls over HTTP of the older era that never get an answer: nothing of them stays open, and nothing is kept that nobody will ask for.
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runFolder } from '../../runners/run-folder.ts';
import { asCall, callEnded, currentCall } from '../../server/open-calls.ts';
import { running } from '../core/talk-rig.ts';
import { type Engine, makeEngine } from '../support/engine.ts';
import { type Access, beginLegacy, fitting, openStream, sendHttp } from '../support/http-clients.ts';
import { openTestDoor, type TestDoor } from '../support/http-door.ts';

let engine: Engine;
let door: TestDoor;
let access: Access;
let headers: Readonly<Record<string, string>>;
let sessionId: string;

const body = (message: object) => JSON.stringify({ jsonrpc: '2.0', ...message });
/** As far as calls know of themselves, some are open. */
const isAnyOpen = () =>
  asCall('mine', () => {
    callEnded('mine');
    return currentCall() !== undefined;
  });
/** Requests that are kept until they are answered; of the client that may read, or as they are kept in this folder. */
const kept = async (folder = path.join(door.root, 'mcp', 'read')) =>
  (await readdir(folder)).filter((name) => name.split('.').length === 3).length;
/** Begins to wait for a session that does not end. */
const waitForSession = (id: number) =>
  openStream(access, {
    headers,
    body: body({ id, method: 'tools/call', params: { name: 'session_wait', arguments: { sessionIds: [sessionId] } } }),
  });

beforeEach(async () => {
  engine = await makeEngine();
  door = await openTestDoor(engine);
  access = await door.client('read');
  sessionId = await running(engine);
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'a test', version: '1' } };
  const begun = await sendHttp(access, { body: body({ id: 0, method: 'initialize', params }) });
  headers = { 'mcp-session-id': String(begun.headers['mcp-session-id']), 'mcp-protocol-version': '2025-11-25' };
});
afterEach(async () => {
  await door.close();
  engine.kill();
});

it('a call that is cancelled is open no more, and not kept; one beside it is', async () => {
  const [stream] = await Promise.all([waitForSession(7), waitForSession(8)]);
  expect([isAnyOpen(), await kept()]).toEqual([true, 2]);
  await sendHttp(access, { headers, body: body({ method: 'notifications/cancelled', params: { requestId: 7 } }) });
  await expect.poll(() => kept()).toBe(1);
  expect(isAnyOpen()).toBe(true);
  if (typeof stream === 'number') throw new Error(`It was refused: ${stream}.`);
  await stream.ended;
  expect(stream.text().match(/^data: {.*/gm)).toEqual([expect.stringContaining('"id":7,"error"')]);
  await sendHttp(access, { headers, body: body({ method: 'notifications/cancelled', params: { requestId: 8 } }) });
  await expect.poll(() => kept()).toBe(0);
  expect(isAnyOpen()).toBe(false);
});

it('a client that cancelled more calls than it may have open at once is served all the same', async () => {
  const client = new Client({ name: 'a test', version: '1' });
  client.onerror = () => {};
  const run = door.run(sessionId);
  const requestInit = { headers: { Authorization: `Bearer ${run.token}` } };
  await client.connect(fitting(new StreamableHTTPClientTransport(new URL(run.url), { requestInit })));
  const folder = path.join(runFolder(door.root, sessionId, 1), 'mcp');
  for (let at = 0; at < 66; at++) {
    const given = new AbortController();
    const wait = { name: 'session_wait', arguments: { sessionIds: [sessionId] } };
    const waiting = client.callTool(wait, undefined, { signal: given.signal });
    await expect.poll(() => kept(folder), { interval: 5 }).toBe(1);
    given.abort('enough');
    await expect(waiting).rejects.toThrow('enough');
    await expect.poll(() => kept(folder), { interval: 5 }).toBe(0);
  }
  expect(await client.callTool({ name: 'queue_status', arguments: {} })).not.toHaveProperty('isError');
  await client.close();
});

it('a call whose session is ended is open no more, nor one of a hub that is gone, which the next hub has', async () => {
  await waitForSession(7);
  expect(isAnyOpen()).toBe(true);
  await door.reopen();
  expect([isAnyOpen(), await kept()]).toEqual([false, 1]);
  await waitForSession(8);
  expect(isAnyOpen()).toBe(true);
  expect((await sendHttp(access, { method: 'DELETE', headers })).status).toBe(200);
  expect([isAnyOpen(), await kept()]).toEqual([false, 0]);
});

it('a call that is refused before it is worked on is not kept', async () => {
  const listed = await sendHttp(access, {
    headers: { ...headers, 'mcp-protocol-version': '1999-01-01' },
    body: body({ id: 9, method: 'tools/list' }),
  });
  expect(listed.status).toBe(400);
  await expect.poll(() => kept()).toBe(0);
  expect(isAnyOpen()).toBe(false);
});

it('a call that is asked for again while it is worked on is answered once, and open no more', async () => {
  const first = await waitForSession(7);
  if (typeof first === 'number') throw new Error(`It was refused: ${first}.`);
  const eventId = /^id: (\S+)$/m.exec(first.text())?.[1] ?? '';
  first.close();
  const again = await openStream(access, { method: 'GET', headers: { ...headers, 'last-event-id': eventId } });
  if (typeof again === 'number') throw new Error(`It was refused: ${again}.`);
  engine.run(sessionId).end(0);
  await again.ended;
  expect(again.text().match(/^data: .*"id":7\b/gm)).toHaveLength(1);
  await expect.poll(isAnyOpen).toBe(false);
});

it('what is told on the stream beside the calls names none of them, whichever call it came of', async () => {
  await waitForSession(7);
  const write = await door.client('operate');
  const client = await beginLegacy(write);
  await client.ask('resources/subscribe', { uri: 'queue://status' });
  const stream = await client.listen(async () => {
    await client.ask('tools/call', { name: 'queue_pause', arguments: {} });
    await client.ask('tools/call', { name: 'queue_resume', arguments: {} });
  });
  expect(stream.text()).toContain('queue://status');
  expect(stream.text()).toMatch(/^id: _\d+$/m);
  stream.close();
});
