// Calls that runs make on their output, worked on by the MCP server of the hub over a core in memory: what is answered, once, and by which hub.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { fail } from '../../core/errors.ts';
import { RESOURCES } from '../../resources/index.ts';
import { systemClock } from '../../server/clock.ts';
import { SESSION_TOOLS } from '../../server/listing.ts';
import { createMcpFactory } from '../../server/mcp.ts';
import { createRunServers, type RunServers } from '../../server/run-calls.ts';
import { createUpdates } from '../../server/updates.ts';
import { ended, running } from '../core/talk-rig.ts';
import { type Engine, makeEngine } from '../support/engine.ts';

const Reply = z.looseObject({
  id: z.unknown(),
  result: z.record(z.string(), z.unknown()).optional(),
  error: z.looseObject({ code: z.number(), message: z.string() }).optional(),
});
const Started = z.looseObject({ id: z.string() });

let engine: Engine;
let parent: string;
let replies: Map<string, unknown>;
let order: string[];
let lines: string[];
const hubs: RunServers[] = [];

beforeEach(async () => {
  engine = await makeEngine({ clock: { ...systemClock, advance: () => {}, setBack: () => {} } });
  parent = await running(engine, { taskId: 'fix-login' });
  [replies, order, lines] = [new Map(), [], []];
});
afterEach(() => {
  for (const hub of hubs.splice(0)) hub.close();
  engine.kill();
});

/** A hub that is not open yet. */
function hub(environmentOf: () => Promise<Record<string, string>> = async () => ({})) {
  const servers = createRunServers((line) => lines.push(line));
  hubs.push(servers);
  const { orchestrator } = engine;
  const build = createMcpFactory({
    orchestrator,
    updates: createUpdates(orchestrator, RESOURCES),
    version: '1.0.0',
    listed: { toolsets: ['all'], legacy: false },
    log: (line) => lines.push(line),
  });
  return {
    open: () => servers.open({ build, environmentOf }),
    close: () => servers.close(),
    follow: (reply?: (callId: string) => void) =>
      servers.serveRun(
        { sessionId: parent, run: 1 },
        {
          async reply(callId, message) {
            reply?.(callId);
            replies.set(callId, message && JSON.parse(JSON.stringify(message)));
            order.push(callId);
          },
        },
      ),
  };
}

type Calls = ReturnType<ReturnType<typeof hub>['follow']>;

function opened(reply?: (callId: string) => void): { calls: Calls; close: () => void } {
  const next = hub();
  next.open();
  return { calls: next.follow(reply), close: next.close };
}

const request = (id: number, method: string, params: object = {}) => ({ jsonrpc: '2.0', id, method, params });
const call = (id: number, name: string, args: object = {}) => request(id, 'tools/call', { name, arguments: args });
const BEGIN = request(0, 'initialize', {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'claude-code', version: '2' },
});
const INITIALIZED = { jsonrpc: '2.0', method: 'notifications/initialized' };

function say(calls: Calls, callId: string, message: unknown, isReplied = false): void {
  calls.take({ kind: 'calls', callId, message, isReplied });
}

function begin(calls: Calls, isReplied = false): void {
  say(calls, 'begin', BEGIN, isReplied);
  say(calls, 'noted', INITIALIZED, isReplied);
}

async function replyTo(callId: string) {
  await expect.poll(() => replies.has(callId), { timeout: 10_000 }).toBe(true);
  return Reply.parse(replies.get(callId));
}

const children = () => [...engine.ledger.sessions()].filter((session) => session.parentId === parent);

it('a run is answered as over any other door: its own tools, in its own name', async () => {
  const { calls } = opened();
  begin(calls);
  say(calls, 'list', request(1, 'tools/list'));
  say(calls, 'start', call(2, 'session_start', { prompt: 'Help.', label: 'a child' }));
  expect(await replyTo('begin')).toMatchObject({ id: 0, result: { serverInfo: { name: 'scopecraft' } } });
  expect(await replyTo('noted')).toMatchObject({ id: 0, result: {} });
  const { result } = await replyTo('list');
  const { tools } = z.looseObject({ tools: z.array(z.looseObject({ name: z.string() })) }).parse(result);
  expect(tools.map(({ name }) => name).sort()).toEqual([...SESSION_TOOLS].sort());
  const started = Started.parse((await replyTo('start')).result?.structuredContent);
  expect(children()).toMatchObject([{ id: started.id, label: 'a child', by: `session ${parent}` }]);
  expect(lines).toEqual([]);
});

