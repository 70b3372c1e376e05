// What a door remembers: the fine points of going on with another hub.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lineSplitter } from '../../server/lines.ts';
import { isShallow } from '../../server/messages.ts';
import { createMemory } from '../../server/replay.ts';

function bench() {
  const toHub: unknown[] = [];
  const toClient: unknown[] = [];
  const memory = createMemory({
    toHub: (line) => toHub.push(JSON.parse(line)),
    toClient: (line) => toClient.push(JSON.parse(line)),
    newKey: () => 'key',
  });
  return {
    memory,
    client: (message: object) => memory.fromClient(JSON.stringify(message)),
    hub: (message: object) => memory.fromHub(JSON.stringify(message)),
    toHub: () => toHub.splice(0),
    toClient: () => toClient.splice(0),
  };
}

test('what a client says before there is a hub is sent when one comes, in order', () => {
  const { memory, client, toHub } = bench();
  client({ id: 1, method: 'initialize' });
  client({ method: 'notifications/initialized' });
  client({ id: 2, method: 'tools/list' });
  expect(toHub()).toEqual([]);
  memory.hubCame();
  expect(toHub()).toEqual([
    { id: 1, method: 'initialize' },
    { method: 'notifications/initialized' },
    { id: 2, method: 'tools/list' },
  ]);
});

