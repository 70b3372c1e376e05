// How doors begin and end: flags, no workspace, the end of input, signals, a dead parent.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Duplex, PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { runDoor } from '../../server/stdio.ts';
import { hubPid, makeWorkspace, openDoor, ownersOf, processesOf, readOr, until } from '../support/hub-bench.ts';
import { kill } from '../support/processes.ts';
import { doorBench } from './door-bench.ts';

/** The rest of a door whose hubs die at once, as in stdio.ts. */
const RETRY_MS = 1_000;

const { calls, doors, open, programs, workspaces } = doorBench();

test.each(['EOF', 'SIGINT', 'SIGTERM'] as const)(
  'the door ends at %s, also under a call, and does not wait for it; the hub stays',
  async (how) => {
    const { door, workspace } = open();
    await door.ask(1, 'ping');
    door.send({ id: 2, method: 'tools/call', params: { name: 'slow', arguments: { delayMs: 30_000 } } });
    await until(() => calls(workspace).length === 1);
    const began = performance.now();
    if (how === 'EOF') door.process.stdin?.end();
    else door.process.kill(how);
    expect(await door.exited).toBe(0);
    // the call would take 30 s
    expect(performance.now() - began).toBeLessThan(10_000);
    await sleep(100);
    expect(readOr(`/proc/${hubPid(workspace)}/stat`)).not.toBe('');
    expect(ownersOf(workspace)).toHaveLength(1);
  },
);

test('a door whose parent died ends although its input stays open', async () => {
  const workspace = makeWorkspace();
  workspaces.push(workspace);
  // an input that stays open whoever dies
  const fifo = path.join(workspace, 'fifo');
  execFileSync('mkfifo', [fifo]);
  const input = openSync(fifo, 'r+');
  // the shell leaves at the end of a pipe of its own
  const script = 'exec 4<&0; "$1" "$2" --workspace "$3" <&4 3<&- & read -r word <&3';
  const shell = spawn('/bin/sh', ['-c', script, 'sh', process.execPath, path.join(programs(), 'door.cjs'), workspace], {
    stdio: [input, 'ignore', 'ignore', 'pipe'],
  });
  const exited = once(shell, 'exit');
  const isThere = () =>
    processesOf(workspace).some(({ command }) => command.includes('door.cjs') && !command.startsWith('/bin/sh'));
  // it knows its parent before it looks for a hub
  await until(() => hubPid(workspace) > 0);
  expect(isThere()).toBe(true);
  const [, , , leash] = shell.stdio;
  if (leash instanceof Duplex) leash.end();
  await exited;
  await until(() => !isThere(), 30_000);
  closeSync(input);
});

test('where there is no workspace, a child serves and nothing is written', async () => {
  const home = mkdtempSync(path.join(tmpdir(), 'sc-home-'));
  const door = openDoor(programs(), { cwd: home, env: { HOME: home } });
  doors.push(door);
  await door.ask(0, 'initialize');
  const { result } = await door.ask(1, 'tools/call', { name: 'echo' });
  const pid = Number(JSON.stringify(result).match(/"pid":(\d+)/)?.[1]);
  kill(pid, 'SIGKILL');
  expect((await door.ask(2, 'ping')).result).toBeDefined();
  door.process.stdin?.end();
  expect(await door.exited).toBe(0);
  await until(() => processesOf(home).length === 0);
  expect(() => statSync(path.join(home, '.scopecraft'))).toThrow();
  rmSync(home, { recursive: true });
});

test('flags: help, version, and a sentence for what is wrong', async () => {
  const run = async (...args: string[]) => {
    const door = openDoor(programs(), { cwd: '/', args });
    let out = '';
    door.process.stdout?.removeAllListeners('data').on('data', (chunk) => {
      out += chunk;
    });
    return { code: await door.exited, out, err: door.stderr() };
  };
  expect(await run('--version')).toEqual({ code: 0, out: '1.0.0\n', err: '' });
  expect((await run('--help')).out).toContain('--workspace PATH');
  expect(await run('--wrokspace')).toMatchObject({ code: 1, out: '', err: expect.stringContaining("'--wrokspace'") });
  expect(await run('--workspace', '/no/such/folder')).toMatchObject({
    code: 1,
    err: expect.stringContaining('"/no/such/folder"'),
  });
});

test('a door whose hubs close each connection rests after some of them, until its client says something', async () => {
  const ending = new AbortController();
  onTestFinished(() => ending.abort());
  const [input, output] = [new PassThrough(), new PassThrough()];
  let hubs = 0;
  const connect = async () => {
    hubs += 1;
    const hub = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    setImmediate(() => hub.destroy());
    return hub;
  };
  /** How many rests can be over since then. */
  const restsSince = (since: number) => Math.floor((performance.now() - since + 10) / RETRY_MS);
  const began = performance.now();
  void runDoor({ input, output, connect, newKey: () => 'key', onTrouble: () => {}, signal: ending.signal });
  await until(() => hubs >= 5);
  await sleep(300);
  expect(hubs).toBeLessThanOrEqual(5 + restsSince(began));
  const [before, written] = [hubs, performance.now()];
  const answered = once(output, 'data');
  input.write('{"jsonrpc":"2.0","id":1,"method":"ping"}\n');
  // five more die under it; one that is just dying may be the first of them
  expect(JSON.parse(String(await answered))).toMatchObject({ id: 1, error: { data: { code: 'INTERNAL' } } });
  expect(hubs - before).toBeGreaterThanOrEqual(4);
  expect(hubs - before).toBeLessThanOrEqual(5 + restsSince(written));
});
