// The hub is killed at the worst moments, and nothing is lost: running sessions finish, queued ones start, clients that stay notice nothing.
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { connect, type TestClient } from '../support/clients.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const LINES = 25;
const script = (name: string) =>
  [
    ...Array.from({ length: LINES }, (_, n) => `@@say ${name} line ${n + 1}\n@@sleep 80`),
    '@@cost 0.125',
    `@@say ${name} is done`,
  ].join('\n');
const task = (name: string) =>
  `# ${name}\n\n---\ntype: test\nstatus: todo\narea: test\n---\n\n## Instruction\n\n${script(name)}\n`;
const NAMES = ['one', 'two', 'three', 'four'] as const;
const Entries = z.looseObject({
  entries: z.array(z.looseObject({ seq: z.string(), kind: z.string(), text: z.string() })),
  more: z.boolean(),
});
const Waited = z.looseObject({ sessions: z.array(z.looseObject({ id: z.string(), status: z.string() })), timedOut: z.boolean() });

const open: { workspace?: Workspace; clients: TestClient[] } = { clients: [] };

afterEach(async () => {
  for (const client of open.clients.splice(0)) await client.close();
  await open.workspace?.close();
});

async function workspaceWith(slots: number): Promise<Workspace> {
  open.workspace = await makeWorkspace({
    tasks: Object.fromEntries(NAMES.map((name) => [`${name}.task.md`, task(name)])),
    userConfig: { defaultAgent: 'demo', resources: { maxConcurrentSessions: slots } },
  });
  return open.workspace;
}

async function clientOf(workspace: Workspace, kind: 'modern' | 'v1' = 'modern'): Promise<TestClient> {
  const client = await connect(kind, { env: workspace.env, cwd: workspace.path });
  open.clients.push(client);
  return client;
}

async function startAll(client: TestClient, names: readonly string[]): Promise<string[]> {
  const started = await Promise.all(names.map((taskId) => client.call('session_start', { taskId })));
  return started.map(({ id }) => String(id));
}

async function killHub(workspace: Workspace): Promise<number> {
  const hub = await workspace.hub();
  if (!hub) throw new Error('There is no hub to kill.');
  process.kill(hub.pid, 'SIGKILL');
  return hub.pid;
}

async function waitForAll(client: TestClient, ids: readonly string[]): Promise<void> {
  for (;;) {
    const { timedOut } = Waited.parse(
      await client.call('session_wait', { sessionIds: ids, until: 'all', timeoutSeconds: 20 }, { timeoutMs: 60_000 }),
    );
    if (!timedOut) return;
  }
}

/** Every line of a session's log from its beginning, by pages. */
async function wholeLog(client: TestClient, sessionId: string): Promise<string[]> {
  const texts: string[] = [];
  for (let after = '0:0.0'; ; ) {
    const { entries, more } = Entries.parse(await client.call('session_logs', { sessionId, after, limit: 7, kinds: ['text'] }));
    texts.push(...entries.map(({ text }) => text));
    after = entries.at(-1)?.seq ?? after;
    if (!more) return texts;
  }
}

async function expectWhole(client: TestClient, id: string, name: string): Promise<void> {
  expect(await client.call('session_get', { sessionId: id })).toMatchObject({
    status: 'completed',
    cause: { kind: 'done' },
    result: `${name} is done`,
    costUsd: 0.125,
  });
  const lines = (await wholeLog(client, id)).filter((text) => text.includes(' line '));
  expect(lines).toEqual(Array.from({ length: LINES }, (_, n) => `${name} line ${n + 1}`));
  const { events } = await client.call('event_list', { sessionId: id, after: '0', limit: 200 });
  const names = z
    .array(z.looseObject({ name: z.string() }))
    .parse(events)
    .map(({ name }) => name);
  // a kill between the intent and the start: that run is fenced, and the next one begins in its place
  const once = names.filter((name, at) => name !== 'session.starting' || names[at - 1] !== 'session.starting');
  expect(once).toEqual(['session.queued', 'session.starting', 'session.started', 'session.completed']);
}

