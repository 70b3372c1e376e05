// When connections are told of what changed: at once, then at most once in a second for each address or list, a last time when it is quiet again, and
// only those that asked.
import { InMemoryTransport } from '@modelcontextprotocol/server';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RESOURCES } from '../../resources/index.ts';
import { createMcpFactory } from '../../server/mcp.ts';
import { createUpdates, type Updates } from '../../server/updates.ts';
import { running, started } from '../core/talk-rig.ts';
import { type Engine, makeEngine } from '../support/engine.ts';

let engine: Engine;
let updates: Updates;
let sessionId: string;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  engine = await makeEngine({ config: { resources: { maxConcurrentSessions: 5 } } });
  updates = createUpdates(engine.orchestrator, RESOURCES);
  sessionId = await running(engine);
});
afterEach(() => {
  vi.useRealTimers();
});

const speak = () => engine.run(sessionId).say({ kind: 'spoke', bytes: 1 });
const log = () => `session://${sessionId}/log`;
/** What becomes stale within a moment is told together. */
const moment = () => vi.advanceTimersByTime(25);

describe('a log that grows', () => {
  it('is told at once, then once a second, and a last time when it is quiet', async () => {
    const heard: string[] = [];
    updates.subscribe((uri) => heard.push(uri));
    speak();
    await engine.settle();
    moment();
    expect(heard).toEqual([log()]);
    for (let tenth = 0; tenth < 25; tenth++) {
      speak();
      await engine.settle();
      vi.advanceTimersByTime(100);
    }
    expect(heard).toEqual([log(), log(), log()]);
    vi.advanceTimersByTime(60_000);
    expect(heard).toEqual([log(), log(), log(), log()]);
    speak();
    await engine.settle();
    moment();
    expect(heard).toHaveLength(5);
  });

  it('is told a last time when its session has settled, although it was just told', async () => {
    const heard: string[] = [];
    updates.subscribe((uri) => heard.push(uri));
    speak();
    await engine.settle();
    moment();
    engine.run(sessionId).end(0);
    await engine.settle();
    moment();
    expect(engine.orchestrator.get(sessionId).status).toBe('completed');
    expect(heard.filter((uri) => uri === log())).toHaveLength(1);
    vi.advanceTimersByTime(1_000);
    moment();
    expect(heard.filter((uri) => uri === log())).toHaveLength(2);
    vi.advanceTimersByTime(60_000);
    expect(heard.filter((uri) => uri === log())).toHaveLength(2);
  });

  it('costs nobody anything who does not listen, and ends with the listening', async () => {
    const heard: string[] = [];
    const end = updates.subscribe((uri) => heard.push(uri));
    end();
    speak();
    await engine.settle();
    vi.advanceTimersByTime(5_000);
    expect(heard).toEqual([]);
  });
});

describe('the state of the line', () => {
  const LINE = 'queue://status';
  const deeds: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['a session that starts', () => started(engine)],
    ['a pause', () => engine.orchestrator.pause({ by: 'me' })],
    [
      'another number of slots',
      () => engine.orchestrator.tune({ set: { 'resources.maxConcurrentSessions': 2 }, reset: [] }, 'me'),
    ],
    ['an end', async () => engine.run(sessionId).end(0)],
  ];

  it.each(deeds)('is told to be another one after %s', async (_what, deed) => {
    const heard: string[] = [];
    updates.subscribe((uri) => heard.push(uri));
    await deed();
    await engine.settle();
    moment();
    expect(heard.filter((uri) => uri === LINE)).toEqual([LINE]);
  });

  it('is told to be another one after a slot was lent and used, and not when a session only speaks', async () => {
    await engine.orchestrator.tune({ set: { 'resources.maxConcurrentSessions': 1 }, reset: [] }, 'me');
    const child = await started(engine, {}, sessionId);
    const heard: string[] = [];
    updates.subscribe((uri) => heard.push(uri));
    speak();
    await engine.settle();
    moment();
    expect(heard).not.toContain(LINE);
    void engine.orchestrator.wait({ sessionIds: [child], until: 'all', timeoutMs: 60_000 }, sessionId);
    await engine.settle();
    moment();
    expect(engine.orchestrator.get(child).status).toBe('starting');
    expect(heard).toContain(LINE);
  });
});

describe('the list of resources', () => {
  it('is told to have grown once for many sessions, and once more at the end', async () => {
    const lists: string[] = [];
    updates.subscribeLists((list) => lists.push(list));
    for (let at = 0; at < 30; at++) await started(engine, { label: `one ${at}` });
    moment();
    expect(lists).toEqual(['resources']);
    vi.advanceTimersByTime(60_000);
    expect(lists).toEqual(['resources', 'resources']);
  });
});

describe('a session that changes', () => {
  it('is told wherever it is shown: by itself, its log, the history of its task, the line and the events', async () => {
    const heard: string[] = [];
    updates.subscribe((uri) => heard.push(uri));
    engine.run(sessionId).end(0);
    await engine.settle();
    moment();
    const { taskId } = engine.orchestrator.get(sessionId);
    const places = [`session://${sessionId}`, log(), `task://${taskId}/history`, 'queue://status', 'events://recent'];
    expect(heard.toSorted()).toEqual(places.toSorted());
  });
});

describe('a connection of the older era', () => {
  it('hears of what it subscribed to until it unsubscribes, and of nothing else', async () => {
    const factory = createMcpFactory({
      orchestrator: engine.orchestrator,
      updates,
      version: '1.0.0',
      listed: { toolsets: ['core'], legacy: false },
      log: () => {},
    });
    const connected = async () => {
      const [ours, theirs] = InMemoryTransport.createLinkedPair();
      const heard: unknown[] = [];
      ours.onmessage = (message) => {
        if ('method' in message && message.method === 'notifications/resources/updated') heard.push(message.params?.uri);
      };
      await ours.start();
      await factory({ kind: 'door', environment: {} })({ era: 'legacy' }).connect(theirs);
      const clientInfo = { name: 'a test', version: '1' };
      const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
      await ours.send({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
      return { heard, send: (id: number, method: string) => ours.send({ jsonrpc: '2.0', id, method, params: { uri: log() } }) };
    };
    const [listening, deaf] = [await connected(), await connected()];
    await listening.send(1, 'resources/subscribe');
    await engine.settle();
    speak();
    await engine.settle();
    moment();
    expect(listening.heard).toEqual([log()]);
    await started(engine, { label: 'another' });
    vi.advanceTimersByTime(5_000);
    expect(listening.heard).toEqual([log()]);
    await listening.send(2, 'resources/unsubscribe');
    await engine.settle();
    speak();
    await engine.settle();
    moment();
    expect(listening.heard).toEqual([log()]);
    expect(deaf.heard).toEqual([]);
  });
});
