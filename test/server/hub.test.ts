// Hubs come and go: one per workspace, kept alive, handed over, left when idle.
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { connectHub } from '../../server/connect.ts';
import { programsIn } from '../../server/programs.ts';
import type { Door, Json } from '../support/hub-bench.ts';
import {
  buildPrograms,
  clearWorkspace,
  hubPid,
  makeWorkspace,
  openDoor,
  ownersOf,
  processesOf,
  readOr,
  until,
} from '../support/hub-bench.ts';
import { kill } from '../support/processes.ts';

const KILLS = Number(process.env.SCOPECRAFT_HUB_KILLS ?? 8);
vi.setConfig({ testTimeout: 90_000 + 2_000 * KILLS });

let programs = '';
let newer = '';
const doors: Door[] = [];
const workspaces: string[] = [];

beforeAll(async () => {
  [programs, newer] = await Promise.all([buildPrograms('1.9.0'), buildPrograms('1.10.0')]);
});

afterEach(async () => {
  for (const door of doors.splice(0)) door.process.kill('SIGKILL');
  for (const workspace of workspaces.splice(0)) await clearWorkspace(workspace);
});

afterAll(() => {
  for (const folder of [programs, newer]) rmSync(folder, { recursive: true, force: true });
});

function workspaceWith(knobs: Json = {}): string {
  const workspace = makeWorkspace(knobs);
  workspaces.push(workspace);
  return workspace;
}

function open(workspace: string, from = programs): Door {
  const door = openDoor(from, { workspace });
  doors.push(door);
  return door;
}

const keepersOf = (workspace: string) => processesOf(workspace).filter(({ command }) => command.includes('keeper.sh'));
const hubsOf = (workspace: string) =>
  processesOf(workspace).filter(({ command }) => command.includes('hub.cjs') && !command.includes('keeper.sh'));
const epochsOf = (workspace: string) =>
  ownersOf(workspace).flatMap((line) => (line.startsWith('own') ? [Number(line.split(' ')[1])] : []));

test('twenty doors started at once make one hub and one keeper', async () => {
  const workspace = workspaceWith();
  const all = Array.from({ length: 20 }, () => open(workspace));
  const answers = await Promise.all(all.map((door) => door.ask(1, 'tools/call', { name: 'echo' })));
  expect(new Set(answers.map(({ result }) => JSON.stringify(result).match(/"pid":\d+/)?.[0])).size).toBe(1);
  expect(ownersOf(workspace)).toHaveLength(1);
  await until(() => keepersOf(workspace).length === 1 && hubsOf(workspace).length === 1);
});

test('doors that come while the hub recovers wait for it', async () => {
  const workspace = workspaceWith({ recoverMs: 1_500 });
  const began = Date.now();
  await open(workspace).ask(1, 'tools/call', { name: 'echo' });
  expect(Date.now() - began).toBeGreaterThan(1_500);
  expect(ownersOf(workspace)).toHaveLength(1);
});

test('a stopped hub is named, not taken over, and works on when it is continued', async () => {
  const workspace = workspaceWith();
  const first = open(workspace);
  await first.ask(1, 'ping');
  const pid = hubPid(workspace);
  kill(pid, 'SIGSTOP');
  const second = open(workspace);
  const refused = await second.ask(1, 'initialize');
  expect(refused.error).toMatchObject({
    code: -32000,
    message: `The hub of this workspace (pid ${pid}) is stopped; run \`kill -CONT ${pid}\`.`,
    data: { code: 'HUB_UNREACHABLE' },
  });
  kill(pid, 'SIGCONT');
  expect((await second.ask(2, 'ping')).result).toMatchObject({ pid });
  expect(ownersOf(workspace)).toHaveLength(1);
});

test('a newer door takes over by handover; the older door that was connected works on, a fresh older one is refused', async () => {
  const workspace = workspaceWith();
  const older = open(workspace);
  const before = await older.ask(1, 'ping');
  const fresh = await open(workspace, newer).ask(1, 'ping');
  expect(ownersOf(workspace)).toEqual([expect.stringMatching(/^own 1 /), 'stop 1 handover', expect.stringMatching(/^own 2 /)]);
  expect(fresh.result).not.toEqual(before.result);
  expect((await older.ask(2, 'ping')).result).toEqual(fresh.result);
  const refused = await open(workspace).ask(1, 'initialize');
  expect(refused.error).toMatchObject({
    data: { code: 'HUB_VERSION' },
    message: expect.stringContaining('runs version 1.10.0, this program is 1.9.0'),
  });
  expect(ownersOf(workspace)).toHaveLength(3);
});

test('who only looks has the hub as it is, though it is older, and makes nothing where no hub ever was', async () => {
  const look = (workspace: string) =>
    connectHub({
      version: '1.10.0',
      kind: 'cli',
      environment: {},
      workspace,
      stateDir: path.join(workspace, '.scopecraft/state'),
      programs: programsIn(newer),
      hubEnvironment: {},
      start: false,
    });
  const workspace = workspaceWith();
  await open(workspace).ask(1, 'ping');
  const { socket, welcome } = await look(workspace);
  socket.destroy();
  expect(welcome).toMatchObject({ version: '1.9.0', pid: hubPid(workspace) });
  expect(ownersOf(workspace)).toHaveLength(1);

  const bare = workspaceWith();
  await expect(look(bare)).rejects.toMatchObject({ code: 'HUB_UNREACHABLE', message: expect.stringContaining('No hub runs') });
  expect(existsSync(path.join(bare, '.scopecraft/state'))).toBe(false);
});

