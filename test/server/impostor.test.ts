// Somebody else who listens where the hub should: he is told nothing, and whoever called is told who it is not.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { placeOf } from '../../storage/embedded/claim.ts';
import { buildPrograms, clearWorkspace, type Door, makeWorkspace, openDoor } from '../support/hub-bench.ts';

const CANARY = 'canary-of-the-door';

let programs = '';
let workspace = '';
let folder = '';
let server: Server | undefined;
let door: Door | undefined;
const sockets: Socket[] = [];

beforeAll(async () => {
  programs = await buildPrograms('1.0.0');
});
afterEach(async () => {
  door?.process.kill('SIGKILL');
  for (const socket of sockets.splice(0)) socket.destroy();
  server?.close();
  await clearWorkspace(workspace);
  rmSync(folder, { recursive: true });
});
afterAll(() => rmSync(programs, { recursive: true }));

/** A claim of this very process, and a listener at its socket that answers every hello so. Answers all that it heard. */
async function impostor(welcome: object): Promise<{ heard(): string; door: Door }> {
  workspace = makeWorkspace();
  folder = mkdtempSync(path.join(tmpdir(), 'sc-impostor-'));
  chmodSync(folder, 0o700);
  const state = path.join(workspace, '.scopecraft/state');
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const socket = path.join(folder, 'hub.sock');
  let heard = '';
  server = createServer((connection) => {
    sockets.push(connection);
    connection.on('error', () => {});
    connection.on('data', (chunk) => {
      heard += String(chunk);
      connection.write(`${JSON.stringify(welcome)}\n`);
    });
  }).listen(socket);
  const claim = {
    epoch: 1,
    pid: process.pid,
    startedAt: '1',
    ...placeOf(state),
    socket,
    nonce: 'the-nonce-of-the-claim',
    version: '1.0.0',
    protocol: 1,
  };
  writeFileSync(path.join(state, 'hub.1.json'), JSON.stringify(claim), { mode: 0o600 });
  door = openDoor(programs, { workspace, env: { WANTED_KEY: CANARY } });
  return { heard: () => heard, door };
}

const welcome = (nonce: string) => ({
  scopecraft: 1,
  welcome: { nonce, version: '1.0.0', protocol: 1, pid: process.pid, epoch: 1, wants: ['WANTED_KEY', 'HOME'] },
});

test.each([
  ['with a nonce of his own', welcome('guessed'), 'is not the hub of this workspace'],
  ['with none', { scopecraft: 1, welcome: { version: '1.0.0', wants: [] } }, 'is no hub of this program'],
  ['with something else', { hello: 'there' }, 'is no hub of this program'],
])('%s is told neither the environment nor what is called', async (_how, answer, says) => {
  const { heard, door } = await impostor(answer);
  const { error } = await door.ask(1, 'tools/call', { name: 'echo', arguments: { secret: CANARY } });
  expect(error).toMatchObject({ message: expect.stringContaining(says), data: { code: 'HUB_UNREACHABLE' } });
  expect(heard()).toContain('"hello"');
  expect(heard()).not.toContain(CANARY);
  expect(heard()).not.toContain('environment');
});

test('he who has the nonce is the hub, and is told what it wants', async () => {
  const { heard, door } = await impostor(welcome('the-nonce-of-the-claim'));
  door.send({ id: 1, method: 'tools/call', params: { name: 'echo', arguments: {} } });
  await expect.poll(heard).toContain(CANARY);
});
