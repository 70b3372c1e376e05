// Calls that go on as tasks, spoken to in plain JSON-RPC through the built door: what settles late, asks meanwhile, is cancelled, or outlives its hub.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { askHttp } from '../support/http-clients.ts';
import { openRawDoor, type RawDoor } from '../support/raw-door.ts';
import { serve } from '../support/serving.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const TASKS = 'io.modelcontextprotocol/tasks';
const CAPABILITIES = { extensions: { [TASKS]: {} }, elicitation: {} };
const NOTHING = { 'io.modelcontextprotocol/clientCapabilities': {} };
const Task = z.looseObject({
  taskId: z.string(),
  status: z.enum(['working', 'input_required', 'completed', 'cancelled', 'failed']),
  statusMessage: z.string(),
  createdAt: z.iso.datetime(),
  lastUpdatedAt: z.iso.datetime(),
  ttlMs: z.null(),
  pollIntervalMs: z.number().int().positive(),
  inputRequests: z
    .record(
      z.string(),
      z.object({
        method: z.literal('elicitation/create'),
        params: z.object({
          mode: z.literal('form'),
          message: z.string(),
          requestedSchema: z.looseObject({ type: z.literal('object') }),
        }),
      }),
    )
    .optional(),
  result: z.looseObject({ structuredContent: z.looseObject({}), content: z.array(z.unknown()) }).optional(),
});
const task = (...lines: string[]) =>
  `# A task\n\n---\ntype: test\nstatus: todo\narea: test\n---\n\n## Instruction\n\n${lines.join('\n')}\n`;
const UNTIL_GO = '@@tool Bash {"command":"until [ -f go ]; do sleep 0.1; done; echo went"}';

const open: { workspace?: Workspace; doors: RawDoor[] } = { doors: [] };
afterEach(async () => {
  for (const door of open.doors.splice(0)) await door.close();
  await open.workspace?.close();
});

async function begin(tasks: Readonly<Record<string, string>>) {
  const workspace = await makeWorkspace({
    tasks: Object.fromEntries(Object.entries(tasks).map(([name, text]) => [`${name}.task.md`, text])),
    userConfig: { defaultAgent: 'demo' },
  });
  open.workspace = workspace;
  return { workspace, door: await another(workspace), go: () => writeFile(path.join(workspace.path, 'go'), '') };
}

async function another(workspace: Workspace, revision = '2026-07-28', capabilities: object = CAPABILITIES): Promise<RawDoor> {
  const door = await openRawDoor(revision, { env: workspace.env, cwd: workspace.path, capabilities });
  open.doors.push(door);
  return door;
}

const call = (door: RawDoor, name: string, args: object, meta?: Readonly<Record<string, unknown>>) =>
  door.ask('tools/call', { name, arguments: args }, meta);
const get = async (door: RawDoor, taskId: string) => Task.parse(await door.ask('tasks/get', { taskId }));
const until = (door: RawDoor, taskId: string, status: string) =>
  expect.poll(() => get(door, taskId).then((view) => view.status), { timeout: 20_000, interval: 100 }).toBe(status);
const updates = (door: RawDoor, taskId: string, inputResponses: object) => door.ask('tasks/update', { taskId, inputResponses });

