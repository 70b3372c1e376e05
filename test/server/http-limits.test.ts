// What one caller may have and ask for over HTTP, and what it is told that wants more; attacks that try to use the hub up.
import { readFile, rm } from 'node:fs/promises';
import { connect as connectSocket, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Config } from '../../core/config.ts';
import { RESOURCES } from '../../resources/index.ts';
import { ensureTokens } from '../../server/client-tokens.ts';
import { type HttpDoor, openHttpDoor } from '../../server/http.ts';
import { createGate, weightOf } from '../../server/http-limits.ts';
import { createMcpFactory } from '../../server/mcp.ts';
import { expectReadable } from '../../server/peer.ts';
import { isActiveRun } from '../../server/token.ts';
import { createUpdates } from '../../server/updates.ts';
import { TOOLS } from '../../tools/index.ts';
import { caller, type Engine, makeEngine } from '../support/engine.ts';
import { type Access, modernRequest, type OpenStream, openStream, sendHttp } from '../support/http-clients.ts';
import { makeRoot } from '../support/project.ts';

let root: string;
let engine: Engine;
let door: HttpDoor;
let access: Access;
let sessionId: string;
let settings: Config['server']['http'];
const streams: OpenStream[] = [];
const sockets: Socket[] = [];

beforeEach(async () => {
  root = await makeRoot();
  engine = await makeEngine();
  const { orchestrator } = engine;
  sessionId = (await orchestrator.start({ taskId: 'fix-login', type: 'autonomous', queue: true }, caller)).session.id;
  await engine.settle();
  const files = await ensureTokens(root);
  settings = { ...Config.parse({}).server.http, enabled: true };
  const updates = createUpdates(orchestrator, RESOURCES);
  door = await openHttpDoor({ stateDir: root, log: () => {}, stalledMs: 1000 });
  door.serve({
    build: createMcpFactory({
      orchestrator,
      updates,
      version: '1.0.0',
      listed: { toolsets: ['core'], legacy: false },
      log: () => {},
    }),
    expectReadable: (peer, uri) => expectReadable(orchestrator, peer, uri),
    updates,
    isActive: (identity) => isActiveRun(engine.ledger.session(identity.sessionId), identity),
    share: () => undefined,
    environmentOf: async () => undefined,
    settings: () => settings,
  });
  access = { url: door.url, token: (await readFile(files.operate, 'utf8')).trim() };
});
afterEach(async () => {
  for (const stream of streams.splice(0)) stream.close();
  for (const socket of sockets.splice(0)) socket.destroy();
  await door.close();
  await rm(root, { recursive: true });
});

const LIST = modernRequest('tools/list');
const listen = (uris: readonly string[]) =>
  modernRequest('subscriptions/listen', { notifications: { resourceSubscriptions: uris } });
const wait = () =>
  modernRequest('tools/call', { name: 'session_wait', arguments: { sessionIds: [sessionId], timeoutSeconds: 40 } });

describe('subscriptions', () => {
  it('ten thousand at once: as many as are allowed are served, the others are told, and others are still answered', {
    timeout: 120_000,
  }, async () => {
    const uri = `session://${sessionId}`;
    const outcomes = { open: 0, refused: 0 };
    const one = async () => {
      const found = await openStream(access, listen([uri]));
      if (typeof found === 'number') {
        expect(found).toBe(429);
        outcomes.refused++;
      } else {
        streams.push(found);
        outcomes.open++;
      }
    };
    for (let batch = 0; batch < 100; batch++) await Promise.all(Array.from({ length: 100 }, one));
    expect(outcomes).toEqual({ open: settings.maxSubscriptions, refused: 10_000 - settings.maxSubscriptions });
    // as many as there are, each hears
    engine.run(sessionId).end(0);
    await engine.settle();
    await expect
      .poll(() => streams.every((stream) => stream.text().includes('resources/updated')), { timeout: 20_000 })
      .toBe(true);
    // the token of the run beside it was never held up
    const read = { url: door.url, token: (await readFile(`${root}/tokens/read`, 'utf8')).trim() };
    expect((await sendHttp(read, LIST)).status).toBe(200);
    // and neither are the subscriptions of others
    const beside = await openStream(read, listen([uri]));
    if (typeof beside === 'number') throw new Error(`It was refused: ${beside}.`);
    streams.push(beside);
    await expect.poll(() => beside.text()).toContain('acknowledged');
  });

  it('to more resources than anybody looks at are refused as one', async () => {
    const uris = Array.from({ length: 10_000 }, () => `session://${sessionId}`);
    const answer = await sendHttp(access, listen(uris));
    expect(answer).toMatchObject({ status: 400, text: expect.stringContaining('at most 100') });
  });

  it.each(['session://nobody-aaaa', 'session://../x', 'file:///etc/passwd', 'http://127.0.0.1:1/', 'events://../recent'])(
    'to %s are refused with its address',
    async (uri) => {
      const answer = await sendHttp(access, listen([uri]));
      expect(answer.status).toBe(400);
      expect(JSON.parse(answer.text)).toMatchObject({ error: { code: -32602, data: { uri } } });
    },
  );
});