test('a keeper restarts a killed hub although every door is closed', async () => {
  const workspace = workspaceWith();
  const door = open(workspace);
  await door.ask(1, 'ping');
  door.process.stdin?.end();
  await door.exited;
  const pid = hubPid(workspace);
  kill(pid, 'SIGKILL');
  await until(() => epochsOf(workspace).length === 2 && hubPid(workspace) !== pid);
  expect(epochsOf(workspace)).toEqual([1, 2]);
  expect(keepersOf(workspace)).toHaveLength(1);
  expect(readOr(path.join(workspace, '.scopecraft/state/hub.log'))).toContain(
    'the hub ended with code 137; next start in 100 ms',
  );
});

test('keepers do not pile up over kills with doors open, and each owner has a higher number', async () => {
  const workspace = workspaceWith();
  const all = Array.from({ length: 4 }, () => open(workspace));
  for (let round = 1; round <= KILLS; round++) {
    await Promise.all(all.map((door) => door.ask(round, 'ping')));
    const pid = hubPid(workspace);
    kill(pid, 'SIGKILL');
    await until(() => !readOr(`/proc/${pid}/stat`));
  }
  await Promise.all(all.map((door) => door.ask('last', 'ping')));
  const epochs = epochsOf(workspace);
  expect(epochs).toEqual([...new Set(epochs)].sort((a, b) => a - b));
  // keepers of killed hubs nap through their back-off, then find that another hub owns and end
  await until(() => hubsOf(workspace).length === 1 && keepersOf(workspace).length === 1, 35_000);
});

test('a hub leaves when it is idle, and its keeper with it', async () => {
  const workspace = workspaceWith({ idleExitMs: 300 });
  const door = open(workspace);
  await door.ask(1, 'ping');
  await sleep(800);
  expect(hubsOf(workspace)).toHaveLength(1);
  door.process.stdin?.end();
  await until(() => processesOf(workspace).length === 0);
  expect(ownersOf(workspace).at(-1)).toBe('stop 1 idle');
  expect((await open(workspace).ask(1, 'ping')).error).toBeUndefined();
  expect(epochsOf(workspace)).toEqual([1, 2]);
});

test('a busy hub does not leave, nor one that is told never to', async () => {
  const [busy, staying] = [workspaceWith({ idleExitMs: 300 }), workspaceWith({ idleExitMs: 0 })];
  for (const workspace of [busy, staying]) {
    const door = open(workspace);
    await door.ask(1, 'tools/call', { name: workspace === busy ? 'busy' : 'echo' });
    door.process.stdin?.end();
    await door.exited;
  }
  await sleep(1_200);
  for (const workspace of [busy, staying]) expect(hubsOf(workspace)).toHaveLength(1);
});

test('SIGTERM to the keeper ends hub and keeper in good order', async () => {
  const workspace = workspaceWith();
  const door = open(workspace);
  await door.ask(1, 'ping');
  door.process.stdin?.end();
  await door.exited;
  for (const { pid } of keepersOf(workspace)) kill(pid, 'SIGTERM');
  await until(() => processesOf(workspace).length === 0);
  expect(ownersOf(workspace).at(-1)).toBe('stop 1 signal');
});

test('a hub that a higher claim fences ends without touching anything, and so does its keeper', async () => {
  const workspace = workspaceWith();
  const door = open(workspace);
  await door.ask(1, 'ping');
  writeFileSync(path.join(workspace, '.scopecraft/state/hub.9.json'), '{}');
  door.send({ id: 2, method: 'tools/call', params: { name: 'check' } });
  await until(() => hubsOf(workspace).length === 0 && keepersOf(workspace).length === 0);
  expect(ownersOf(workspace)).toHaveLength(1);
  // nobody owns a claim that cannot be read
  expect((await door.answer(2)).error).toMatchObject({ message: expect.stringContaining('hub.9.json cannot be read') });
});

test('a hub whose socket was cleared away makes room for one that can be reached', async () => {
  const workspace = workspaceWith();
  const door = open(workspace);
  const { result } = await door.ask(1, 'ping');
  const { socket } = JSON.parse(readOr(path.join(workspace, '.scopecraft/state/hub.json')));
  rmSync(socket);
  expect((await door.ask(2, 'tools/call', { name: 'check' })).result).not.toEqual(result);
  expect(epochsOf(workspace)).toEqual([1, 2]);
});

test('a hub that cannot start says why to the door, and its keeper ends', async () => {
  const workspace = workspaceWith({ failure: 'The key "resorces" is unknown.' });
  const began = Date.now();
  const refused = await open(workspace).ask(1, 'initialize');
  expect(refused.error).toMatchObject({ message: 'The key "resorces" is unknown.', data: { code: 'HUB_UNREACHABLE' } });
  expect(Date.now() - began).toBeLessThan(4_000);
  writeFileSync(path.join(workspace, 'echo.json'), '{}');
  const door = open(workspace);
  expect((await door.ask(1, 'ping')).result).toBeDefined();
});

test('a hub that dies at every start is named after ten seconds, with the log to read', async () => {
  const workspace = workspaceWith({ crash: true });
  const refused = await open(workspace).ask(1, 'initialize', {}, 14_000);
  expect(refused.error).toMatchObject({
    message: expect.stringContaining('hub.log says why'),
    data: { code: 'HUB_UNREACHABLE' },
  });
  expect(readOr(path.join(workspace, '.scopecraft/state/hub.log'))).toContain('This hub crashes.');
}, 20_000);

test('a state folder that is a link is refused', async () => {
  const workspace = workspaceWith();
  mkdirSync(path.join(workspace, '.scopecraft'));
  symlinkSync('/tmp', path.join(workspace, '.scopecraft/state'));
  expect((await open(workspace).ask(1, 'initialize')).error).toMatchObject({ message: expect.stringContaining('symbolic link') });
});
