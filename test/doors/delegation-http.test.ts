// Runs reach the hub that runs them, also while it is killed: the built-in agent over HTTP, the real Claude Code on its output.
import { once } from 'node:events';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { connect, sc, type TestClient } from '../support/clients.ts';
import { kill } from '../support/processes.ts';
import { type StubModel, startStubModel } from '../support/stub-model.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const Waited = z.looseObject({
  sessions: z.array(
    z.looseObject({ status: z.string(), result: z.string().optional(), cause: z.looseObject({ kind: z.string() }).optional() }),
  ),
  timedOut: z.boolean(),
});
const Entries = z.looseObject({
  entries: z.array(z.looseObject({ kind: z.string(), tool: z.string().optional(), text: z.string() })),
});
const task = (lines: readonly string[]) =>
  `# A task\n\n---\ntype: test\nstatus: todo\narea: test\n---\n\n## Instruction\n\n${lines.join('\n')}\n`;
let model: StubModel;
const open: { workspace?: Workspace; client?: TestClient } = {};
beforeAll(async () => {
  model = await startStubModel();
});
afterEach(async () => {
  await open.client?.close();
  await open.workspace?.close();
});
afterAll(() => model.close());

async function begin(tasks: Readonly<Record<string, readonly string[]>>): Promise<{ workspace: Workspace; client: TestClient }> {
  const workspace = await makeWorkspace({
    modelUrl: model.url,
    tasks: Object.fromEntries(Object.entries(tasks).map(([name, lines]) => [`${name}.task.md`, task(lines)])),
    userConfig: { defaultAgent: 'demo', agents: { claude: { kind: 'claude', command: 'claude', tools: ['Bash'] } } },
  });
  open.workspace = workspace;
  open.client = await connect('modern', { env: workspace.env, cwd: workspace.path });
  return { workspace, client: open.client };
}

async function settled(client: TestClient, sessionId: string) {
  for (;;) {
    const { sessions, timedOut } = Waited.parse(
      await client.call('session_wait', { sessionIds: [sessionId], timeoutSeconds: 20 }, { timeoutMs: 60_000 }),
    );
    if (!timedOut) return sessions[0];
  }
}

async function killHub(workspace: Workspace): Promise<void> {
  const hub = await workspace.hub();
  if (!hub) throw new Error('There is no hub to kill.');
  process.kill(hub.pid, 'SIGKILL');
}

const running = async (client: TestClient, taskId: string) =>
  (await client.call('session_list', { taskId, status: 'running' })).total;
const stateOf = (workspace: Workspace, ...parts: string[]) => path.join(workspace.path, '.scopecraft', 'state', ...parts);

/** Takes a port as soon as the kernel gives it: the threads of a killed hub may hold it for a moment. */
async function taken(port: number): Promise<Server> {
  for (const until = Date.now() + 5_000; ; ) {
    const server = createServer();
    try {
      await once(server.listen(port, '127.0.0.1'), 'listening');
      return server;
    } catch (error) {
      if (Date.now() > until) throw error;
    }
  }
}