describe('calls', () => {
  it('that wait are bounded', async () => {
    settings = { ...settings, maxWaits: 2 };
    // whichever comes last
    const sent = Array.from({ length: 3 }, () => sendHttp(access, wait()));
    expect(await Promise.race(sent)).toMatchObject({ status: 429, text: expect.stringContaining('At most 2 calls') });
    expect((await sendHttp(access, LIST)).status).toBe(200);
    engine.run(sessionId).end(0);
    await engine.settle();
    expect((await Promise.all(sent)).map(({ status }) => status).sort()).toEqual([200, 200, 429]);
  });

  it('that come too quickly are told so, with when to come again', async () => {
    settings = { ...settings, callsPerSecond: 5 };
    const answers = await Promise.all(Array.from({ length: 60 }, () => sendHttp(access, LIST)));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(20);
    expect(refused[0]).toMatchObject({
      headers: { 'retry-after': '1' },
      text: expect.stringContaining('At most 5 calls a second'),
    });
    await expect.poll(async () => (await sendHttp(access, LIST)).status, { timeout: 5_000 }).toBe(200);
  });

  it('on more connections than are served are told so', async () => {
    settings = { ...settings, maxConnections: 3 };
    for (let at = 0; at < 3; at++) {
      const found = await openStream(access, listen([`session://${sessionId}`]));
      if (typeof found !== 'number') streams.push(found);
    }
    expect(await sendHttp(access, LIST)).toMatchObject({ status: 503, text: expect.stringContaining('At most 3 connections') });
    for (const stream of streams.splice(0)) stream.close();
    await expect.poll(async () => (await sendHttp(access, LIST)).status).toBe(200);
  });

  it('on far more connections than are served are closed without a word, whoever they are from', async () => {
    settings = { ...settings, maxConnections: 1 };
    const { port } = new URL(door.url);
    const closed = new Set<Socket>();
    for (let at = 0; at < 100; at++) {
      const socket = connectSocket(Number(port), '127.0.0.1');
      socket.on('error', () => {}).once('close', () => closed.add(socket));
      sockets.push(socket);
      socket.resume();
    }
    await expect.poll(() => closed.size, { timeout: 5_000 }).toBe(100 - 65);
    for (const socket of sockets.splice(0)) socket.destroy();
    await expect.poll(async () => (await sendHttp(access, LIST).catch(() => undefined))?.status).toBe(200);
  });

  it('in a batch are few, or none is done', async () => {
    const call = (id: number) => ({
      jsonrpc: '2.0',
      id,
      method: 'tools/call',
      params: { name: 'session_start', arguments: { taskId: 'other' } },
    });
    const batch = async (size: number) =>
      sendHttp(access, { body: JSON.stringify(Array.from({ length: size }, (_, id) => call(id))) });
    for (const size of [17, 100, 5000])
      expect(await batch(size)).toMatchObject({ status: 400, text: expect.stringContaining('at most 16') });
    for (const body of ['[]', '[1,2]', '[[]]', '[null]']) expect((await sendHttp(access, { body })).status).toBe(400);
    expect([...engine.ledger.sessions()]).toHaveLength(1);
  });
});

