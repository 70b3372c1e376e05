import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Door } from '../support/hub-bench.ts';
import { hubPid, makeWorkspace, readOr, until } from '../support/hub-bench.ts';
import { kill } from '../support/processes.ts';
import { doorBench } from './door-bench.ts';

const { calls, open, programs } = doorBench();

/** Resident memory of the door in MB. */
const memoryOf = (door: Door) => Number(/VmRSS:\s+(\d+)/.exec(readOr(`/proc/${door.process.pid}/status`))?.[1]) / 1024;

const named = (door: Door, method: string) => door.said.filter((message) => message.method === method);

test('the door is small: it bundles neither zod nor the MCP SDK', () => {
  expect(statSync(path.join(programs(), 'door.cjs')).size).toBeLessThan(60_000);
  const text = readFileSync(path.join(programs(), 'door.cjs'), 'utf8');
  expect(text).not.toMatch(/node_modules\/(zod|@modelcontextprotocol)/);
});

test('a hub gets only the wanted variables of its doors, and none of theirs at its start', async () => {
  const { door, workspace } = open({ env: { WANTED_KEY: 'yes', OTHER_KEY: 'no' } });
  const { result } = await door.ask(1, 'tools/call', { name: 'echo' });
  expect(result).toMatchObject({ environment: { WANTED_KEY: 'yes' } });
  expect(JSON.stringify(result)).not.toContain('OTHER_KEY');
  expect(readOr(`/proc/${hubPid(workspace)}/environ`)).not.toMatch(/WANTED_KEY|OTHER_KEY/);
});

test('a hub killed under a call, a legacy subscription and a modern one: one answer, no duplicates, updates go on', async () => {
  const { door, workspace } = open();
  await door.ask(0, 'initialize', { protocolVersion: '2025-06-18' });
  door.send({ method: 'notifications/initialized' });
  await door.ask(1, 'resources/subscribe', { uri: 'a://1' });
  door.send({ id: 2, method: 'subscriptions/listen', params: { notifications: { resourceSubscriptions: ['b://2'] } } });
  await until(() => named(door, 'notifications/subscriptions/acknowledged').length === 1);
  door.send({ id: 3, method: 'tools/call', params: { name: 'slow', arguments: { delayMs: 1_500 } } });
  await until(() => calls(workspace).length === 1);
  const first = hubPid(workspace);
  kill(first, 'SIGKILL');
  const { result } = await door.answer(3);
  const second = hubPid(workspace);
  expect(result).toMatchObject({ pid: second, epoch: 2 });
  expect(second).not.toBe(first);
  const sent = calls(workspace);
  expect(sent).toHaveLength(2);
  expect(sent[0]?.meta).toEqual({ 'scopecraft/requestKey': expect.stringMatching(/^[0-9a-z.]{12,60}$/) });
  expect(sent[1]?.meta).toEqual(sent[0]?.meta);

  await door.ask(4, 'tools/call', { name: 'touch', arguments: { uri: 'a://1' } });
  await door.ask(5, 'tools/call', { name: 'touch', arguments: { uri: 'b://2' } });
  const updates = named(door, 'notifications/resources/updated').map(({ params }) => params);
  expect(updates).toContainEqual({ uri: 'a://1', pid: second });
  expect(updates).toContainEqual({ uri: 'b://2', pid: second, _meta: { 'io.modelcontextprotocol/subscriptionId': 2 } });
  // what may have been missed while no hub was there is said once
  expect(updates).toContainEqual({ uri: 'a://1' });
  expect(updates).toContainEqual({ uri: 'b://2', _meta: { 'io.modelcontextprotocol/subscriptionId': 2 } });
  expect(updates).toHaveLength(4);
  expect(named(door, 'notifications/subscriptions/acknowledged')).toHaveLength(1);
  const answered = door.said.filter((message) => message.method === undefined).map(({ id }) => id);
  expect(answered).toEqual([0, 1, 3, 4, 5]);
});

test('a question of a hub that died is taken back, and its answer reaches no other hub', async () => {
  const { door, workspace } = open();
  door.send({ id: 1, method: 'tools/call', params: { name: 'ask' } });
  await until(() => named(door, 'elicitation/create').length === 1);
  kill(hubPid(workspace), 'SIGKILL');
  await until(() => named(door, 'elicitation/create').length === 2);
  const [first, second] = named(door, 'elicitation/create').map(({ id }) => id);
  expect(first).not.toEqual(second);
  expect(named(door, 'notifications/cancelled').map(({ params }) => params)).toEqual([
    { requestId: first, reason: expect.any(String) },
  ]);
  door.send({ id: first, result: 'late' });
  door.send({ id: second, result: 'in time' });
  expect((await door.answer(1)).result).toMatchObject({ said: 'in time' });
});