describe('the built-in agent as a parent', () => {
  it('starts a child, waits for it, and says what it said', async () => {
    const { client } = await begin({
      child: ['@@sleep 300', '@@say forty-two'],
      parent: [
        '@@mcp session_start {"taskId":"child"}',
        '@@mcp session_wait {"sessionIds":["{{last.id}}"]}',
        '@@say The child said {{last.sessions.0.result}}.',
      ],
    });
    const { id } = await client.call('session_start', { taskId: 'parent' });
    expect(await settled(client, String(id))).toMatchObject({ status: 'completed', result: 'The child said forty-two.' });
  });

  it('goes on waiting when the hub is killed under its call', async () => {
    const { workspace, client } = await begin({
      child: ['@@sleep 4000', '@@say late'],
      parent: [
        '@@mcp session_start {"taskId":"child"}',
        '@@mcp session_wait {"sessionIds":["{{last.id}}"],"timeoutSeconds":2}',
        '@@say {{last.sessions.0.result}}',
      ],
    });
    const { id } = await client.call('session_start', { taskId: 'parent' });
    await expect.poll(() => running(client, 'child'), { timeout: 10_000 }).toBe(1);
    await killHub(workspace);
    expect(await settled(client, String(id))).toMatchObject({ status: 'completed', result: 'late' });
    expect((await client.call('session_list', { taskId: 'child' })).total).toBe(1);
  });

  it('is said to be cut off when another program has taken the port, and whatever is started then is not', {
    timeout: 60_000,
  }, async () => {
    const { workspace, client: first } = await begin({ parent: ['@@hang'], later: ['@@hang'] });
    const { id } = await first.call('session_start', { taskId: 'parent' });
    await expect.poll(() => running(first, 'parent'), { timeout: 10_000 }).toBe(1);
    expect((await first.call('session_get', { sessionId: id })).notes).toBeUndefined();
    const port = Number(await readFile(stateOf(workspace, 'port'), 'utf8'));
    // its door would have the next hub there at once
    await first.close();
    await workspace.killHub();
    const thief = await taken(port);
    try {
      const client = await connect('modern', { env: workspace.env, cwd: workspace.path });
      open.client = client;
      const cutOff = [expect.stringMatching(/^delegation: unreachable\./)];
      expect(await client.call('session_get', { sessionId: id })).toMatchObject({ status: 'running', notes: cutOff });
      const { id: later } = await client.call('session_start', { taskId: 'later' });
      const { sessions } = await client.call('session_list');
      expect(sessions).toMatchObject([{ id: later }, { id, notes: cutOff }]);
      expect(sessions).not.toMatchObject([{ notes: cutOff }, {}]);
      const shown = await sc(['session', 'get', String(id)], { env: workspace.env, cwd: workspace.path });
      expect(shown.stdout).toContain('delegation: unreachable');
      const list = await sc(['session', 'list'], { env: workspace.env, cwd: workspace.path });
      expect(list.stdout).toMatch(/ NOTES\n/);
      for (const sessionId of [id, later]) await client.call('session_cancel', { sessionId });
      expect((await settled(client, String(id)))?.status).toBe('cancelled');
      expect((await client.call('session_get', { sessionId: id })).notes).toBeUndefined();
      await settled(client, String(later));
    } finally {
      thief.close();
    }
  });

  it('is told what sessions may not do, and its token is nowhere to be read', async () => {
    const { workspace, client } = await begin({ parent: ['@@mcp event_list {}', '@@say {{last}}'] });
    const { id } = await client.call('session_start', { taskId: 'parent' });
    expect((await settled(client, String(id)))?.result).toContain('The tool "event_list" is not for sessions.');
    const entries = await readdir(stateOf(workspace), { recursive: true, withFileTypes: true });
    // a megabyte of random bytes may well hold these three letters
    for (const file of entries.filter((entry) => entry.isFile() && entry.name !== 'ballast'))
      expect(await readFile(path.join(file.parentPath, file.name), 'utf8'), file.name).not.toContain('sc_');
  });
});