it('what comes before the hub has read its ledger waits', async () => {
  const next = hub();
  const calls = next.follow();
  begin(calls);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(order).toEqual([]);
  next.open();
  expect(await replyTo('begin')).toMatchObject({ result: {} });
});

it('what cannot be worked on is said, each to its own call', async () => {
  const { calls } = opened();
  begin(calls);
  let deep: unknown = 'down';
  for (let depth = 0; depth < 100; depth++) deep = [deep];
  const wrong: readonly (readonly [string, unknown, string])[] = [
    ['deep', call(8, 'queue_status', { deep }), 'nested no deeper'],
    ['none', { id: 9, nothing: true }, 'no JSON-RPC message'],
    ['word', 'hello', 'no JSON-RPC message'],
    ['answer', { jsonrpc: '2.0', id: 11, result: {} }, 'This answers nothing'],
  ];
  for (const [callId, message] of wrong) say(calls, callId, message);
  for (const [callId, , text] of wrong) {
    const { error } = await replyTo(callId);
    expect(error, callId).toMatchObject({ code: -32600, message: expect.stringContaining(text) });
  }
  expect(await replyTo('deep')).toMatchObject({ id: 8 });
  say(calls, 'known', request(10, 'no/such/method'));
  expect(await replyTo('known')).toMatchObject({ id: 10, error: { code: -32601 } });
});

it('the next hub hears how it began, answers what has no answer, and does nothing twice', async () => {
  const first = opened();
  begin(first.calls);
  const start = call(2, 'session_start', { prompt: 'Help.' });
  say(first.calls, 'start', start);
  const before = Started.parse((await replyTo('start')).result?.structuredContent);
  first.close();
  // the answer to the second did not get there
  replies.clear();

  const second = opened();
  begin(second.calls, true);
  say(second.calls, 'answered', call(1, 'session_start', { prompt: 'Not again.' }), true);
  say(second.calls, 'start', start);
  expect(Started.parse((await replyTo('start')).result?.structuredContent).id).toBe(before.id);
  say(second.calls, 'after', request(3, 'ping'));
  expect(await replyTo('after')).toMatchObject({ id: 3, result: {} });
  expect([...replies.keys()]).toEqual(['start', 'after']);
  expect(children()).toHaveLength(1);
});

it('a hub that leaves answers nothing more: the next one does', async () => {
  const first = opened();
  begin(first.calls);
  const child = await running(engine, {}, parent);
  const wait = call(1, 'session_wait', { sessionIds: [child], timeoutSeconds: 30 });
  say(first.calls, 'wait', wait);
  await replyTo('noted');
  first.close();
  const second = opened();
  begin(second.calls, true);
  say(second.calls, 'wait', wait);
  await ended(engine, child);
  expect(await replyTo('wait')).toMatchObject({ id: 1, result: { structuredContent: { timedOut: false } } });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(order.filter((callId) => callId === 'wait')).toHaveLength(1);
});

it('a call that is cancelled is over, for the next hub too', async () => {
  const { calls } = opened();
  begin(calls);
  const child = await running(engine, {}, parent);
  say(calls, 'wait', call(1, 'session_wait', { sessionIds: [child], timeoutSeconds: 30 }));
  say(calls, 'cancel', { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1, reason: 'enough' } });
  expect(await replyTo('wait')).toMatchObject({ id: 1, error: { message: 'The call was cancelled.' } });
  expect(await replyTo('cancel')).toMatchObject({ result: {} });
  await ended(engine, child);
  expect(order.filter((callId) => callId === 'wait')).toHaveLength(1);
});

