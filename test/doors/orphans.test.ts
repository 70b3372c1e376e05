// What runs left on the machine while no hub was there: the next hub ends it, and nothing else; and a hub that is started too late.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { z } from 'zod';
import { placeOf, RUN_MARK } from '../../runners/process.ts';
import { connect, type TestClient } from '../support/clients.ts';
import { PROJECT } from '../support/project.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const open: { workspace?: Workspace; client?: TestClient } = {};
const left = new Map<string, ChildProcess>();

afterEach(async () => {
  for (const child of left.values()) child.kill('SIGKILL');
  left.clear();
  await open.client?.close();
  await open.workspace?.close({ leftovers: 'end' });
});

/** A process in a session of its own, as a daemon that a run left; `trap` is what it does about TERM. */
function leave(name: string, env: Readonly<Record<string, string>>, mark: string, trap = '-'): void {
  const script = `trap '${trap}' TERM; exec sleep 600`;
  left.set(name, spawn('/bin/sh', ['-c', script], { detached: true, stdio: 'ignore', env: { ...env, [RUN_MARK]: mark } }));
}

const isThere = (name: string) => left.get(name)?.exitCode === null && left.get(name)?.signalCode === null;
const Events = z.looseObject({ events: z.array(z.looseObject({ name: z.string(), data: z.looseObject({}) })) });

it('a hub that comes after a killed one ends what runs have left, and no process of another workspace or of a living run', async () => {
  const workspace = await makeWorkspace({ userConfig: { defaultAgent: 'demo' } });
  open.workspace = workspace;
  const { env, path: cwd } = workspace;
  const client = await connect('modern', { env, cwd });
  open.client = client;
  const done = String((await client.call('session_start', { prompt: '@@say done' })).id);
  const hangs = String((await client.call('session_start', { prompt: '@@hang' })).id);
  await client.call('session_wait', { sessionIds: [done], timeoutSeconds: 20 });
  await expect
    .poll(async () => (await client.call('session_get', { sessionId: hangs })).status, { timeout: 15_000 })
    .toBe('running');
  // the first hub looks too, a moment after its start
  await delay(1500);
  const place = placeOf(cwd);
  leave('settled', env, `${place}/${done}/1`);
  leave('stubborn', env, `${place}/${done}/1`, '');
  leave('unknown', env, `${place}/nobody-aaaa/1`);
  leave('setup', env, `${place}/${done}/worktree`);
  leave('living setup', env, `${place}/${hangs}/worktree`);
  leave('living', env, `${place}/${hangs}/1`);
  leave('earlier run', env, `${place}/${hangs}/0`);
  leave('elsewhere', env, `${placeOf('/somewhere/else')}/${done}/1`);
  const before = (await workspace.hub())?.pid;
  await workspace.killHub();
  // of a start that the hub was killed in, or of a session whose removal it could not finish
  const environments = path.join(cwd, '.scopecraft', 'state', 'environments');
  await writeFile(path.join(environments, 'nobody-aaaa.json'), '{}');

  await client.call('queue_status');
  expect((await workspace.hub())?.pid).not.toBe(before);
  await expect
    .poll(() => [...left.keys()].filter(isThere), { timeout: 15_000, message: 'what is left' })
    .toEqual(['living setup', 'living', 'elsewhere']);
  const swept = async () => Events.parse(await client.call('event_list', { types: ['hub.swept'] })).events;
  await expect.poll(swept, { timeout: 10_000 }).toMatchObject([{ name: 'hub.swept', data: { processes: 5 } }]);
  expect(await client.call('session_get', { sessionId: hangs })).toMatchObject({ status: 'running' });
  expect((await readdir(environments)).toSorted()).toEqual([done, hangs].map((id) => `${id}.json`).toSorted());
}, 60_000);

it('a keeper that a supervisor starts when its workspace is gone ends, and brings nothing of it back', async () => {
  const workspace = await makeWorkspace();
  open.workspace = workspace;
  await rm(workspace.path, { recursive: true });
  const dist = (name: string) => path.join(PROJECT, 'dist', name);
  const keeper = spawn('/bin/sh', [dist('keeper.sh'), process.execPath, dist('hub.cjs'), workspace.path], {
    env: workspace.env,
    cwd: '/',
    stdio: 'ignore',
  });
  expect(await once(keeper, 'exit')).toEqual([1, null]);
  await expect(stat(workspace.path)).rejects.toMatchObject({ code: 'ENOENT' });
}, 30_000);