describe('real Claude Code as a parent', () => {
  it('calls session_wait before a hub kill, under one, and after it', { timeout: 90_000 }, async () => {
    const wait = (seconds: number) =>
      `@@tool mcp__scopecraft__session_wait {"sessionIds":["{{last.sessions.0.id}}"],"timeoutSeconds":${seconds}}`;
    const { workspace, client } = await begin({
      child: ['@@tool Bash {"command":"until [ -f end-child ]; do sleep 0.1; done"}', '@@say forty-two'],
      parent: [
        // in its very first turn
        '@@tool mcp__scopecraft__session_start {"taskId":"child","agent":"demo"}',
        '@@tool mcp__scopecraft__session_wait {"sessionIds":["{{last.id}}"],"timeoutSeconds":1}',
        '@@tool mcp__scopecraft__session_list {"taskId":"child"}',
        wait(1),
        '@@tool Bash {"command":"touch between; until [ -f go ]; do sleep 0.1; done"}',
        '@@tool mcp__scopecraft__session_list {"taskId":"child"}',
        wait(40),
        '@@say The child said {{last.sessions.0.result}}.',
      ],
    });
    const file = (name: string) => path.join(workspace.path, name);
    // the user has added the server as the README says: the agent gets its hub's in place of that
    const settings = path.join(String(workspace.env.CLAUDE_CONFIG_DIR), '.claude.json');
    const own = { scopecraft: { type: 'stdio', command: '/bin/sh', args: ['-c', `touch ${file('own-server')}; exec cat`] } };
    await writeFile(settings, JSON.stringify({ ...JSON.parse(await readFile(settings, 'utf8')), mcpServers: own }));
    const { id } = await client.call('session_start', { taskId: 'parent', agent: 'claude' });

    // between two calls
    await expect
      .poll(
        () =>
          stat(file('between')).then(
            () => true,
            () => false,
          ),
        { timeout: 30_000 },
      )
      .toBe(true);
    await killHub(workspace);
    await client.call('queue_status');
    await writeFile(file('go'), '');

    // under a call
    const waits = async () => {
      const { entries } = Entries.parse(await client.call('session_logs', { sessionId: id, kinds: ['tool_use'] }));
      return entries.filter(({ tool }) => tool === 'mcp__scopecraft__session_wait').length;
    };
    await expect.poll(waits, { timeout: 15_000 }).toBe(3);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await killHub(workspace);
    await client.call('queue_status');
    await writeFile(file('end-child'), '');

    expect(await settled(client, String(id))).toMatchObject({ status: 'completed', result: 'The child said forty-two.' });
    const { entries } = Entries.parse(await client.call('session_logs', { sessionId: id, kinds: ['tool_result'] }));
    expect(entries.filter(({ text }) => /error|not connected/i.test(text))).toEqual([]);
    expect((await client.call('session_list', { taskId: 'child' })).total).toBe(1);
    // it calls on its output, and each call has its answer on its input, once
    const run = stateOf(workspace, 'sessions', String(id), '1');
    const idsIn = async (name: string, sign: string) =>
      (await readFile(path.join(run, name), 'utf8'))
        .split('\n')
        .filter((line) => line.includes(sign))
        .flatMap((line) => /"request_id":"([^"]+)"/.exec(line)?.slice(1, 2) ?? []);
    const called = await idsIn('out', '"mcp_message"');
    expect(called.length).toBeGreaterThan(8);
    expect((await idsIn('in', '"mcp_response"')).sort()).toEqual([...called].sort());
    await expect(stat(file('own-server'))).rejects.toThrow('ENOENT');
    expect(await readdir(run)).not.toEqual(expect.arrayContaining(['mcp.json']));
    expect(await readdir(run)).not.toEqual(expect.arrayContaining(['mcp']));
  });

  it('has each call worked on once, whenever the hub is killed', { timeout: 120_000 }, async () => {
    const started = [1, 2, 3, 4, 5].map(
      (at) => `@@tool mcp__scopecraft__session_start {"prompt":"@@say ${at}","label":"child ${at}","agent":"demo"}`,
    );
    const { workspace, client } = await begin({ parent: [...started, '@@say all five'] });
    const { id } = await client.call('session_start', { taskId: 'parent', agent: 'claude' });
    // from before it connects to its last call; no call of ours is open meanwhile, which would be given up after so many quick deaths
    for (const pauseMs of [150, 400, 700, 250, 550, 300]) {
      await delay(pauseMs);
      const hub = await workspace.hub().catch(() => undefined);
      if (hub) kill(hub.pid, 'SIGKILL');
    }
    expect(await settled(client, String(id))).toMatchObject({ status: 'completed', result: 'all five' });
    const { sessions } = z
      .looseObject({ sessions: z.array(z.looseObject({ label: z.string() })) })
      .parse(await client.call('session_list', { parentId: id }));
    expect(sessions.map(({ label }) => label).sort()).toEqual([1, 2, 3, 4, 5].map((at) => `child ${at}`));
    const { entries } = Entries.parse(await client.call('session_logs', { sessionId: id, kinds: ['tool_use', 'tool_result'] }));
    // newer versions list the tools of a server only after a search
    const answers = entries.filter(({ kind, text }) => kind === 'tool_result' && text !== '[tool_reference]');
    const calls = entries.filter(({ tool }) => tool === 'mcp__scopecraft__session_start');
    expect([calls.length, answers.length]).toEqual([5, 5]);
    for (const { text } of answers) expect(text).toContain('"id":"');
    await expect
      .poll(async () => (await client.call('session_list', { parentId: id, status: 'completed' })).total, { timeout: 30_000 })
      .toBe(5);
  });
});