describe('a hub that is killed', () => {
  it('while three sessions run: all three finish, with every line of their logs exactly once', async () => {
    const workspace = await workspaceWith(3);
    const client = await clientOf(workspace);
    const names = NAMES.slice(0, 3);
    const ids = await startAll(client, names);
    await expect.poll(async () => (await client.call('session_list', { status: 'running' })).total).toBe(3);
    const first = await killHub(workspace);
    await waitForAll(client, ids);
    for (const [at, id] of ids.entries()) await expectWhole(client, id, names[at] ?? '');
    expect((await workspace.hub())?.pid).not.toBe(first);
  });

  it('again and again while they run', async () => {
    const workspace = await workspaceWith(3);
    const client = await clientOf(workspace);
    const names = NAMES.slice(0, 3);
    const ids = await startAll(client, names);
    for (let kills = 0; kills < 4; kills++) {
      await client.call('queue_status');
      await killHub(workspace);
    }
    await waitForAll(client, ids);
    for (const [at, id] of ids.entries()) await expectWhole(client, id, names[at] ?? '');
  });

  it('with every door closed, two running and two queued: all four settle although nobody comes', async () => {
    const workspace = await workspaceWith(2);
    const client = await clientOf(workspace);
    const ids = await startAll(client, NAMES);
    await expect.poll(async () => (await client.call('session_list', { status: 'running' })).total).toBe(2);
    expect(await client.call('queue_status')).toMatchObject({ waiting: 2, slots: { taken: 2, total: 2 } });
    await client.close();
    open.clients.length = 0;
    await killHub(workspace);
    // the task files are all that is looked at: no door is opened
    for (const name of NAMES) await expect.poll(() => workspace.task(name), { timeout: 20_000 }).toContain('status: completed');
    const later = await clientOf(workspace);
    for (const [at, id] of ids.entries()) await expectWhole(later, id, NAMES[at] ?? '');
  });

  it('together with its keeper: how its runs ended meanwhile is told as if it had been there', async () => {
    const workspace = await workspaceWith(4);
    const client = await clientOf(workspace);
    const ends = ['@@fail it broke', '@@exit 7', '@@die SIGKILL', '@@say it went well'];
    const prompts = ends.map((end) => `@@cost 0.5\n@@tool Bash {"command":"until [ -f go ]; do sleep 0.1; done"}\n${end}`);
    const started = await Promise.all(prompts.map((prompt) => client.call('session_start', { prompt })));
    await expect.poll(async () => (await client.call('session_list', { status: 'running' })).total).toBe(ends.length);
    await client.close();
    open.clients.length = 0;
    await workspace.killHub();
    await writeFile(path.join(workspace.path, 'go'), '');
    const ids = started.map(({ id }) => String(id));
    const sessions = path.join(workspace.path, '.scopecraft/state/sessions');
    // the last one stays until a hub ends its input
    for (const id of ids.slice(0, 3)) await expect.poll(() => existsSync(path.join(sessions, id, '1/exit'))).toBe(true);
    const later = await clientOf(workspace);
    await waitForAll(later, ids);
    const seen = await Promise.all(ids.map((sessionId) => later.call('session_get', { sessionId })));
    expect(seen).toMatchObject([
      { status: 'failed', cause: { kind: 'agent_error', exitCode: 1, reason: 'it broke' }, costUsd: 0.5 },
      { status: 'failed', cause: { kind: 'agent_error', exitCode: 7 } },
      { status: 'failed', cause: { kind: 'killed', signal: 'SIGKILL', exitCode: 137 } },
      { status: 'completed', cause: { kind: 'done' }, result: 'it went well', costUsd: 0.5 },
    ]);
  });

  it('before what it has told is in the task file: the next one writes it there, although nothing more happens', async () => {
    const workspace = await workspaceWith(1);
    const client = await clientOf(workspace);
    const { id, taskId } = await client.call('session_start', { prompt: '@@sleep 500\n@@say it is over' });
    const { pid = 0 } = (await workspace.hub()) ?? {};
    await waitForAll(client, [String(id)]);
    // at once: a file is written when nothing has happened for a moment
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => workspace.task(String(taskId)), { timeout: 20_000 }).toContain('status: completed');
    expect((await workspace.hub())?.pid).not.toBe(pid);
  });

  it('under a v1 client that subscribed to a log: its next call and its updates go on', async () => {
    const workspace = await workspaceWith(3);
    const client = await clientOf(workspace, 'v1');
    const [id = ''] = await startAll(client, ['one']);
    const updates: string[] = [];
    await client.subscribe([`session://${id}/log`], (uri) => updates.push(uri));
    await expect.poll(() => updates.length, { timeout: 20_000 }).toBeGreaterThan(0);
    await killHub(workspace);
    expect(await client.call('session_get', { sessionId: id })).toMatchObject({ id });
    const before = updates.length;
    await expect.poll(() => updates.length, { timeout: 10_000 }).toBeGreaterThan(before);
    await waitForAll(client, [id]);
    await expectWhole(client, id, 'one');
    expect(new Set(updates)).toEqual(new Set([`session://${id}/log`]));
  });

  it('together with its keeper: the supervisor of a run that ends brings a new hub, which goes on with the line', async () => {
    const workspace = await workspaceWith(1);
    const client = await clientOf(workspace);
    const ids = await startAll(client, ['one', 'two']);
    await expect.poll(async () => (await client.call('session_list', { status: 'running' })).total).toBe(1);
    await client.close();
    open.clients.length = 0;
    await workspace.endHub();
    expect(await workspace.hub()).toBeUndefined();
    for (const name of ['one', 'two'])
      await expect.poll(() => workspace.task(name), { timeout: 20_000 }).toContain('status: completed');
    const later = await clientOf(workspace);
    for (const [at, id] of ids.entries()) await expectWhole(later, id, NAMES[at] ?? '');
  });
});
