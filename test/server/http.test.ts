// The HTTP door for runs: whom it turns away, whom it lets in, and what it still knows when the hub behind it was replaced.
import { chmod, readdir, readFile, rm, stat, symlink, unlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as FirstClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as FirstTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { offers } from '../../core/offers.ts';
import { RESOURCES } from '../../resources/index.ts';
import { type HttpDoor, openHttpDoor, type RunAccess } from '../../server/http.ts';
import { createMcpFactory } from '../../server/mcp.ts';
import { expectReadable } from '../../server/peer.ts';
import { isActiveRun, openRunTokens } from '../../server/token.ts';
import { createUpdates } from '../../server/updates.ts';
import { CLIENT_KINDS, type ClientKind } from '../support/clients.ts';
import { caller, type Engine, makeEngine } from '../support/engine.ts';
import { fitting, type Sent, sendHttp } from '../support/http-clients.ts';
import { makeRoot } from '../support/project.ts';

const SESSION_TOOLS = [
  'session_start',
  'session_run',
  'session_wait',
  'session_get',
  'session_logs',
  'session_list',
  'session_prompt',
  'session_cancel',
  'session_ask',
  'request_answer',
  'request_list',
  'queue_status',
  'task_list',
];
const ENVELOPE = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'a test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
};
const MODERN = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' };
const LIST = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: ENVELOPE } });
const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'a test', version: '1' } },
});

let root: string;
let engine: Engine;
let door: HttpDoor;
let access: RunAccess;
let parentId: string;
let rules: Map<string, string>;
const lines: string[] = [];
const clients: { close(): Promise<void> }[] = [];

beforeEach(async () => {
  root = await makeRoot();
  lines.length = 0;
  rules = new Map();
  engine = await makeEngine({ rules });
  const { session } = await engine.orchestrator.start({ taskId: 'fix-login', type: 'autonomous', queue: true }, caller);
  await engine.settle();
  parentId = session.id;
  door = await openDoor();
  access = door.grant({ sessionId: parentId, run: 1 });
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await door.close();
  await rm(root, { recursive: true });
  // whatever was done, no token came into the log
  expect(lines.join('\n')).not.toContain('sc_');
});

async function openDoor(): Promise<HttpDoor> {
  const { orchestrator } = engine;
  const log = (line: string) => lines.push(line);
  const opened = await openHttpDoor({ stateDir: root, log });
  const updates = createUpdates(orchestrator, RESOURCES);
  const build = createMcpFactory({ orchestrator, updates, version: '1.0.0', listed: { toolsets: ['core'], legacy: false }, log });
  opened.serve({
    build,
    expectReadable: (peer, uri) => expectReadable(orchestrator, peer, uri),
    updates,
    isActive: (identity) => isActiveRun(engine.ledger.session(identity.sessionId), identity),
    share: ({ sessionId, shareId }) => engine.ledger.session(sessionId)?.shares?.find((share) => share.shareId === shareId),
    environmentOf: async () => undefined,
    settings: () => engine.settings.config.server.http,
  });
  return opened;
}

/** The requests of the run that are kept for the next hub. */
async function keptRequests(): Promise<string[]> {
  const folder = path.join(root, 'sessions', parentId, '1', 'mcp');
  const names = await readdir(folder).catch(() => []);
  return Promise.all(names.map((name) => readFile(path.join(folder, name), 'utf8')));
}

const send = (sent: Sent) => sendHttp({ url: door.url, token: access.token }, sent);

async function client(kind: ClientKind, { url, token }: RunAccess = access) {
  const given = { requestInit: { headers: { Authorization: `Bearer ${token}` } } };
  if (kind === 'v1') {
    const first = new FirstClient({ name: 'a test', version: '1' });
    await first.connect(fitting(new FirstTransport(new URL(url), given)));
    clients.push(first);
    return first;
  }
  const second = new Client(
    { name: 'a test', version: '1' },
    { versionNegotiation: { mode: kind === 'modern' ? { pin: '2026-07-28' } : 'legacy' } },
  );
  await second.connect(new StreamableHTTPClientTransport(new URL(url), given));
  clients.push(second);
  return second;
}