describe('session_run', () => {
  it('is answered with its result at once when it is over soon, and with a task when it is not', async () => {
    const { door, go } = await begin({ quick: task('@@say quick'), slow: task(UNTIL_GO, '@@say slow') });
    // the same call as before is over at once, however slow the machine is
    const quick = { taskId: 'quick', requestKey: 'quick', timeoutSeconds: 40 };
    await call(door, 'session_run', quick, NOTHING);
    expect(await call(door, 'session_run', quick)).toMatchObject({
      resultType: 'complete',
      structuredContent: { status: 'completed', result: 'quick', timedOut: false },
    });
    const created = await call(door, 'session_run', { taskId: 'slow' });
    expect(created).toMatchObject({ resultType: 'task', status: 'working' });
    for (const field of ['result', 'inputRequests', 'requestState']) expect(created).not.toHaveProperty(field);
    const { taskId } = Task.parse(created);
    expect((await get(door, taskId)).status).toBe('working');
    await go();
    await until(door, taskId, 'completed');
    const { result } = await get(door, taskId);
    expect(result?.structuredContent).toMatchObject({ status: 'completed', result: 'slow', timedOut: false });
    expect(JSON.parse(z.object({ text: z.string() }).parse(result?.content[0]).text)).toEqual(result?.structuredContent);
  });

  it('is a plain call that says what to do next for who cannot follow a task', async () => {
    const { door, go } = await begin({ slow: task(UNTIL_GO, '@@say slow') });
    const answer = await call(door, 'session_run', { taskId: 'slow', timeoutSeconds: 0.2 }, NOTHING);
    const receipt = z.looseObject({ id: z.string(), next: z.string() }).parse(answer.structuredContent);
    expect(receipt).toMatchObject({ timedOut: true, next: `session_wait { "sessionIds": ["${receipt.id}"] }` });
    for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel'])
      await expect(door.ask(method, { taskId: `run.${receipt.id}`, inputResponses: {} }, NOTHING)).rejects.toThrow('-32021');
    await go();
    const waited = await call(door, 'session_wait', { sessionIds: [receipt.id] }, NOTHING);
    expect(waited.structuredContent).toMatchObject({ sessions: [{ result: 'slow' }] });
  });

  it('goes on as the same task when the hub is killed, and is known to every door', async () => {
    const { workspace, door, go } = await begin({ slow: task(UNTIL_GO, '@@say survived') });
    const { taskId } = Task.parse(await call(door, 'session_run', { taskId: 'slow', requestKey: 'once' }));
    await workspace.killHub();
    const other = await another(workspace);
    expect((await get(other, taskId)).status).toBe('working');
    expect(Task.parse(await call(other, 'session_run', { taskId: 'slow', requestKey: 'once' })).taskId).toBe(taskId);
    await workspace.killHub();
    await go();
    await until(door, taskId, 'completed');
    const { result } = await get(other, taskId);
    const { id } = z.looseObject({ id: z.string() }).parse(result?.structuredContent);
    expect(await call(other, 'session_run', { taskId: 'slow', requestKey: 'once' }, NOTHING)).toMatchObject({
      structuredContent: { id, result: 'survived' },
    });
    expect((await call(door, 'session_list', {}, NOTHING)).structuredContent).toMatchObject({ total: 1 });
  });

  it('goes on as the same task over HTTP when the hub is killed', async () => {
    const { workspace, go } = await begin({ slow: task(UNTIL_GO, '@@say survived') });
    const serving = await serve({ env: workspace.env, cwd: workspace.path });
    try {
      const access = await serving.access('operate');
      const ask = async (method: string, params: Readonly<Record<string, unknown>>) =>
        Task.parse((await askHttp(access, method, params, CAPABILITIES)).result);
      const run = { name: 'session_run', arguments: { taskId: 'slow', requestKey: 'once' } };
      const { taskId, status } = await ask('tools/call', run);
      expect(status).toBe('working');
      const before = (await workspace.hub())?.pid;
      await workspace.killHub();
      const view = () => ask('tasks/get', { taskId });
      await expect.poll(view, { timeout: 20_000 }).toMatchObject({ taskId, status: 'working' });
      expect((await workspace.hub())?.pid).not.toBe(before);
      expect((await ask('tools/call', run)).taskId).toBe(taskId);
      await go();
      await expect.poll(view, { timeout: 20_000 }).toMatchObject({ status: 'completed' });
      expect((await view()).result?.structuredContent).toMatchObject({ status: 'completed', result: 'survived' });
    } finally {
      await serving.interrupt();
    }
  });

  it('stops its session when its task is cancelled, however often', async () => {
    const { door } = await begin({ hang: task('@@hang') });
    const { taskId } = Task.parse(await call(door, 'session_run', { taskId: 'hang' }));
    for (let times = 0; times < 2; times += 1) {
      const ack = await door.ask('tasks/cancel', { taskId });
      expect(ack).toMatchObject({ resultType: 'complete' });
      for (const field of ['taskId', 'status', 'result']) expect(ack).not.toHaveProperty(field);
    }
    await until(door, taskId, 'cancelled');
    expect(await door.ask('tasks/cancel', { taskId })).toMatchObject({ resultType: 'complete' });
    expect((await call(door, 'session_list', {})).structuredContent).toMatchObject({ sessions: [{ status: 'cancelled' }] });
  });
});

