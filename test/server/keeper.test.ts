// The keeper by itself, with hubs that are one-line scripts.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readOr } from '../support/hub-bench.ts';

let workspace = '';
const state = (name: string) => path.join(workspace, '.scopecraft/state', name);

beforeEach(() => {
  workspace = mkdtempSync(path.join(tmpdir(), 'sc-keeper-'));
  mkdirSync(state('.'), { recursive: true });
  mkdirSync(path.join(workspace, 'bin'));
  // time passes quickly here
  writeFileSync(path.join(workspace, 'bin/sleep'), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
});

afterEach(() => rmSync(workspace, { recursive: true, force: true }));

/** Keeps a hub whose start is this shell script; answers the exit code of the keeper. */
function keep(script: string): Promise<number | null> {
  const hub = path.join(workspace, 'hub');
  writeFileSync(hub, `echo start >>'${workspace}/starts'\n${script}\n`);
  const env = { PATH: `${workspace}/bin:${process.env.PATH}` };
  const keeper = spawn('/bin/sh', ['server/keeper.sh', '/bin/sh', hub, workspace], { env, stdio: 'ignore' });
  return new Promise((resolve) => keeper.once('exit', resolve));
}

const starts = () => readOr(path.join(workspace, 'starts')).split('\n').filter(Boolean).length;

test('it ends with a hub that ended well', async () => {
  expect(await keep('exit 0')).toBe(0);
  expect(starts()).toBe(1);
  expect(existsSync(state('hub.failed'))).toBe(false);
});

test('it backs off from a hub that dies, and gives up after sixty deaths in an hour, saying so', async () => {
  expect(await keep('exit 3')).toBe(1);
  expect(starts()).toBe(60);
  const waits = [...readOr(state('hub.log')).matchAll(/ended with code 3; next start in (\d+) ms/g)].map(([, ms]) => Number(ms));
  expect(waits.slice(0, 11)).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]);
  expect(JSON.parse(readOr(state('hub.failed')))).toMatchObject({
    message: expect.stringContaining('died 60 times within an hour'),
  });
});

test('it counts deaths anew when the clock was set back', async () => {
  const clock = path.join(workspace, 'clock');
  writeFileSync(clock, '9000000');
  writeFileSync(path.join(workspace, 'bin/date'), `#!/bin/sh\nread -r now <'${clock}'; echo "$now"\n`, { mode: 0o755 });
  const deaths = `starts=$(wc -l <'${workspace}/starts')`;
  const script = `${deaths}; [ "$starts" -lt 50 ] || echo 5000 >'${clock}'; [ "$starts" -gt 100 ] || exit 3`;
  expect(await keep(script)).toBe(0);
  expect(starts()).toBe(101);
});

test('it does not restart a hub that can never work, and keeps the reason the hub gave, or gives one', async () => {
  expect(await keep(`echo '{"code":"CONFIG_INVALID","message":"mine"}' >'${state('hub.failed')}'; exit 78`)).toBe(1);
  expect(JSON.parse(readOr(state('hub.failed')))).toMatchObject({ message: 'mine' });
  expect(await keep('exit 78')).toBe(1);
  expect(JSON.parse(readOr(state('hub.failed')))).toMatchObject({ message: expect.stringContaining('cannot start') });
  expect(starts()).toBe(2);
});

test('a log that has grown is put aside when a hub ends', async () => {
  writeFileSync(state('hub.log'), 'x'.repeat(5 * 1024 * 1024 + 1));
  await keep(`echo hello; [ -e '${workspace}/again' ] || { : >'${workspace}/again'; exit 3; }`);
  expect(statSync(state('hub.log.1')).size).toBeGreaterThan(5 * 1024 * 1024);
  expect(readOr(state('hub.log.1'))).toMatch(/xhello\n$/);
  expect(readOr(state('hub.log'))).toMatch(/^\S+ keeper \d+: the hub ended with code 3; next start in 100 ms\nhello\n$/);
});
