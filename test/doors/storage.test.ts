// The state on disk is damaged, gone or full: the hub says so through the door, loses nothing that was acknowledged, and goes on when it can.
import { chmod, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { isAlive } from '../../runners/process.ts';
import { readChild } from '../../runners/run-folder.ts';
import { connect, sc, type TestClient, ToolFailure } from '../support/clients.ts';
import { CAN_MOUNT, mountSmallDisk } from '../support/small-disk.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const task = (script: string) => `# A task\n\n---\ntype: test\nstatus: todo\narea: test\n---\n\n## Instruction\n\n${script}\n`;
const open: { workspace?: Workspace; clients: TestClient[] } = { clients: [] };

afterEach(async () => {
  for (const client of open.clients.splice(0)) await client.close();
  await open.workspace?.close({ leftovers: 'end' });
});

async function workspaceWith(config: Readonly<Record<string, unknown>> = {}): Promise<Workspace> {
  open.workspace = await makeWorkspace({
    tasks: {
      'quick.task.md': task('@@say quick'),
      'slow.task.md': task('@@say begins\n@@sleep 3000\n@@say slow is done'),
      'long.task.md': task('@@say begins\n@@sleep 60000'),
    },
    userConfig: { defaultAgent: 'demo', ...config },
  });
  return open.workspace;
}

async function clientOf(workspace: Workspace): Promise<TestClient> {
  const client = await connect('modern', { env: workspace.env, cwd: workspace.path });
  open.clients.push(client);
  return client;
}

const stateOf = (workspace: Workspace) => path.join(workspace.path, '.scopecraft', 'state');
const segmentOf = (workspace: Workspace) => path.join(stateOf(workspace), 'journal', '000000000001.ndjson');
const failureOf = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => (error instanceof ToolFailure ? error : Promise.reject(error)),
  );
const doctor = (workspace: Workspace, ...flags: string[]) =>
  sc(['doctor', ...flags], { env: workspace.env, cwd: workspace.path });

/** Runs sessions one after the other, then ends the hub. Answers their ids. */
async function ranSessions(workspace: Workspace, count: number): Promise<string[]> {
  const client = await clientOf(workspace);
  const ids: string[] = [];
  for (let n = 0; n < count; n++) {
    const { id } = await client.call('session_start', { taskId: 'quick' });
    await client.call('session_wait', { sessionIds: [id], timeoutSeconds: 20 });
    ids.push(String(id));
  }
  await client.close();
  open.clients.length = 0;
  await workspace.endHub();
  return ids;
}

const Rows = z.looseObject({
  rows: z.array(z.looseObject({ id: z.string(), status: z.string() })).optional(),
  sessions: z.array(z.looseObject({ id: z.string(), status: z.string() })).optional(),
});
async function listed(client: TestClient): Promise<Record<string, string>> {
  const { rows, sessions = rows ?? [] } = Rows.parse(await client.call('session_list', {}));
  return Object.fromEntries(sessions.map(({ id, status }) => [id, status]));
}

/** Changes one byte in the line of the journal that holds this text. */
async function damage(workspace: Workspace, text: string): Promise<void> {
  const bytes = await readFile(segmentOf(workspace));
  const at = bytes.indexOf(text) + text.length - 2;
  bytes[at] = (bytes[at] ?? 0) ^ 0x01;
  await writeFile(segmentOf(workspace), bytes);
}