describe('a client that never reads', () => {
  it('is cut off, and costs nobody else anything', async () => {
    const { port } = new URL(door.url);
    const socket = connectSocket(Number(port), '127.0.0.1');
    sockets.push(socket);
    const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.pause().on('error', () => {});
    const { headers = {}, body = '' } = LIST;
    const head = Object.entries({
      ...headers,
      authorization: `Bearer ${access.token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'content-length': Buffer.byteLength(body),
    });
    const request = `POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\n${head.map(([name, value]) => `${name}: ${value}`).join('\r\n')}\r\n\r\n${body}`;
    const before = process.memoryUsage().rss;
    let isOpen = true;
    void gone.then(() => {
      isOpen = false;
    });
    for (let sent = 0; sent < 3_000 && isOpen; sent++) {
      if (!socket.write(request)) await Promise.race([delay(20), gone]);
      if (sent % 500 === 0)
        expect((await sendHttp({ ...access, token: (await readFile(`${root}/tokens/read`, 'utf8')).trim() }, LIST)).status).toBe(
          200,
        );
    }
    // nobody here reads what came, so the end is seen by what can be written no more
    await Promise.race([
      gone,
      (async () => {
        while (socket.writable) {
          socket.write(request);
          await delay(100);
        }
      })(),
    ]);
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
    expect((await sendHttp(access, LIST)).status).toBe(200);
  }, 60_000);

  it('or never finishes what it sends, is cut off too', async () => {
    const { port } = new URL(door.url);
    const socket = connectSocket(Number(port), '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => {}).write('POST /mcp HTTP/1.1\r\nhost: 127');
    let said = '';
    socket.on('data', (chunk) => {
      said += String(chunk);
    });
    await new Promise<void>((resolve) => socket.once('close', () => resolve()));
    expect(said).toMatch(/^HTTP\/1\.1 408/);
  }, 60_000);
});

describe('the gate', () => {
  const limits = { requests: 2, subscriptions: 1, waits: 1, callsPerSecond: 10 };
  const one = { messages: 1, waits: 0, subscriptions: 0 };

  it('keeps callers apart, and gives back what was left', () => {
    const gate = createGate(() => 0);
    const first = gate.enter('a', one, limits);
    expect(typeof gate.enter('a', one, limits)).toBe('function');
    expect(gate.enter('a', one, limits)).toMatchObject({ status: 429 });
    expect(typeof gate.enter('b', one, limits)).toBe('function');
    if (typeof first !== 'function') throw new Error('The first was refused.');
    first();
    first();
    expect(typeof gate.enter('a', one, limits)).toBe('function');
    expect(gate.enter('a', one, limits)).toMatchObject({ status: 429 });
  });

  it('lets calls in again as time goes by', () => {
    let now = 0;
    const gate = createGate(() => now);
    const calls = (count: number) => {
      const leave = gate.enter('a', { ...one, messages: count }, limits);
      if (typeof leave === 'function') leave();
      return typeof leave === 'function';
    };
    expect([calls(40), calls(1)]).toEqual([true, false]);
    now += 500;
    expect([calls(5), calls(1)]).toEqual([true, false]);
    now += 3_600_000;
    expect([calls(40), calls(1)]).toEqual([true, false]);
  });

  it('weighs what a request holds', () => {
    const named = (name: string) => ({ method: 'tools/call', params: { name } });
    expect(weightOf('GET', undefined)).toEqual({ messages: 0, waits: 0, subscriptions: 1 });
    expect(weightOf('POST', [named('session_wait'), named('x'), { method: 'subscriptions/listen' }, 7, null])).toEqual({
      messages: 5,
      waits: 1,
      subscriptions: 1,
    });
  });

  it('weighs every tool that may wait as one that waits', () => {
    const waiting = TOOLS.filter(
      ({ name, input }) => name === 'session_ask' || /Longest time to (?:wait|block)/.test(JSON.stringify(z.toJSONSchema(input))),
    );
    expect(waiting.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['session_wait', 'session_run', 'session_prompt', 'session_ask']),
    );
    for (const { name } of waiting)
      expect(weightOf('POST', { method: 'tools/call', params: { name } }), name).toMatchObject({ waits: 1 });
  });
});