describe('what a session asks', () => {
  it('is in its task as a form, and the reply reaches it once, also across a hub kill', async () => {
    const { workspace, door } = await begin({
      asks: task('@@question {"question":"Wide or narrow?","options":["wide","narrow"]}', '@@say I take {{last.answer}}'),
    });
    const { taskId } = Task.parse(await call(door, 'session_run', { taskId: 'asks' }));
    await until(door, taskId, 'input_required');
    const { inputRequests = {} } = await get(door, taskId);
    const [key = ''] = Object.keys(inputRequests);
    expect(inputRequests[key]?.params.message).toContain('Wide or narrow?');
    expect(inputRequests[key]?.params.requestedSchema).toMatchObject({ properties: { answer: { enum: ['wide', 'narrow'] } } });
    expect(await updates(door, taskId, { 'never-asked': { action: 'accept', content: {} } })).toMatchObject({
      resultType: 'complete',
    });
    await expect(updates(door, taskId, { [key]: { action: 'accept', content: {} } })).rejects.toThrow('-32602');
    expect((await get(door, taskId)).status).toBe('input_required');
    await workspace.killHub();
    const reply = { [key]: { action: 'accept', content: { answer: 'narrow' } } };
    for (let times = 0; times < 2; times += 1)
      expect(await updates(door, taskId, reply)).toMatchObject({ resultType: 'complete' });
    await until(door, taskId, 'completed');
    expect((await get(door, taskId)).result?.structuredContent).toMatchObject({
      result: 'I take narrow',
      answered: [{ requestId: key, decision: 'answer', answer: 'narrow', answeredBy: 'scopecraft-test 1.0.0' }],
    });
  });

  it('is denied when its form is put aside', async () => {
    const { door } = await begin({ asks: task('@@permission Bash {"command":"echo ran > ran.txt"}', '@@say went on: {{last}}') });
    const { taskId } = Task.parse(await call(door, 'session_run', { taskId: 'asks' }));
    await until(door, taskId, 'input_required');
    const [key = ''] = Object.keys((await get(door, taskId)).inputRequests ?? {});
    await updates(door, taskId, { [key]: { action: 'decline' } });
    await until(door, taskId, 'completed');
    const { result } = await get(door, taskId);
    expect(result?.structuredContent).toMatchObject({ answered: [{ decision: 'deny' }] });
    expect(JSON.stringify(result)).toContain('put the question aside');
  });
});