describe('a journal with a damaged line', () => {
  it('keeps the hub from starting: the door, the doctor and hub.failed say where it is; a repair shows what it would lose and does it on a word', async () => {
    const workspace = await workspaceWith();
    const [first = '', second = ''] = await ranSessions(workspace, 2);
    await damage(workspace, `"name":"session.started"`);
    const damaged = await readFile(segmentOf(workspace));

    const says = /The journal .*000000000001\.ndjson is damaged at line \d+, byte \d+, and good records follow/;
    await expect(connect('v1', { env: workspace.env, cwd: workspace.path })).rejects.toThrow(says);
    expect(await sc(['session', 'list'], { env: workspace.env, cwd: workspace.path })).toMatchObject({
      stderr: expect.stringMatching(says),
    });
    // the last keeper that tried may have to fail yet
    await expect
      .poll(() => readFile(path.join(stateOf(workspace), 'hub.failed'), 'utf8').catch(String), { timeout: 10_000 })
      .toContain('"code":"STORAGE_CORRUPT"');
    await expect.poll(() => workspace.hub(), { timeout: 10_000 }).toBeUndefined();
    const found = await doctor(workspace);
    expect([found.code, found.stdout]).toEqual([
      1,
      expect.stringMatching(/✗ journal .*is damaged at line \d+.*event \d+ is gone.*sc doctor --repair/),
    ]);

    const shown = await doctor(workspace, '--repair');
    expect(shown.code).toBe(1);
    expect(shown.stdout).toMatch(/gives up 1 event: \d+\n/);
    expect(shown.stdout).toContain(first);
    expect(shown.stdout).toContain('Nothing was changed.');
    expect((await readFile(segmentOf(workspace))).equals(damaged)).toBe(true);

    const done = await doctor(workspace, '--repair', '--yes');
    expect([done.code, done.stderr]).toEqual([0, '']);
    const aside = (await readdir(path.join(stateOf(workspace), 'journal'))).filter((name) => name.includes('.damaged-'));
    expect(aside).toHaveLength(1);
    expect((await readFile(path.join(stateOf(workspace), 'journal', aside[0] ?? ''))).equals(damaged)).toBe(true);

    const client = await clientOf(workspace);
    expect(await listed(client)).toEqual({ [first]: 'completed', [second]: 'completed' });
    const { id } = await client.call('session_start', { taskId: 'quick' });
    expect(await client.call('session_wait', { sessionIds: [id], timeoutSeconds: 20 })).toMatchObject({ timedOut: false });
    const { events } = await client.call('event_list', { types: ['journal.lost'] });
    expect(events).toHaveLength(1);
    expect((await doctor(workspace)).stdout).toMatch(/✓ journal/);
  });

  it('without a snapshot, where a session was queued in it: that session is not known any more, all others are', async () => {
    const workspace = await workspaceWith();
    const [first = '', second = ''] = await ranSessions(workspace, 2);
    await damage(workspace, `"sessionId":"${first}"`);
    for (const name of ['snapshot.json', 'snapshot.json.bak']) await rm(path.join(stateOf(workspace), name), { force: true });
    const shown = await doctor(workspace, '--repair');
    expect(shown.stdout).toContain(`knows these sessions no more, because their beginning is gone (their logs stay): ${first}`);
    expect((await doctor(workspace, '--repair', '--yes')).code).toBe(0);
    expect(await listed(await clientOf(workspace))).toEqual({ [second]: 'completed' });
    expect((await stat(path.join(stateOf(workspace), 'sessions', first))).isDirectory()).toBe(true);
  });

  it('is not repaired while a hub runs, and nothing is repaired where nothing is damaged', async () => {
    const workspace = await workspaceWith();
    await ranSessions(workspace, 1);
    expect(await doctor(workspace, '--repair', '--yes')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Nothing is to be repaired.'),
    });
    const client = await clientOf(workspace);
    await client.call('session_list', {});
    await damage(workspace, `"name":"session.queued"`);
    expect(await doctor(workspace, '--repair', '--yes')).toMatchObject({
      code: 75,
      stderr: expect.stringContaining('A hub runs in this workspace'),
    });
  });
});

describe('a journal of a newer version', () => {
  it('keeps the hub from starting, with a sentence that says so', async () => {
    const workspace = await workspaceWith();
    await ranSessions(workspace, 1);
    const text = await readFile(segmentOf(workspace), 'utf8');
    const seq = text.trimEnd().split('\n').length + 1;
    const json = JSON.stringify({ seq, at: Date.now(), node: 'n/9', name: 'session.danced', data: { sessionId: 'x' } });
    await writeFile(segmentOf(workspace), `${text}${crc32(json).toString(16).padStart(8, '0')} ${json}\n`);
    const { stderr } = await sc(['session', 'list'], { env: workspace.env, cwd: workspace.path });
    expect(stderr).toContain(
      `Event ${seq} of the journal is a "session.danced", which this version does not know: a newer version wrote it.`,
    );
    expect(stderr).not.toContain('invalid_value');
  });
});