it('two connections of one agent may number their calls alike', async () => {
  const { calls } = opened();
  begin(calls);
  say(calls, 'begin again', BEGIN);
  const child = await running(engine, {}, parent);
  say(calls, 'wait', call(1, 'session_wait', { sessionIds: [child], timeoutSeconds: 30 }));
  say(calls, 'ping', request(1, 'ping'));
  expect(await replyTo('begin again')).toMatchObject({ id: 0, result: { serverInfo: {} } });
  expect(await replyTo('ping')).toMatchObject({ id: 1, result: {} });
  expect(replies.has('wait')).toBe(false);
  await ended(engine, child);
  expect(await replyTo('wait')).toMatchObject({ id: 1, result: { structuredContent: { timedOut: false } } });
});

it('what is too long to be read is refused, once', async () => {
  const { calls } = opened();
  say(calls, 'before', undefined, true);
  say(calls, 'long', undefined);
  await expect.poll(() => order).toEqual(['long']);
  expect(replies.get('long')).toBeUndefined();
});

it('a call that cannot be worked on for a fault of ours is answered, and the next one is worked on', async () => {
  let isBroken = true;
  const next = hub(async () => {
    if (isBroken) throw new Error('damaged');
    return {};
  });
  next.open();
  const calls = next.follow();
  say(calls, 'begin', BEGIN);
  expect(await replyTo('begin')).toMatchObject({ id: 0, error: { code: -32603 } });
  expect(lines).toEqual([expect.stringContaining('damaged')]);
  isBroken = false;
  say(calls, 'again', BEGIN);
  expect(await replyTo('again')).toMatchObject({ id: 0, result: { serverInfo: {} } });
});

it('a run that ends while its server is being made leaves nothing, and has its room back', async () => {
  let proceed = () => {};
  const asked = new Promise<void>((resolve) => {
    proceed = resolve;
  });
  const next = hub(async () => {
    await asked;
    return {};
  });
  next.open();
  const gone = next.follow();
  begin(gone);
  gone.close();
  proceed();
  const calls = next.follow();
  begin(calls);
  await replyTo('noted');
  expect(order).toEqual(['begin', 'noted']);
  const child = await running(engine, {}, parent);
  for (let at = 1; at <= 64; at++)
    say(calls, `wait ${at}`, call(at, 'session_wait', { sessionIds: [child], timeoutSeconds: 30 }));
  say(calls, 'more', request(65, 'ping'));
  expect(await replyTo('more')).toMatchObject({ error: {} });
  calls.close();
  const later = next.follow();
  say(later, 'ping', request(1, 'ping'));
  expect(await replyTo('ping')).toMatchObject({ id: 1, result: {} });
});

it('one run may have so many calls open and no more', async () => {
  const { calls } = opened();
  begin(calls);
  const child = await running(engine, {}, parent);
  const wait = { sessionIds: [child], timeoutSeconds: 30 };
  for (let at = 1; at <= 65; at++) say(calls, `wait ${at}`, call(at, 'session_wait', wait));
  expect(await replyTo('wait 65')).toMatchObject({ id: 65, error: { message: expect.stringContaining('At most 64') } });
  expect([...replies.keys()].filter((callId) => callId.startsWith('wait'))).toEqual(['wait 65']);
  await ended(engine, child);
  for (let at = 1; at <= 64; at++) await replyTo(`wait ${at}`);
  say(calls, 'after', request(66, 'ping'));
  expect(await replyTo('after')).toMatchObject({ result: {} });
});

it.each([
  ['an answer', () => request(1, 'tools/list')],
  ['a refusal of what is too long', () => undefined],
])('%s that the disk does not take is handed over when it does', async (_, message) => {
  let full = true;
  const { calls } = opened((callId) => {
    if (callId === 'list' && full) fail('STORAGE_FULL', 'There is no space left.');
  });
  begin(calls);
  say(calls, 'list', message());
  await expect.poll(() => lines.length).toBe(1);
  full = false;
  await expect.poll(() => replies.has('list'), { timeout: 10_000 }).toBe(true);
  expect(lines).toHaveLength(1);
});
