// `sc` while it waits or follows: over a hub that is killed, under Ctrl-C, and before a person at a terminal.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { processAt } from '../../runners/process.ts';
import { placeOf } from '../../storage/embedded/claim.ts';
import { sc } from '../support/clients.ts';
import { CLI } from '../support/project.ts';
import { openTerminal } from '../support/terminal.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const LINES = 25;
const TALK = Array.from({ length: LINES }, (_, n) => `@@say line ${n + 1}\n@@sleep 80`).join('\n');

let workspace: Workspace;
const at = () => ({ env: workspace.env, cwd: workspace.path });

beforeAll(async () => {
  workspace = await makeWorkspace({ userConfig: { defaultAgent: 'demo' } });
});
afterAll(() => workspace?.close());

async function started(prompt: string): Promise<string> {
  const { stdout } = await sc(['session', 'start', '--prompt', prompt, '--format=json'], at());
  return z.looseObject({ id: z.string() }).parse(JSON.parse(stdout)).id;
}

/** Kills the hub that is there, or comes in a moment, and answers its pid; not again the one with pid `last`. */
async function killHub(last?: number): Promise<number> {
  let pid: number | undefined;
  await expect
    .poll(async () => {
      pid = (await workspace.hub())?.pid;
      return pid !== undefined && pid !== last;
    })
    .toBe(true);
  if (pid === undefined) throw new Error('There is no hub to kill.');
  process.kill(pid, 'SIGKILL');
  return pid;
}

const DISCOVERED = {
  supportedVersions: ['2026-07-28'],
  capabilities: { tools: {}, resources: { subscribe: true } },
  serverInfo: { name: 'dying', version: '99.0.0' },
  resultType: 'complete',
  ttlMs: 0,
  cacheScope: 'private',
};

/** What looks like a hub, and closes each connection where it is `greeted` or `called`; after so many of them its process dies. */
async function hubThatDies(own: Workspace, deaths: number, when: string) {
  const state = path.join(own.path, '.scopecraft/state');
  await mkdir(state, { recursive: true, mode: 0o700 });
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  const socket = path.join(own.root, 'dying.sock');
  const pid = child.pid ?? 0;
  const said = { version: '99.0.0', protocol: 1, nonce: 'of the one that dies', pid, epoch: 1 };
  let closings = 0;
  const die = () => {
    server.close();
    child.kill('SIGKILL');
  };
  const server = createServer((connection) => {
    connection.on('error', () => {});
    const say = (message: object) => connection.write(`${JSON.stringify(message)}\n`);
    let heard = 0;
    createInterface(connection).on('line', (line) => {
      // lines of one chunk come after the end, too
      if (connection.destroyed) return;
      heard += 1;
      if (heard === 1) say({ scopecraft: 1, welcome: { ...said, wants: [] } });
      // after the environment, messages
      if (heard < 3) return;
      const { id, method } = JSON.parse(line);
      if (when === 'called' && method === 'server/discover') say({ jsonrpc: '2.0', id, result: DISCOVERED });
      else {
        closings += 1;
        if (closings === deaths) die();
        connection.destroy();
      }
    });
  });
  await once(server.listen(socket), 'listening');
  await chmod(socket, 0o600);
  const claim = { ...said, startedAt: processAt(pid)?.startedAt, ...placeOf(state), socket };
  await writeFile(path.join(state, 'hub.1.json'), JSON.stringify(claim), { mode: 0o600 });
  return { closings: () => closings, close: die };
}

/** `sc` under way: what it printed so far, and its exit code. */
function running(...args: readonly string[]) {
  const child = spawn(process.execPath, [CLI, ...args], { ...at(), stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (chunk: Buffer) => {
      printed[name] += chunk.toString();
    });
  return { child, printed, code: new Promise<number | null>((resolve) => child.once('close', resolve)) };
}

describe('sc that waits or follows', () => {
  it('goes on when the hub is killed, again and again: it shows each line once, and the end', async () => {
    const id = await started(`${TALK}\n@@say all said`);
    const follower = running('session', 'logs', id, '--follow');
    const waiter = running('session', 'wait', id, '--format=json');
    for (const seen of [3, 12]) {
      await expect.poll(() => follower.printed.stdout).toMatch(new RegExp(`text +line ${seen}\n`));
      // the next one too, while both come to it
      await killHub(await killHub());
    }
    expect(await waiter.code, waiter.printed.stderr).toBe(0);
    // told by the next hub, not found when it looks by itself after a while
    await expect.poll(() => follower.printed.stdout, { timeout: 8_000 }).toMatch(/result +all said/);
    expect(await follower.code).toBe(0);
    const lines = [...follower.printed.stdout.matchAll(/ text +line (\d+)$/gm)].map(([, number]) => Number(number));
    expect(lines).toEqual(Array.from({ length: LINES }, (_, n) => n + 1));
    expect(JSON.parse(waiter.printed.stdout)).toMatchObject({ sessions: [{ id, status: 'completed', result: 'all said' }] });
  });

  it.each([
    ['greeted', 2, 0, ''],
    ['greeted', 99, 75, 'HUB_UNREACHABLE'],
    ['called', 2, 0, ''],
    // the exit code of what can be tried again would be wrong: it may then be done twice
    ['called', 99, 70, 'may have been done'],
  ])('begins again where a hub goes while it is %s, %d times', async (when, deaths, exitCode, says) => {
    const own = await makeWorkspace({});
    onTestFinished(() => own.close());
    const dying = await hubThatDies(own, deaths, when);
    onTestFinished(dying.close);
    const { code, stdout, stderr } = await sc(['queue', 'status', '--format=json'], { env: own.env, cwd: own.path });
    expect([code, stderr]).toEqual([exitCode, expect.stringContaining(says)]);
    expect(dying.closings()).toBe(Math.min(deaths, 5));
    expect(stdout.includes('"slots"')).toBe(exitCode === 0);
  });

  it('ends on Ctrl-C while it follows a log, and the session goes on', async () => {
    const id = await started('@@say begun\n@@sleep 2000\n@@say over');
    const { child, printed, code } = running('session', 'logs', id, '--follow');
    await expect.poll(() => printed.stdout).toMatch(/text +begun/);
    child.kill('SIGINT');
    expect(await code).toBe(130);
    expect(printed.stderr).toContain('the session goes on');
    expect((await sc(['session', 'wait', id], at())).stdout).toMatch(new RegExp(`${id} +completed`));
  });

  it('tells in a terminal how what it waits for stands, and ends on Ctrl-C there, but not the session', async () => {
    const id = await started('@@sleep 4000\n@@say over');
    const person = await openTerminal(at());
    onTestFinished(() => person.close());
    const wait = `'${process.execPath}' '${CLI}' session wait ${id}; echo code=$?`;
    await person.type(wait);
    await person.shows(/(waiting|running) \(\d\.\ds\)/);
    await person.press('C-c');
    await person.shows(/the session goes on\.\s+code=130/);
    await person.type(`clear; ${wait}`);
    await person.shows(new RegExp(`${id} +completed[\\s\\S]*code=0`));
    expect(await person.screen()).not.toMatch(/\(\d\.\ds\)/);
  });
});