describe('a snapshot that was cut', () => {
  it('costs nothing: the journal says the same', async () => {
    const workspace = await workspaceWith();
    const [id = ''] = await ranSessions(workspace, 1);
    await truncate(path.join(stateOf(workspace), 'snapshot.json'), 40);
    expect(await listed(await clientOf(workspace))).toEqual({ [id]: 'completed' });
    expect((await readdir(stateOf(workspace))).filter((name) => name.startsWith('snapshot.json.unreadable-'))).toHaveLength(1);
  });
});

describe('a state folder that is gone', () => {
  it('is made again; what the task files say stays', async () => {
    const workspace = await workspaceWith();
    const [id = ''] = await ranSessions(workspace, 1);
    await rm(stateOf(workspace), { recursive: true });
    const client = await clientOf(workspace);
    expect(await listed(client)).toEqual({});
    expect(await workspace.task('quick')).toContain(id);
    const sentence = '1 task file tells of sessions, and this workspace knows of none: its state folder';
    await expect.poll(() => readFile(path.join(stateOf(workspace), 'hub.log'), 'utf8')).toContain(sentence);
    const next = await client.call('session_start', { taskId: 'quick' });
    expect(await client.call('session_wait', { sessionIds: [next.id], timeoutSeconds: 20 })).toMatchObject({ timedOut: false });
    // both, the older first
    const history = await client.read('task://quick/history');
    expect(history.match(/^## .*$/gm)).toEqual([`## ${id} (autonomous, completed)`, `## ${next.id} (autonomous, completed)`]);
    expect(history.match(/Session completed/g)).toHaveLength(2);
  });

  it('while the hub runs: nothing is acknowledged that is not in a journal that is there', async () => {
    const workspace = await workspaceWith();
    const client = await clientOf(workspace);
    const { id } = await client.call('session_start', { taskId: 'quick' });
    await client.call('session_wait', { sessionIds: [id], timeoutSeconds: 20 });
    await rm(stateOf(workspace), { recursive: true });
    // this hub refuses; when it notices that it owns nothing any more before it could say so, the next one takes the call
    const answer = await client
      .call('session_start', { taskId: 'quick' })
      .catch((error: unknown) => (error instanceof ToolFailure ? error : Promise.reject(error)));
    if (answer instanceof ToolFailure)
      expect(answer).toMatchObject({ code: 'STORAGE_FAILED', message: expect.stringContaining('was removed while the hub ran') });
    else expect(await readFile(segmentOf(workspace), 'utf8')).toContain(`"sessionId":"${String(answer.id)}"`);
  });
});

describe('a task file', () => {
  it('that may not be written is left alone; its session runs and settles all the same', async () => {
    const workspace = await workspaceWith();
    const file = await workspace.taskFile('slow');
    await chmod(file, 0o444);
    const before = await readFile(file, 'utf8');
    const client = await clientOf(workspace);
    const { id } = await client.call('session_start', { taskId: 'slow' });
    await client.call('session_wait', { sessionIds: [id], timeoutSeconds: 20 });
    expect(await client.call('session_get', { sessionId: id })).toMatchObject({ status: 'completed', result: 'slow is done' });
    await expect
      .poll(() => readFile(path.join(stateOf(workspace), 'hub.log'), 'utf8'))
      .toContain('Task "slow" does not show its sessions: it is read-only.');
    // the mode counts, and not whether we could: root may write anywhere
    expect(await readFile(file, 'utf8')).toBe(before);
    expect((await stat(file)).mode & 0o777).toBe(0o444);
  });

  it('that is deleted while its session runs is not made again; the session settles and is known', async () => {
    const workspace = await workspaceWith();
    const client = await clientOf(workspace);
    const { id } = await client.call('session_start', { taskId: 'slow' });
    await expect.poll(async () => (await client.call('session_get', { sessionId: id })).status).toBe('running');
    await rm(await workspace.taskFile('slow'));
    await client.call('session_wait', { sessionIds: [id], timeoutSeconds: 20 });
    expect(await client.call('session_get', { sessionId: id })).toMatchObject({ status: 'completed', result: 'slow is done' });
    await expect(workspace.taskFile('slow')).rejects.toThrow('no file of task');
    expect(await failureOf(client.call('session_start', { taskId: 'slow' }))).toMatchObject({ code: 'TASK_NOT_FOUND' });
    expect(await readFile(path.join(stateOf(workspace), 'hub.log'), 'utf8')).toContain(
      'Task "slow" does not show its sessions: there is no such task file any more.',
    );
  });
});

describe('a disk with little space', () => {
  it('takes no new work below storage.minFreeDisk, says how much is free, and lets all else go on', async () => {
    const workspace = await workspaceWith({ storage: { minFreeDisk: '900000TB' } });
    const client = await clientOf(workspace);
    expect(await failureOf(client.call('session_start', { taskId: 'quick' }))).toMatchObject({
      code: 'STORAGE_FULL',
      message: expect.stringMatching(
        /The disk of the state folder has only .* free; at least 900000 TB must be \(storage\.minFreeDisk\)\.$/,
      ),
      body: { retry: true },
    });
    expect(await client.call('session_list', {})).toMatchObject({ total: 0 });
    expect((await doctor(workspace)).stdout).toMatch(/! disk .*only .* free/);
  });

  it.runIf(CAN_MOUNT)(
    'that is full to the last byte: a start is refused, the running session goes on and can be cancelled, and starts are taken again when there is space',
    async () => {
      const workspace = await workspaceWith({ storage: { minFreeDisk: '0' }, resources: { maxConcurrentSessions: 2 } });
      const disk = mountSmallDisk(stateOf(workspace), 8 * 1024 * 1024);
      try {
        const client = await clientOf(workspace);
        const runs = String((await client.call('session_start', { taskId: 'long' })).id);
        const ends = String((await client.call('session_start', { taskId: 'slow' })).id);
        await expect.poll(async () => (await client.call('session_list', { status: 'running' })).total).toBe(2);
        // what an agent prints before the hub has given up its reserve is lost: it is past its first words, and silent for a while
        await expect
          .poll(async () => JSON.stringify(await client.call('session_logs', { sessionId: ends })), { timeout: 10_000 })
          .toContain('begins');
        const waits = String((await client.call('session_start', { taskId: 'quick' })).id);
        await disk.fill();
        expect(await failureOf(client.call('session_start', { taskId: 'quick' }))).toMatchObject({ code: 'STORAGE_FULL' });
        expect(await listed(client)).toEqual({ [runs]: 'running', [ends]: 'running', [waits]: 'queued' });
        await client.call('session_cancel', { sessionId: runs });
        await client.call('session_wait', { sessionIds: [runs], timeoutSeconds: 20 });
        expect(await client.call('session_get', { sessionId: runs })).toMatchObject({ status: 'cancelled' });
        // its slot is free, but nothing new is begun
        expect(await client.call('session_get', { sessionId: waits })).toMatchObject({
          status: 'queued',
          reason: expect.stringContaining('full'),
        });
        // the other one ends before there is space: it has what the hub gave up for such ends
        const agent = readChild(path.join(stateOf(workspace), 'sessions', ends, '1'));
        await expect.poll(() => agent && isAlive(agent)).toBe(false);
        await disk.empty();
        await client.call('session_wait', { sessionIds: [ends, waits], until: 'all', timeoutSeconds: 20 });
        expect(await client.call('session_get', { sessionId: waits })).toMatchObject({ status: 'completed' });
        await expect
          .poll(() => client.call('session_start', { taskId: 'quick' }).then(({ status }) => status, String), { timeout: 10_000 })
          .toMatch(/queued|starting|running/);
        await client.close();
        open.clients.length = 0;
        await workspace.endHub();
        const again = await clientOf(workspace);
        expect(await listed(again)).toMatchObject({ [runs]: 'cancelled', [ends]: 'completed' });
        expect(await again.call('session_get', { sessionId: ends })).toMatchObject({ result: 'slow is done' });
        await again.close();
        open.clients.length = 0;
      } finally {
        for (const client of open.clients.splice(0)) await client.close();
        await workspace.endHub();
        disk.unmount();
      }
    },
  );
});
