// Both eras on every door: each revision of the protocol sees the same lists and gets the same results on stdio, on the hub's socket and over HTTP;
// what is the newer era's alone (hints for caches, exact codes) is there, and nothing is declared that is not served.
import { appendFile, readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { connect, sc, type TestClient } from '../support/clients.ts';
import { type Access, askHttp, connectHttp, modernRequest, type RpcAnswer, sendHttp } from '../support/http-clients.ts';
import { openRawDoor } from '../support/raw-door.ts';
import { openRawSocket } from '../support/raw-socket.ts';
import { type Serving, serve } from '../support/serving.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const MODERN = '2026-07-28';
const REVISIONS = [MODERN, '2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const;
const task = (line: string) => `# A task\n\n---\ntype: test\nstatus: todo\narea: test\n---\n\n## Instruction\n\n${line}\n`;
const CLIENT = { name: 'a test', version: '1' };
const INITIALIZE = (revision: string) => ({ protocolVersion: revision, capabilities: {}, clientInfo: CLIENT });
const Started = z.looseObject({ id: z.string() });

/** One conversation, and what was said in it first. */
interface Talk {
  readonly opening: Readonly<Record<string, unknown>>;
  ask(method: string, params?: Readonly<Record<string, unknown>>): Promise<RpcAnswer>;
  close(): Promise<void>;
}

let workspace: Workspace;
let client: TestClient;
let serving: Serving;
let access: Access;
let sessionId: string;

beforeAll(async () => {
  workspace = await makeWorkspace({
    tasks: { 'one.task.md': task('@@say done'), 'hang.task.md': task('@@hang') },
    userConfig: { defaultAgent: 'demo', server: { toolsets: ['all'] } },
  });
  client = await connect('modern', { env: workspace.env, cwd: workspace.path });
  serving = await serve({ env: workspace.env, cwd: workspace.path });
  access = await serving.access('admin');
  sessionId = Started.parse(await client.call('session_start', { taskId: 'one' })).id;
  await client.call('session_wait', { sessionIds: [sessionId], timeoutSeconds: 40 });
});
afterAll(async () => {
  await client.close();
  await serving.interrupt();
  await workspace.close();
});

const DOORS = {
  async stdio(revision: string): Promise<Talk> {
    const door = await openRawDoor(revision, { env: workspace.env, cwd: workspace.path });
    const ask = (method: string, params?: Readonly<Record<string, unknown>>) =>
      door.ask(method, params).then(
        (result) => ({ result }),
        (error: unknown) => ({ error: JSON.parse(error instanceof Error ? error.message : 'null') }),
      );
    const opening = revision === MODERN ? await door.ask('server/discover') : (door.opening ?? {});
    return { opening, ask, close: door.close };
  },
  async socket(revision: string): Promise<Talk> {
    const raw = await openRawSocket(workspace);
    let ids = 0;
    const ask = async (method: string, params: Readonly<Record<string, unknown>> = {}): Promise<RpcAnswer> => {
      const id = `ask-${++ids}`;
      const plain = JSON.stringify({ jsonrpc: '2.0', id, method, params });
      raw.send(revision === MODERN ? (modernRequest(method, params, id).body ?? '') : plain);
      const answer = () => raw.lines.find((line) => line.includes(`"id":"${id}"`));
      await expect.poll(answer, { timeout: 20_000 }).toBeDefined();
      return JSON.parse(answer() ?? '');
    };
    const opened = await (revision === MODERN ? ask('server/discover') : ask('initialize', INITIALIZE(revision)));
    if (revision !== MODERN) raw.send('{"jsonrpc":"2.0","method":"notifications/initialized"}');
    return { opening: opened.result ?? {}, ask, close: async () => void raw.socket.destroy() };
  },
  async HTTP(revision: string): Promise<Talk> {
    if (revision === MODERN) {
      const ask = (method: string, params?: Readonly<Record<string, unknown>>) => askHttp(access, method, params);
      return { opening: (await ask('server/discover')).result ?? {}, ask, close: async () => {} };
    }
    let ids = 0;
    let headers = {};
    const ask = async (method: string, params: Readonly<Record<string, unknown>> = {}): Promise<RpcAnswer> => {
      const answer = await sendHttp(access, { headers, body: JSON.stringify({ jsonrpc: '2.0', id: ++ids, method, params }) });
      headers = { 'mcp-session-id': String(answer.headers['mcp-session-id'] ?? ''), 'mcp-protocol-version': revision };
      const said = answer.text.startsWith('{') ? answer.text : [...answer.text.matchAll(/^data: (.+)$/gm)].at(-1)?.[1];
      return JSON.parse(said ?? 'null');
    };
    const { result = {} } = await ask('initialize', INITIALIZE(revision));
    await sendHttp(access, { headers, body: '{"jsonrpc":"2.0","method":"notifications/initialized"}' });
    return { opening: result, ask, close: async () => {} };
  },
} as const;
const NAMES = ['stdio', 'socket', 'HTTP'] as const;

const LISTS = [
  ['tools/list', 'tools'],
  ['prompts/list', 'prompts'],
  ['resources/list', 'resources'],
  ['resources/templates/list', 'resourceTemplates'],
] as const;

describe('every revision on every door', () => {
  it('sees the same lists, to the byte, and gets the same results', { timeout: 60_000 }, async () => {
    const said = new Map<string, Set<string>>();
    const note = (what: string, value: unknown) => said.set(what, (said.get(what) ?? new Set()).add(JSON.stringify(value)));
    for (const name of NAMES)
      for (const revision of REVISIONS) {
        const { opening, ask, close } = await DOORS[name](revision);
        const version = revision === MODERN ? opening.supportedVersions : opening.protocolVersion;
        expect(JSON.stringify(version), `${name} ${revision}`).toContain(revision);
        note('instructions', opening.instructions);
        for (const [method, field] of LISTS)
          for (let times = 0; times < 2; times++) note(method, (await ask(method)).result?.[field]);
        for (const [tool, args] of [
          ['session_get', { sessionId }],
          ['session_logs', { sessionId }],
          ['session_wait', { sessionIds: [sessionId] }],
          ['session_get', { sessionId: 'nobody-aaaa' }],
        ] as const) {
          const { result = {} } = await ask('tools/call', { name: tool, arguments: args });
          note(`${tool} ${JSON.stringify(args)}`, [result.structuredContent, result.content, result.isError ?? false]);
        }
        for (const uri of [`session://${sessionId}`, `session://${sessionId}/log`, 'events://recent', 'task://one/history'])
          note(uri, (await ask('resources/read', { uri })).result?.contents);
        const { error } = await ask('resources/read', { uri: 'session://nobody-aaaa' });
        note('an error', error);
        expect(error).toMatchObject({ code: -32602, data: { uri: 'session://nobody-aaaa', code: 'SESSION_NOT_FOUND' } });
        await close();
      }
    expect(said.size).toBe(LISTS.length + 10);
    for (const [what, answers] of said) expect([...answers], what).toHaveLength(1);
    expect([...(said.get('tools/list') ?? [])][0]).toContain('session_start');
    expect([...(said.get('resources/list') ?? [])][0]).toContain(`session://${sessionId}/log`);
  });

  it('is told what is served and nothing else: no roots, sampling or logging', async () => {
    const listChanged = true;
    const served = { tools: {}, prompts: { listChanged }, resources: { listChanged, subscribe: true }, completions: {} };
    const tasks = { extensions: { 'io.modelcontextprotocol/tasks': {} } };
    for (const name of NAMES)
      for (const revision of REVISIONS) {
        const { opening, close } = await DOORS[name](revision);
        expect(opening.capabilities).toEqual(revision === MODERN ? { ...served, ...tasks } : served);
        await close();
      }
  });
});

describe('the newer era', () => {
  it.each(NAMES)('says over %s how long an answer may be kept, and by whom', async (name) => {
    const running = Started.parse(await client.call('session_start', { taskId: 'hang' })).id;
    const { ask, opening, close } = await DOORS[name](MODERN);
    const lasting = { ttlMs: 300_000, cacheScope: 'public' };
    expect(opening).toMatchObject(lasting);
    for (const method of ['tools/list', 'prompts/list', 'resources/templates/list'])
      expect((await ask(method)).result, method).toMatchObject(lasting);
    const read = async (uri: string) => (await ask('resources/read', { uri })).result;
    for (const uri of ['queue://status', 'events://recent', `session://${running}`, `session://${running}/log`])
      expect(await read(uri), uri).toMatchObject({ ttlMs: 0, cacheScope: 'private' });
    for (const uri of [`session://${sessionId}`, `session://${sessionId}/log`, `session://${sessionId}/log/0:0.0-1:0.0`])
      expect(await read(uri), uri).toMatchObject({ ttlMs: 86_400_000, cacheScope: 'private' });
    await close();
    await client.call('session_cancel', { sessionId: running });
  });

  it('says over HTTP with its own codes what does not fit together', async () => {
    const list = modernRequest('tools/list');
    const send = async (change: { headers?: object; body?: string }) => {
      const { status, text } = await sendHttp(access, { ...list, ...change, headers: { ...list.headers, ...change.headers } });
      return { status, ...JSON.parse(text) };
    };
    for (const headers of [{ 'mcp-method': 'tools/call' }, { 'mcp-method': '' }, { 'mcp-protocol-version': '2025-11-25' }])
      expect(await send({ headers }), JSON.stringify(headers)).toMatchObject({ status: 400, error: { code: -32020 } });
    const call = modernRequest('tools/call', { name: 'session_get', arguments: { sessionId } });
    expect(await send({ ...call, headers: { ...call.headers, 'mcp-name': 'session_logs' } })).toMatchObject({
      status: 400,
      error: { code: -32020 },
    });
    const later = { headers: { 'mcp-protocol-version': '2099-01-01' }, body: list.body?.replaceAll(MODERN, '2099-01-01') ?? '' };
    expect(await send(later)).toMatchObject({ status: 400, error: { code: -32022, data: { supported: [MODERN] } } });
    const get = modernRequest('tasks/get', { taskId: `run.${sessionId}` });
    expect(await send({ ...get, headers: { ...get.headers } })).toMatchObject({ status: 400, error: { code: -32021 } });
    const unknown = modernRequest('nothing/such');
    expect(await send({ ...unknown, headers: { ...unknown.headers } })).toMatchObject({ error: { code: -32601 } });
  });

  it.each(['stdio', 'socket'] as const)('says so over %s too', async (name) => {
    const { ask, close } = await DOORS[name](MODERN);
    expect(await ask('tasks/get', { taskId: `run.${sessionId}` })).toMatchObject({ error: { code: -32021 } });
    const listen = { notifications: { taskIds: [`run.${sessionId}`] } };
    expect(await ask('subscriptions/listen', listen)).toMatchObject({ error: { code: -32021 } });
    expect(await ask('nothing/such')).toMatchObject({ error: { code: -32601 } });
    await close();
  });
});

it('no connection owns anything: started on stdio, waited for over HTTP, cancelled from the command line', async () => {
  const door = await connect('v1', { env: workspace.env, cwd: workspace.path });
  const { id } = Started.parse(await door.call('session_start', { taskId: 'hang' }));
  await door.close();
  const http = await connectHttp('modern', access);
  const waited = http.call('session_wait', { sessionIds: [id], timeoutSeconds: 40 });
  const cancelled = await sc(['session', 'cancel', id, '--reason=enough'], { env: workspace.env, cwd: workspace.path });
  expect(cancelled.code).toBe(0);
  expect(await waited).toMatchObject({ timedOut: false, sessions: [{ id, status: 'cancelled', cause: { by: 'sc' } }] });
  await http.close();
  const again = await connect('legacy', { env: workspace.env, cwd: workspace.path });
  const { sessions } = await again.call('session_list', { taskId: 'hang', limit: 1 });
  expect(sessions).toMatchObject([{ id, status: 'cancelled' }]);
  await again.close();
});

it('every answer about a log of 50 MB stays within its size, on every door', { timeout: 60_000 }, async () => {
  const { id } = Started.parse(await client.call('session_start', { taskId: 'one' }));
  await client.call('session_wait', { sessionIds: [id], timeoutSeconds: 40 });
  const out = path.join(workspace.path, '.scopecraft', 'state', 'sessions', id, '1', 'out');
  const line = (await readFile(out, 'utf8')).split('\n').find((one) => one.includes('done')) ?? '';
  const block = `${line.replaceAll('done', 'done '.repeat(200))}\n`.repeat(1000);
  for (let size = 0; size < 50 * 1024 * 1024; size += block.length) await appendFile(out, block);
  for (const name of NAMES) {
    const { ask, close } = await DOORS[name](MODERN);
    const size = async (method: string, params: Readonly<Record<string, unknown>>) => {
      const { result } = await ask(method, params);
      return JSON.stringify(result?.structuredContent ?? result?.contents).length;
    };
    for (const args of [{}, { tail: 500, limit: 500 }, { after: '0:0.0', limit: 500 }, { grep: 'done', limit: 500 }]) {
      const characters = await size('tools/call', { name: 'session_logs', arguments: { sessionId: id, ...args } });
      expect(characters, JSON.stringify(args)).toBeLessThanOrEqual(10_000);
      expect(characters).toBeGreaterThan(1000);
    }
    for (const uri of [`session://${id}/log`, `session://${id}/log/0:0.0-1:99999999.0`, `session://${id}`])
      expect(await size('resources/read', { uri }), uri).toBeLessThanOrEqual(10_000);
    await close();
  }
});
