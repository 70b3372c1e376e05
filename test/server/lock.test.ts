// Who owns a workspace: exactly one, whatever is left over and whoever stalls.
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { claimFile, highestClaim, placeOf } from '../../storage/embedded/claim.ts';
import { claimWorkspace, type Lock } from '../../storage/embedded/lock.ts';
import { until } from '../support/hub-bench.ts';

let root = '';
const held: Lock[] = [];

beforeAll(() => {
  root = mkdtempSync(path.join(tmpdir(), 'sc-lock-'));
});

afterAll(() => {
  for (const lock of held) lock.stopListening();
  rmSync(root, { recursive: true, force: true });
});

function folders(name: string): { stateDir: string; runtimeDir: string } {
  return { stateDir: path.join(root, name, '.scopecraft/state'), runtimeDir: path.join(root, name, 'run', 'h') };
}

async function claim(name: string, onFenced: (why: string) => void = () => {}): Promise<Lock | undefined> {
  const lock = await claimWorkspace({
    ...folders(name),
    version: '1.0.0',
    protocol: 1,
    onConnection: (socket) => socket.destroy(),
    onFenced,
    patienceMs: 200,
  });
  if (lock) held.push(lock);
  return lock;
}

function changeClaim(name: string, epoch: number, change: object): void {
  const file = claimFile(folders(name).stateDir, epoch);
  const record = JSON.parse(readFileSync(file, 'utf8'));
  unlinkSync(file);
  writeFileSync(file, JSON.stringify({ ...record, ...change }));
}

test('a claim is a private record, and its socket lies in a private folder', async () => {
  const lock = await claim('record');
  const { stateDir, runtimeDir } = folders('record');
  expect(statSync(stateDir).mode & 0o777).toBe(0o700);
  expect(statSync(runtimeDir).mode & 0o777).toBe(0o700);
  expect(statSync(lock?.claim.socket ?? '').mode & 0o777).toBe(0o700);
  expect(readFileSync(path.join(stateDir, '.gitignore'), 'utf8')).toBe('*\n');
  expect(JSON.parse(readFileSync(path.join(stateDir, 'hub.json'), 'utf8'))).toEqual(lock?.claim);
  expect(highestClaim(stateDir)).toMatchObject({
    epoch: 1,
    claim: { pid: process.pid, version: '1.0.0', nonce: lock?.claim.nonce },
  });
});

test('a second contender is no owner, and the number goes up when the first one left in good order', async () => {
  const first = await claim('order');
  expect(await claim('order')).toBeUndefined();
  first?.stopListening();
  await first?.release();
  expect((await claim('order'))?.claim.epoch).toBe(2);
});

test('a contender that slept while its number came and went withdraws', async () => {
  const sleeper = { wake: () => {}, isAsleep: false };
  const woken = new Promise<void>((resolve) => {
    sleeper.wake = resolve;
  });
  const late = claimWorkspace({
    ...folders('late'),
    version: '1.0.0',
    protocol: 1,
    onConnection: (socket) => socket.destroy(),
    onFenced: () => {},
    pause: async (step) => {
      if (step !== 'link' || sleeper.isAsleep) return;
      sleeper.isAsleep = true;
      await woken;
    },
  });
  await until(() => sleeper.isAsleep);
  const first = await claim('late');
  await first?.release();
  const second = await claim('late');
  expect([first?.claim.epoch, second?.claim.epoch]).toEqual([1, 2]);
  sleeper.wake();
  expect(await late).toBeUndefined();
  expect(readdirSync(folders('late').stateDir).filter((name) => /^hub\.\d/.test(name))).toEqual(['hub.2.json']);
  expect(second?.stillOwner()).toBe(true);
});

test('a hub that lives with its socket closed is not taken over', async () => {
  const first = await claim('silent');
  first?.stopListening();
  expect(await claim('silent')).toBeUndefined();
});

test('an owner is fenced when a higher claim appears, and when its socket is gone', async () => {
  const reasons: string[] = [];
  const first = await claim('fence', (why) => reasons.push(why));
  expect(first?.stillOwner()).toBe(true);
  writeFileSync(claimFile(folders('fence').stateDir, 7), '{}');
  expect(first?.stillOwner()).toBe(false);
  const second = await claim('fence-socket', (why) => reasons.push(why));
  unlinkSync(second?.claim.socket ?? '');
  expect(second?.stillOwner()).toBe(false);
  expect(second?.stillOwner()).toBe(false);
  expect(reasons).toEqual(['superseded', 'socket_lost']);
});