test('a new hub is initialized before anything else reaches it, and the client sees no second result', () => {
  const { memory, client, hub, toHub, toClient } = bench();
  memory.hubCame();
  client({ id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25' } });
  hub({ id: 1, result: {} });
  client({ method: 'notifications/initialized' });
  client({ id: 2, method: 'resources/subscribe', params: { uri: 'a://' } });
  hub({ id: 2, result: {} });
  client({ id: 3, method: 'tools/list' });
  toHub();
  toClient();
  memory.hubWent(60_000);
  client({ method: 'notifications/roots/list_changed' });
  memory.hubCame();
  const [initialize, ...rest] = toHub();
  expect(rest).toEqual([]);
  expect(initialize).toEqual({ id: expect.any(String), method: 'initialize', params: { protocolVersion: '2025-11-25' } });
  client({ id: 4, method: 'ping' });
  expect(toHub()).toEqual([]);
  hub({ id: 'scopecraft:replay:1:initialize', result: {} });
  expect(toHub()).toEqual([
    { method: 'notifications/initialized' },
    { id: 'scopecraft:replay:2', method: 'resources/subscribe', params: { uri: 'a://' } },
    { id: 3, method: 'tools/list' },
    { id: 4, method: 'ping' },
    { method: 'notifications/roots/list_changed' },
  ]);
  hub({ id: 'scopecraft:replay:2', result: {} });
  expect(toClient()).toEqual([{ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri: 'a://' } }]);
});

test('what was unsubscribed, refused or cancelled is not repeated', () => {
  const { memory, client, hub, toHub } = bench();
  memory.hubCame();
  for (const id of [1, 2]) client({ id, method: 'resources/subscribe', params: { uri: `a://${id}` } });
  hub({ id: 1, result: {} });
  hub({ id: 2, error: {} });
  client({ id: 3, method: 'resources/unsubscribe', params: { uri: 'a://1' } });
  hub({ id: 3, result: {} });
  client({ id: 4, method: 'tools/list' });
  client({ method: 'notifications/cancelled', params: { requestId: 4 } });
  client({ id: 5, method: 'subscriptions/listen', params: { notifications: {} } });
  client({ method: 'notifications/cancelled', params: { requestId: 5 } });
  memory.hubWent(60_000);
  toHub();
  memory.hubCame();
  expect(toHub()).toEqual([]);
});

test('what was unsubscribed while its subscription was under way is not repeated either', () => {
  const { memory, client, hub, toHub } = bench();
  memory.hubCame();
  client({ id: 1, method: 'resources/subscribe', params: { uri: 'a://1' } });
  client({ id: 2, method: 'resources/unsubscribe', params: { uri: 'a://1' } });
  hub({ id: 1, result: {} });
  hub({ id: 2, result: {} });
  memory.hubWent(60_000);
  toHub();
  memory.hubCame();
  expect(toHub()).toEqual([]);
});

test('a question that its hub took back is taken back once', () => {
  const { memory, hub, toClient } = bench();
  memory.hubCame();
  for (const id of [1, 2]) hub({ id, method: 'elicitation/create', params: {} });
  hub({ method: 'notifications/cancelled', params: { requestId: 1 } });
  toClient();
  memory.hubWent(60_000);
  expect(toClient()).toMatchObject([{ method: 'notifications/cancelled', params: { requestId: 2 } }]);
});

test('an answer comes once: a cancelled call and a second answer are not passed on', () => {
  const { memory, client, hub, toClient } = bench();
  memory.hubCame();
  client({ id: 1, method: 'ping' });
  client({ id: '1', method: 'ping' });
  hub({ id: 1, result: 'number' });
  hub({ id: 1, result: 'again' });
  hub({ id: '1', result: 'string' });
  expect(toClient()).toEqual([
    { id: 1, result: 'number' },
    { id: '1', result: 'string' },
  ]);
});

test('giving up answers the calls under way and keeps acknowledged subscriptions for the next hub', () => {
  const { memory, client, hub, toHub, toClient } = bench();
  memory.hubCame();
  client({ id: 1, method: 'subscriptions/listen', params: { notifications: { resourceSubscriptions: ['a://'] } } });
  hub({ method: 'notifications/subscriptions/acknowledged', params: { _meta: { 'io.modelcontextprotocol/subscriptionId': 1 } } });
  client({ id: 2, method: 'ping' });
  expect(memory.underWay()).toBe(1);
  memory.hubWent(60_000);
  toClient();
  memory.giveUp({ code: 'HUB_UNREACHABLE', message: 'No.', hint: 'Do.' });
  expect(toClient()).toEqual([
    { jsonrpc: '2.0', id: 2, error: { code: -32000, message: 'No.', data: { code: 'HUB_UNREACHABLE', hint: 'Do.' } } },
  ]);
  toHub();
  memory.hubCame();
  expect(toHub()).toMatchObject([{ id: 1, method: 'subscriptions/listen' }]);
});

test('a short batch is taken apart, so that each call in it outlives the hub; a long one, or one of no messages, is for the hub to refuse', () => {
  const { memory, client, hub, toHub, toClient } = bench();
  memory.hubCame();
  const calls = [1, 2, 3].map((id) => ({ id, method: 'tools/call', params: { name: 'x' } }));
  client(calls);
  const keyed = calls.map((call) => ({ ...call, params: { name: 'x', _meta: { 'scopecraft/requestKey': 'key' } } }));
  expect(toHub()).toEqual(keyed);
  hub({ id: 2, result: {} });
  expect(toClient()).toEqual([{ id: 2, result: {} }]);
  memory.hubWent(60_000);
  memory.hubCame();
  expect(toHub()).toEqual([keyed[0], keyed[2]]);
  for (const batch of [[], [[]], [1, {}], Array.from({ length: 17 }, (_, id) => ({ id, method: 'ping' }))]) {
    client(batch);
    expect(toHub()).toEqual([batch]);
  }
  expect(memory.underWay()).toBe(2);
});

test('a call that is nested too deeply to be written down again goes to the hub as it came', () => {
  const { memory, toHub } = bench();
  memory.hubCame();
  const deep = `{"id":1,"method":"tools/call","params":{"arguments":${'['.repeat(20_000)}${']'.repeat(20_000)}}}`;
  memory.fromClient(deep);
  expect(toHub()).toHaveLength(1);
  expect(memory.underWay()).toBe(0);
});

test('how deep a text is nested is seen as it is, whatever its strings hold', () => {
  const depthOf = (value: unknown): number =>
    typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;
  const within = (value: unknown, levels: number): unknown => (levels === 0 ? value : within([value], levels - 1));
  const text = fc.oneof(fc.string(), fc.constantFrom('[', '{', '"', '\\', '\\"', '[[[[[[', '\\\\"]]'));
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), text, fc.integer({ min: 55, max: 66 }), (value, said, levels) => {
      const nested = within({ [said]: [value, said] }, levels);
      expect(isShallow(JSON.stringify(nested))).toBe(depthOf(nested) <= 64);
    }),
  );
  for (const open of ['"'.repeat(1001), `"${'\\'.repeat(1001)}`, '"\\'.repeat(1000)]) expect(isShallow(open)).toBe(true);
});

test('lines are put together again from chunks cut anywhere, also inside a character', () => {
  const lines = ['{"a":"é漢字🙂"}', '', '[1]', 'x'.repeat(100)];
  const bytes = Buffer.from(`${lines.join('\n')}\r\n`);
  for (let size = 1; size < bytes.length; size++) {
    const got: string[] = [];
    const take = lineSplitter(
      1000,
      (line) => got.push(line),
      () => {},
    );
    for (let from = 0; from < bytes.length; from += size) take(bytes.subarray(from, from + size));
    expect(got).toEqual(lines.filter((line) => line !== ''));
  }
});