test('a call that kills its hub again and again is answered at last', async () => {
  const { door, workspace } = open();
  const { error } = await door.ask(1, 'tools/call', { name: 'crash' });
  expect(error).toMatchObject({ message: expect.stringContaining('The hub died 5 times under this call') });
  expect((await door.ask(2, 'ping')).result).toBeDefined();
  expect(calls(workspace)).toHaveLength(5);
});

test('a key the client sent is kept, and a tool-use id makes one unnecessary', async () => {
  const { door } = open();
  const own = await door.ask(1, 'tools/call', { name: 'echo', _meta: { 'scopecraft/requestKey': 'mine', progressToken: 7 } });
  expect(own.result).toMatchObject({ meta: { 'scopecraft/requestKey': 'mine', progressToken: 7 } });
  const use = await door.ask(2, 'tools/call', { name: 'echo', _meta: { 'claudecode/toolUseId': 'toolu_1' } });
  expect(use.result).toMatchObject({ meta: { 'claudecode/toolUseId': 'toolu_1' } });
  expect(JSON.stringify(use.result)).not.toContain('requestKey');
});

test('requests piped in before the end of input are answered, although a hub must be started and takes its time', async () => {
  const { door } = open({ workspace: makeWorkspace({ recoverMs: 1_500 }) });
  door.send({ id: 1, method: 'ping' });
  door.send({ id: 2, method: 'tools/call', params: { name: 'slow', arguments: { delayMs: 1_000 } } });
  door.process.stdin?.end();
  expect((await door.answer(1, 15_000)).result).toBeDefined();
  expect((await door.answer(2)).result).toBeDefined();
  expect(await door.exited).toBe(0);
});

test('a door whose hub cannot be reached answers with the sentence and goes on trying', async () => {
  const { door, workspace } = open();
  const pid = Number(JSON.stringify((await door.ask(1, 'ping')).result).match(/"pid":(\d+)/)?.[1]);
  kill(pid, 'SIGSTOP');
  const other = open({ workspace });
  expect((await other.door.ask(1, 'ping')).error).toMatchObject({
    code: -32000,
    data: { code: 'HUB_UNREACHABLE', hint: expect.any(String) },
  });
  expect((await other.door.ask(2, 'ping')).error).toMatchObject({ message: expect.stringContaining(`kill -CONT ${pid}`) });
  kill(pid, 'SIGCONT');
  expect((await other.door.ask(3, 'ping')).result).toMatchObject({ pid });
  expect(other.door.stderr()).toContain('is stopped');
});

test('a client that does not read makes the door wait, not grow', async () => {
  const { door } = open();
  await door.ask(1, 'ping');
  door.process.stdout?.pause();
  door.send({ id: 2, method: 'tools/call', params: { name: 'flood', arguments: { megabytes: 80 } } });
  await sleep(3_000);
  expect(memoryOf(door)).toBeLessThan(80);
  door.process.stdout?.resume();
  await door.answer(2, 20_000);
  expect(named(door, 'x/flood')).toHaveLength(80);
}, 40_000);

test('a hub that does not read makes the client wait, not the door grow', async () => {
  const { door, workspace } = open();
  await door.ask(1, 'ping');
  kill(hubPid(workspace), 'SIGSTOP');
  for (let sent = 0; sent < 80; sent++) door.send({ method: 'x/flood', params: { text: 'x'.repeat(1e6) } });
  await sleep(2_000);
  expect(memoryOf(door)).toBeLessThan(80);
  kill(hubPid(workspace), 'SIGCONT');
  expect((await door.ask(2, 'ping', {}, 20_000)).result).toBeDefined();
}, 40_000);

test('a message over the limit is refused, a call by its id, and the next one served', async () => {
  const { door } = open();
  const params = { name: 'echo', arguments: { id: 3, text: 'x'.repeat(5 * 1024 * 1024) } };
  const say = (message: object) => door.process.stdin?.write(`${JSON.stringify(message)}\n`);
  // as the first SDK writes its calls, as others do, an answer to a question of the hub, and nothing that is known
  say({ method: 'tools/call', params, jsonrpc: '2.0', id: 11 });
  say({ jsonrpc: '2.0', id: 'twelve', method: 'tools/call', params });
  say({ result: params, jsonrpc: '2.0', id: 13 });
  say({ jsonrpc: '2.0', method: 'notifications/x', params });
  door.process.stdin?.write(`"${'x'.repeat(17 * 1024 * 1024)}"\n`);
  expect((await door.ask(2, 'ping')).result).toBeDefined();
  const refused = door.said.filter(({ error }) => error !== undefined);
  expect(refused.map(({ id }) => id)).toEqual([11, 'twelve', null, null, null]);
  for (const { error } of refused) expect(error).toMatchObject({ message: 'A message is longer than 4194304 bytes.' });
});