test.each([
  ['another host', { host: 'elsewhere', bootId: 'other' }, 'on the host elsewhere'],
  ['another process namespace', { pidNamespace: 'pid:[1]' }, 'in another container or sandbox'],
])('a claim from %s is refused with the command that forces it, and the command works', async (_where, change, words) => {
  const name = `foreign-${words.length}`;
  const first = await claim(name);
  first?.stopListening();
  changeClaim(name, 1, change);
  const refusal = await claim(name).catch((error: unknown) => error);
  expect(refusal).toMatchObject({ code: 'HUB_UNREACHABLE', message: expect.stringContaining(words) });
  const command = /run `touch '(.+)'`/.exec(String(refusal))?.[1] ?? '';
  writeFileSync(command, '');
  expect((await claim(name))?.claim.epoch).toBe(2);
});

test('a claim of the same host before a reboot, or of a pid that was given to another process, is taken over', async () => {
  for (const [name, change] of [
    ['reboot', { bootId: 'an older boot' }],
    ['reused', { startedAt: '1' }],
  ] as const) {
    (await claim(name))?.stopListening();
    changeClaim(name, 1, change);
    expect((await claim(name))?.claim.epoch).toBe(2);
  }
});

test('a copy of a workspace is not ruled by the hub of the original', async () => {
  await claim('original');
  mkdirSync(path.join(root, 'copy/.scopecraft'), { recursive: true });
  cpSync(folders('original').stateDir, folders('copy').stateDir, { recursive: true });
  expect(placeOf(folders('copy').stateDir).folder).not.toBe(placeOf(folders('original').stateDir).folder);
  expect((await claim('copy'))?.claim.epoch).toBe(2);
});

test('an unreadable claim is never taken for none', async () => {
  mkdirSync(folders('torn').stateDir, { recursive: true });
  writeFileSync(claimFile(folders('torn').stateDir, 3), '{"epoch":');
  await expect(claim('torn')).rejects.toMatchObject({
    code: 'HUB_UNREACHABLE',
    message: expect.stringContaining('cannot be read'),
  });
});

test('linked, open or over-long folders are refused', async () => {
  mkdirSync(path.join(root, 'linked/.scopecraft'), { recursive: true });
  symlinkSync(root, folders('linked').stateDir);
  await expect(claim('linked')).rejects.toMatchObject({
    code: 'STORAGE_FAILED',
    message: expect.stringContaining('symbolic link'),
  });
  mkdirSync(folders('open').runtimeDir, { recursive: true });
  chmodSync(path.dirname(folders('open').runtimeDir), 0o700);
  chmodSync(folders('open').runtimeDir, 0o755);
  await expect(claim('open')).rejects.toMatchObject({ code: 'STORAGE_FAILED', message: expect.stringContaining('chmod 700') });
  await expect(claim(`long-${'x'.repeat(90)}`)).rejects.toMatchObject({
    message: expect.stringContaining('longer than 103 bytes'),
  });
});

test('sockets and records of dead hubs are cleared away, foreign files are not', async () => {
  const { stateDir, runtimeDir } = folders('clear');
  (await claim('clear'))?.stopListening();
  changeClaim('clear', 1, { startedAt: '1' });
  mkdirSync(path.join(stateDir, '.index.a1B2c3'));
  for (const name of ['.claim.dead', 'start.0', '.ballast.1-2-3.tmp', '.index.a1B2c3/index', 'ballast', '.ballast', 'notes.txt'])
    writeFileSync(path.join(stateDir, name), '');
  writeFileSync(path.join(runtimeDir, '0123456789ab.sock'), 'no socket');
  await claim('clear');
  const ours = ['.gitignore', 'ballast', 'hub.2.json', 'hub.json'];
  expect(readdirSync(stateDir).sort()).toEqual(['.ballast', ...ours, 'notes.txt']);
  expect(existsSync(path.join(runtimeDir, '0123456789ab.sock'))).toBe(true);
});