describe('session_wait', () => {
  it('goes on as a task that settles as the plain call would, and leaves its sessions alone when it is cancelled', async () => {
    const { door, go } = await begin({ one: task(UNTIL_GO, '@@say one'), two: task(UNTIL_GO, '@@say two') });
    const start = async (taskId: string) =>
      z.looseObject({ id: z.string() }).parse((await call(door, 'session_start', { taskId })).structuredContent).id;
    const sessionIds = [await start('one'), await start('two')];
    const { taskId } = Task.parse(await call(door, 'session_wait', { sessionIds, until: 'all' }));
    expect(await door.ask('tasks/cancel', { taskId })).toMatchObject({ resultType: 'complete' });
    expect((await get(door, taskId)).status).toBe('working');
    await go();
    await until(door, taskId, 'completed');
    const plain = await call(door, 'session_wait', { sessionIds, until: 'all', timeoutSeconds: 1 }, NOTHING);
    const { result } = await get(door, taskId);
    const { cursor: _then, ...told } = result?.structuredContent ?? {};
    const { cursor: _now, ...asked } = z.looseObject({}).parse(plain.structuredContent);
    expect(told).toEqual(asked);
    expect(told).toMatchObject({ sessions: [{ result: 'one' }, { result: 'two' }], timedOut: false });
  });

  it('for all of them shows as a task what one asks, and is not over with the other', async () => {
    const { door } = await begin({ asks: task('@@question Which one?', '@@say I take {{last.answer}}'), two: task('@@say two') });
    const start = async (taskId: string) =>
      z.looseObject({ id: z.string() }).parse((await call(door, 'session_start', { taskId })).structuredContent).id;
    const [asks, two] = [await start('asks'), await start('two')];
    await call(door, 'session_wait', { sessionIds: [two], timeoutSeconds: 30 }, NOTHING);
    await call(door, 'session_wait', { sessionIds: [asks], timeoutSeconds: 30 }, NOTHING);
    const { taskId } = Task.parse(await call(door, 'session_wait', { sessionIds: [asks, two], until: 'all' }));
    const { status, inputRequests = {} } = await get(door, taskId);
    expect(status).toBe('input_required');
    const [requestId = ''] = Object.keys(inputRequests);
    await updates(door, taskId, { [requestId]: { action: 'accept', content: { answer: 'the first' } } });
    await until(door, taskId, 'completed');
    expect((await get(door, taskId)).result?.structuredContent).toMatchObject({
      sessions: [{ result: 'I take the first' }, { result: 'two' }],
    });
  });

  it('for any change is over with the first one, also with one under the next hub, and though the session then asks', async () => {
    const { workspace, door, go } = await begin({
      asks: task(UNTIL_GO, '@@question Which one?', '@@say I take {{last.answer}}'),
    });
    const { structuredContent } = await call(door, 'session_start', { taskId: 'asks' });
    const { id } = z.looseObject({ id: z.string() }).parse(structuredContent);
    const wait = (more: object) => call(door, 'session_wait', { sessionIds: [id], until: 'change', ...more });
    const statusOf = async () => (await call(door, 'session_get', { sessionId: id })).structuredContent;
    await expect.poll(statusOf, { timeout: 20_000 }).toMatchObject({ status: 'running' });
    const { taskId, status } = Task.parse(await wait({}));
    expect(status).toBe('working');
    expect((await get(door, taskId)).status).toBe('working');
    await workspace.killHub();
    expect((await get(door, taskId)).status).toBe('working');
    await go();
    await expect.poll(statusOf, { timeout: 20_000 }).toMatchObject({ status: 'waiting' });
    const over = await get(door, taskId);
    expect(over).toMatchObject({
      status: 'completed',
      result: {
        structuredContent: { timedOut: false, sessions: [{ id, status: 'waiting', requests: [{ text: 'Which one?' }] }] },
      },
    });
    expect(over).not.toHaveProperty('inputRequests');
    await call(door, 'session_cancel', { sessionId: id });
  });

  it('waits no longer than it was told to where that is short, and refuses what it always refuses', async () => {
    const { door } = await begin({ hang: task('@@hang') });
    const { structuredContent } = await call(door, 'session_start', { taskId: 'hang' });
    const { id } = z.looseObject({ id: z.string() }).parse(structuredContent);
    const short = await call(door, 'session_wait', { sessionIds: [id], timeoutSeconds: 0.1 });
    expect(short).toMatchObject({ resultType: 'complete', structuredContent: { timedOut: true } });
    for (const args of [{ sessionIds: [id], timeoutSeconds: 600 }, { sessionIds: ['nobody-aaaa'] }, { sessionIds: [] }])
      expect(await call(door, 'session_wait', args)).toMatchObject({ isError: true });
    await call(door, 'session_cancel', { sessionId: id });
  });
});

describe('tasks that are none', () => {
  it('are refused, and so are the methods that the extension took away', async () => {
    const { door } = await begin({});
    for (const taskId of ['nothing', 'run.nobody-aaaa', 'wait.any..1.nobody-aaaa', 'wait.some..1.x', 'run.', '../../etc'])
      for (const method of ['tasks/get', 'tasks/cancel', 'tasks/update'])
        await expect(door.ask(method, { taskId, inputResponses: {} }), `${method} ${taskId}`).rejects.toThrow('-32602');
    for (const method of ['tasks/list', 'tasks/result'])
      await expect(door.ask(method, { taskId: 'x' })).rejects.toThrow('-32601');
  });

  it('are not there in the era before', async () => {
    const { workspace } = await begin({ slow: task('@@hang') });
    const door = await another(workspace, '2025-11-25');
    const answer = await call(door, 'session_run', { taskId: 'slow', timeoutSeconds: 2.5 });
    const { id } = z.looseObject({ id: z.string() }).parse(answer.structuredContent);
    expect(answer).toMatchObject({ structuredContent: { timedOut: true } });
    await expect(door.ask('tasks/get', { taskId: `run.${id}` })).rejects.toThrow('-32601');
    await call(door, 'session_cancel', { sessionId: id });
  });
});
