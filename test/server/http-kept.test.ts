// What is kept on disk for clients of the older era, so that the next hub goes on with their sessions: it is forgotten by and by.
import { readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ended, running } from '../core/talk-rig.ts';
import { type Engine, makeEngine } from '../support/engine.ts';
import { type Access, sendHttp } from '../support/http-clients.ts';
import { openTestDoor, type TestDoor } from '../support/http-door.ts';

const DAY_MS = 86_400_000;
const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'a test', version: '1' } },
});
const LIST = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' });

let engine: Engine;
let door: TestDoor;
let access: Access;

beforeEach(async () => {
  engine = await makeEngine();
  door = await openTestDoor(engine);
  access = await door.client('read');
});
afterEach(async () => {
  await door.close();
  engine.kill();
});

const begin = async (as: Access = access) => String((await sendHttp(as, { body: INITIALIZE })).headers['mcp-session-id']);
const status = async (id: string, as: Access = access) =>
  (await sendHttp(as, { headers: { 'mcp-session-id': id }, body: LIST })).status;
const folder = () => path.join(door.root, 'mcp', 'read');
const kept = async (where = folder()) =>
  (await readdir(where).catch(() => [])).filter((name) => name.split('.').length === 2).map((name) => name.split('.')[0] ?? '');
const age = async (name: string, days: number) => {
  const at = new Date(Date.now() - days * DAY_MS);
  await utimes(path.join(folder(), name), at, at);
};

it('a session of an earlier hub that nobody used for a week is forgotten, with its requests; the others stay', async () => {
  const [old, young] = [await begin(), await begin()];
  const call = '00000000-0000-4000-8000-00000000000';
  await writeFile(path.join(folder(), `${old}.${call}1.json`), LIST);
  await writeFile(path.join(folder(), `${young}.${call}2.json`), LIST);
  await writeFile(path.join(folder(), `${young}.${call}3.json`), LIST);
  await writeFile(path.join(folder(), `.${old}.${call}4.tmp`), '{');
  await door.reopen();
  for (const name of [`${old}.json`, `.${old}.${call}4.tmp`, `${young}.${call}2.json`]) await age(name, 8);
  await age(`${young}.json`, 6);
  const fresh = await begin();
  await expect.poll(async () => (await kept()).toSorted()).toEqual([young, fresh].toSorted());
  expect((await readdir(folder())).toSorted()).toEqual([`${fresh}.json`, `${young}.json`, `${young}.${call}3.json`].toSorted());
  expect(await status(old)).toBe(404);
  expect(await status(young)).toBe(200);
});

it('a session that is in use stays, however old it is, and is young again when it is used', async () => {
  const [used, unused] = [await begin(), await begin()];
  for (const id of [used, unused]) await age(`${id}.json`, 30);
  await begin();
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(await kept()).toEqual(expect.arrayContaining([used, unused]));
  await door.reopen();
  // it came back to the next hub before that one looked
  expect(await status(used)).toBe(200);
  await begin();
  await expect.poll(kept).not.toContain(unused);
  expect(await kept()).toContain(used);
  await door.reopen();
  await begin();
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(await status(used)).toBe(200);
});

it('however many sessions one caller begins, few are kept', { timeout: 60_000 }, async () => {
  const sessionId = await running(engine);
  const guest = await door.guest(sessionId, 'watch');
  const run = door.run(sessionId);
  const places = [
    [guest, path.join(door.root, 'sessions', sessionId, 'mcp')],
    [run, path.join(door.root, 'sessions', sessionId, '1', 'mcp')],
  ] as const;
  for (const [caller, place] of places) {
    const ids: string[] = [];
    for (let at = 0; at < 30; at++) ids.push(await begin(caller));
    const [inside] = caller === guest ? await readdir(place) : ['.'];
    const where = path.join(place, inside ?? '');
    expect((await kept(where)).toSorted()).toEqual(ids.slice(-8).toSorted());
    expect(await status(ids[0] ?? '', caller)).toBe(404);
    expect(await status(ids.at(-1) ?? '', caller)).toBe(200);
    // also over hubs
    for (let hubs = 0; hubs < 3; hubs++) {
      await door.reopen();
      for (let at = 0; at < 6; at++) await begin(caller);
    }
    await expect.poll(async () => (await kept(where)).length).toBe(8);
  }
  expect(await status(await begin())).toBe(200);
});

it('what a run kept goes when the run is over, and somebody else comes', async () => {
  const sessionId = await running(engine);
  await begin(door.run(sessionId));
  const place = path.join(door.root, 'sessions', sessionId, '1', 'mcp');
  expect(await kept(place)).toHaveLength(1);
  await ended(engine, sessionId);
  await begin();
  expect(await kept(place)).toEqual([]);
});

it('no token and no answer is in what is kept, and only its owner can read it', async () => {
  const id = await begin();
  await sendHttp(access, { headers: { 'mcp-session-id': id }, body: LIST });
  for (const name of await readdir(folder())) {
    const file = path.join(folder(), name);
    expect((await stat(file)).mode & 0o077).toBe(0);
    expect(await readFile(file, 'utf8')).not.toContain(access.token);
  }
  expect((await stat(folder())).mode & 0o077).toBe(0);
});