describe('a request is turned away', () => {
  const big = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'x', params: { text: 'x'.repeat(1024 * 1024) } });
  it.each<[string, number, Sent]>([
    ['with a foreign Host', 403, { headers: { host: 'evil.example' }, body: LIST }],
    ['with a Host that only begins like ours', 403, { headers: { host: '127.0.0.1.evil.example' }, body: LIST }],
    ['with a foreign Origin', 403, { headers: { origin: 'http://evil.example' }, body: LIST }],
    ['with an Origin that is none', 403, { headers: { origin: 'null' }, body: LIST }],
    ['without a token', 401, { headers: { authorization: '' }, body: LIST }],
    ['with another kind of authorization', 401, { headers: { authorization: 'Basic c2NfOnNj' }, body: LIST }],
    ['with text instead of JSON', 415, { headers: { 'content-type': 'text/plain' }, body: LIST }],
    ['without a content type', 415, { headers: { 'content-type': '' }, body: LIST }],
    ['that says it is too large', 413, { body: big }],
    ['that turns out to be too large', 413, { body: big, chunked: true }],
    ['on another path', 404, { path: '/', body: LIST }],
    ['with another method', 405, { method: 'PUT', body: LIST }],
    ['that asks whether a page of this machine may call', 405, { method: 'OPTIONS', headers: { origin: 'http://localhost' } }],
    ['that asks so without a token', 401, { method: 'OPTIONS', headers: { origin: 'http://localhost', authorization: '' } }],
    ['that is no JSON', 400, { body: '{"jsonrpc":' }],
    ['that is nested too deeply', 400, { body: '['.repeat(100_000) }],
    ['with GET in the modern era', 405, { method: 'GET', headers: MODERN }],
    ['with DELETE in the modern era', 405, { method: 'DELETE', headers: MODERN }],
    ['with GET and no session', 400, { method: 'GET' }],
    ['with DELETE and no session', 400, { method: 'DELETE' }],
    [
      'with a session nobody knows',
      404,
      { headers: { 'mcp-session-id': '00000000-0000-4000-8000-000000000000' }, body: LIST.replace('"_meta"', '"meta"') },
    ],
    ['with a session that is a path', 404, { method: 'GET', headers: { 'mcp-session-id': '../../2/mcp/x' } }],
  ])('%s: %d', async (_, status, sent) => {
    const answer = await send(sent);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.text)).toMatchObject({
      jsonrpc: '2.0',
      error: { code: expect.any(Number), message: expect.any(String) },
    });
    expect(answer.headers['www-authenticate']?.slice(0, 6)).toBe(status === 401 ? 'Bearer' : undefined);
    expect(answer.text).not.toContain('sc_');
    // no page is ever told that it may read an answer, and nobody is given a cookie
    expect(Object.keys(answer.headers).filter((name) => /^(access-control-|set-cookie)/.test(name))).toEqual([]);
  });

  it('with a token of nobody, of another run, or changed by one letter', async () => {
    const changed = access.token.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    const others = [
      { sessionId: parentId, run: 2 },
      { sessionId: 'nobody-aaaa', run: 1 },
    ].map((identity) => door.grant(identity).token);
    for (const token of [changed, ...others, 'sc_', 'sc_a.b']) {
      const answer = await send({ headers: { authorization: `Bearer ${token}` }, body: LIST });
      expect(answer).toMatchObject({ status: 401, headers: { 'www-authenticate': expect.stringContaining('invalid_token') } });
    }
  });

  it('with its token in the address, also beside a good one', async () => {
    const answer = await send({ path: `/mcp?token=${access.token}`, body: LIST });
    expect(answer.status).toBe(400);
    expect(answer.text).not.toContain(access.token);
    expect((await send({ path: `/mcp?token=${access.token}`, headers: { authorization: '' }, body: LIST })).status).toBe(400);
  });

  it('as soon as its run has settled', async () => {
    expect((await send({ headers: MODERN, body: LIST })).status).toBe(200);
    engine.run(parentId).end(0);
    await engine.settle();
    expect((await send({ headers: MODERN, body: LIST })).status).toBe(401);
  });

  it('with the session of another run', async () => {
    const { headers } = await send({ body: INITIALIZE });
    const id = String(headers['mcp-session-id']);
    const { session } = await engine.orchestrator.start({ taskId: 'other', type: 'autonomous', queue: true }, caller);
    await engine.settle();
    const { token } = door.grant({ sessionId: session.id, run: 1 });
    const list = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
    expect((await send({ headers: { 'mcp-session-id': id, authorization: `Bearer ${token}` }, body: list })).status).toBe(404);
    expect((await send({ headers: { 'mcp-session-id': id }, body: list })).status).toBe(200);
    expect((await send({ method: 'DELETE', headers: { 'mcp-session-id': id } })).status).toBe(200);
    expect((await send({ headers: { 'mcp-session-id': id }, body: list })).status).toBe(404);
  });

  it('when 64 of its run are open already', async () => {
    const wait = (id: number) =>
      JSON.stringify({
        jsonrpc: '2.0',
        id,
        method: 'tools/call',
        params: { name: 'session_wait', arguments: { sessionIds: [parentId] }, _meta: ENVELOPE },
      });
    const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'session_wait' };
    const waiting = Array.from({ length: 64 }, (_, id) => send({ headers, body: wait(id) }));
    await expect.poll(async () => (await send({ headers: MODERN, body: LIST })).status).toBe(429);
    engine.run(parentId).end(0);
    await engine.settle();
    expect(new Set((await Promise.all(waiting)).map(({ status }) => status))).toEqual(new Set([200]));
  });
});

describe('a run', () => {
  it.each(CLIENT_KINDS)('lists with the %s client what it may do, and nothing else', async (kind) => {
    const { tools } = await (await client(kind)).listTools();
    expect(tools.map(({ name }) => name).toSorted()).toEqual([...SESSION_TOOLS].toSorted());
  });

  it.each(CLIENT_KINDS)('calls with the %s client, as the session it is', async (kind) => {
    const connected = await client(kind);
    const started = await connected.callTool({ name: 'session_start', arguments: { taskId: 'other' } });
    expect(started.structuredContent).toMatchObject({ taskId: 'other' });
    const { by } = [...engine.ledger.sessions()].find(({ taskId }) => taskId === 'other') ?? {};
    expect(by).toBe(`session ${parentId}`);
    await expect(connected.callTool({ name: 'event_list', arguments: {} })).rejects.toThrow('not for sessions');
  });

  it('hears of what it listens to', async () => {
    const connected = await client('modern');
    const uris: string[] = [];
    if (!(connected instanceof Client)) throw new Error('This is not the modern client.');
    connected.setNotificationHandler('notifications/resources/updated', ({ params }) => void uris.push(params.uri));
    await connected.listen({ resourceSubscriptions: [`session://${parentId}`] });
    engine.run(parentId).end(0);
    await engine.settle();
    await expect.poll(() => uris).toContain(`session://${parentId}`);
  });
});

describe('prompts of a run', () => {
  it.each(CLIENT_KINDS)('are the same for the %s client as for everybody, and speak of its own tree alone', async (kind) => {
    const { session: stranger } = await engine.orchestrator.start({ taskId: 'other', type: 'autonomous', queue: true }, caller);
    await engine.settle();
    const connected = await client(kind);
    const { prompts } = await connected.listPrompts();
    expect(prompts.map(({ name }) => name)).toEqual((await offers(engine.orchestrator)).map(({ name }) => name));
    const said = async (name: string, args: Record<string, string>) =>
      JSON.stringify((await connected.getPrompt({ name, arguments: args })).messages);
    expect(await said('continue_session', { sessionId: parentId })).toContain(`Get session ${parentId}`);
    expect(await said('start_task', { taskId: 'other' })).toContain('Do other.');
    for (const name of ['continue_session', 'review_session', 'go-on'])
      await expect(said(name, { sessionId: stranger.id })).rejects.toThrow('did not come of session');
    const ref = { type: 'ref/prompt', name: 'review_session' } as const;
    const completed = await connected.complete({ ref, argument: { name: 'sessionId', value: '' } });
    expect(completed.completion.values).toEqual([parentId]);
  });

  it('are told of in the modern way when their files change', async () => {
    const connected = await client('modern');
    let told = 0;
    if (!(connected instanceof Client)) throw new Error('This is not the modern client.');
    connected.setNotificationHandler('notifications/prompts/list_changed', () => {
      told++;
    });
    await connected.listen({ promptsListChanged: true });
    rules.set('new.md', '---\nname: New\n---\nDo it.\n');
    await engine.orchestrator.rules.refresh();
    await expect.poll(() => told).toBe(1);
    expect((await connected.listPrompts(undefined, { cacheMode: 'refresh' })).prompts.map(({ name }) => name)).toContain('new');
  });
});

describe('when the hub was replaced', () => {
  it.each(['legacy', 'v1'] as const)(
    'the %s client gets the answer to the call that was under way, in its old session',
    async (kind) => {
      const connected = await client(kind);
      const answer = connected.callTool({ name: 'session_wait', arguments: { sessionIds: [parentId] } });
      await expect.poll(keptRequests).toContainEqual(expect.stringContaining('session_wait'));
      await door.close();
      door = await openDoor();
      expect(door.url).toBe(access.url);
      // a later call goes on in the same session, before the first is answered
      expect(
        (await connected.callTool({ name: 'session_get', arguments: { sessionId: parentId } })).structuredContent,
      ).toMatchObject({ id: parentId });
      // the client comes back after three seconds
      await new Promise((resolve) => setTimeout(resolve, 4000));
      engine.run(parentId).end(0);
      await engine.settle();
      expect((await answer).structuredContent).toMatchObject({ sessions: [{ id: parentId, status: 'completed' }] });
    },
  );

  it('a call that was done and asked for again is the same call', async () => {
    const { headers } = await send({ body: INITIALIZE });
    const session = { 'mcp-session-id': String(headers['mcp-session-id']) };
    const start = JSON.stringify({
      jsonrpc: '2.0',
      id: 7,
      method: 'tools/call',
      params: { name: 'session_start', arguments: { taskId: 'other' } },
    });
    const first = await send({ headers: session, body: start });
    const event = /^id: (\S+)/m.exec(first.text)?.[1] ?? '';
    await door.close();
    door = await openDoor();
    const again = await send({ method: 'GET', headers: { ...session, 'last-event-id': event } });
    const answerIn = (text: string): unknown => JSON.parse(/^data: (\{.*"result".*)$/m.exec(text)?.[1] ?? 'null');
    expect(answerIn(again.text)).toMatchObject({ id: 7, result: { structuredContent: { taskId: 'other' } } });
    expect([...engine.ledger.sessions()]).toHaveLength(2);
  });

  it('tokens are good as before, and the port is the same', async () => {
    await door.close();
    door = await openDoor();
    expect(door.grant({ sessionId: parentId, run: 1 })).toEqual(access);
    expect(door.isReachable(access.url)).toBe(true);
    expect((await send({ headers: MODERN, body: LIST })).status).toBe(200);
  });

  it('and its port is taken, another one is for new runs, and the old address is known to be lost', async () => {
    await door.close();
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(Number(new URL(access.url).port), '127.0.0.1', resolve));
    door = await openDoor();
    squatter.close();
    expect(door.url).not.toBe(access.url);
    expect(door.isReachable(access.url)).toBe(false);
    expect(lines.join()).toContain('is taken by another program');
    expect((await send({ headers: MODERN, body: LIST })).status).toBe(200);
  });
});

describe('the secret of the tokens', () => {
  it('is made once, for its owner alone', async () => {
    expect((await stat(path.join(root, 'secret'))).mode & 0o777).toBe(0o600);
    const before = await readFile(path.join(root, 'secret'), 'utf8');
    const [one, two] = await Promise.all([openRunTokens(root), openRunTokens(root)]);
    const identity = { sessionId: 'fix-login-aaaa', run: 3 };
    expect(one.check(two.issue(identity))).toEqual(identity);
    expect(await readFile(path.join(root, 'secret'), 'utf8')).toBe(before);
  });

  it('is refused when others may know it', async () => {
    const file = path.join(root, 'secret');
    await chmod(file, 0o644);
    await expect(openRunTokens(root)).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      message: expect.stringContaining('Others may know'),
    });
    await unlink(file);
    await writeFile(path.join(root, 'elsewhere'), `${'a'.repeat(64)}\n`, { mode: 0o600 });
    await symlink('elsewhere', file);
    await expect(openRunTokens(root)).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      message: expect.stringContaining('symbolic link'),
    });
    await unlink(file);
    await writeFile(file, '', { mode: 0o600 });
    await expect(openRunTokens(root)).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      message: expect.stringContaining('holds no secret'),
    });
  });
});
