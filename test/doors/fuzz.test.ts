// Random and mutated messages on every door: whatever comes, the hub goes on, answers what has an id, and every answer is one that the protocol knows.
// `SCOPECRAFT_MESSAGES` is how many messages each door gets at least; `SCOPECRAFT_SEED` repeats a run.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { lineSplitter } from '../../server/lines.ts';
import { keyOf } from '../../server/messages.ts';
import { TOOLS } from '../../tools/index.ts';
import { connect, type TestClient } from '../support/clients.ts';
import { createDebts } from '../support/debts.ts';
import { type Access, modernRequest, type Sent, sendHttp } from '../support/http-clients.ts';
import { DOOR } from '../support/project.ts';
import { openRawSocket } from '../support/raw-socket.ts';
import { type Serving, serve } from '../support/serving.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const MESSAGES = Number(process.env.SCOPECRAFT_MESSAGES ?? 5_000);
const SEED = Number(process.env.SCOPECRAFT_SEED ?? Date.now() % 1_000_000);
/** Sent together on one connection, and then a call that must be answered. */
const AT_ONCE = 25;
const ROUNDS = Math.max(1, Math.ceil(MESSAGES / AT_ONCE));
/** Only calls of these may wait. */
const PATIENCE_MS = 30_000;

const Id = z.union([z.string(), z.number(), z.null()]).optional();
const Failed = z.object({
  jsonrpc: z.literal('2.0'),
  id: Id,
  error: z.object({ code: z.number().int(), message: z.string(), data: z.unknown().optional() }),
});
const Done = z.object({ jsonrpc: z.literal('2.0'), id: z.union([z.string(), z.number()]), result: z.looseObject({}) });
const Notified = z.strictObject({
  jsonrpc: z.literal('2.0'),
  method: z.string().startsWith('notifications/'),
  params: z.looseObject({}).optional(),
});
const Answer = z.union([Failed, Done, Notified]);
const Called = z.looseObject({
  content: z.array(z.looseObject({ type: z.literal('text'), text: z.string() })).min(1),
  isError: z.boolean().optional(),
});

const METHODS = [
  'initialize',
  'ping',
  'server/discover',
  'tools/list',
  'tools/call',
  'resources/list',
  'resources/read',
  'resources/templates/list',
  'resources/subscribe',
  'resources/unsubscribe',
  'subscriptions/listen',
  'prompts/list',
  'prompts/get',
  'completion/complete',
  'logging/setLevel',
  'tasks/get',
  'tasks/cancel',
  'tasks/update',
  'notifications/cancelled',
  'notifications/initialized',
  'notifications/progress',
  'roots/list',
  'x',
];
// those that start agents, block or change what the test lives by are tried elsewhere
const TRIED = TOOLS.map(({ name }) => name).filter(
  (name) => !['session_wait', 'session_run', 'session_ask', 'queue_resume', 'session_config'].includes(name),
);

const word = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.constantFrom(
    'one',
    'session://one',
    'queue://status',
    'events://recent',
    '../x',
    '0:0.0',
    '__proto__',
    'constructor',
    '\u0000',
    '\ud800',
    '-1',
    'demo',
  ),
);
const anything = fc.oneof(
  fc.jsonValue({ maxDepth: 4 }),
  word,
  fc.integer(),
  fc.double(),
  fc.constant(null),
  fc.array(word, { maxLength: 5 }),
);
const id = fc.oneof(
  fc.integer(),
  fc.string({ maxLength: 20 }),
  fc.constant(null),
  fc.double({ noNaN: true }),
  fc.boolean(),
  fc.constant({}),
);
const FIELDS = [...new Set(TOOLS.flatMap(({ input }) => Object.keys(input.shape)))];
const args = fc.dictionary(
  fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...FIELDS) }, { weight: 1, arbitrary: word }),
  anything,
  { maxKeys: 6 },
);
const call = fc.record({
  name: fc.oneof(fc.constantFrom(...TRIED), word),
  arguments: fc.oneof({ weight: 4, arbitrary: args }, anything),
  requestState: fc.oneof(fc.constant(undefined), word),
  _meta: fc.oneof(fc.constant(undefined), anything),
});
const params = fc.oneof(
  { weight: 3, arbitrary: call },
  {
    weight: 1,
    arbitrary: fc.dictionary(
      fc.constantFrom(
        'uri',
        'cursor',
        'name',
        'arguments',
        'ref',
        'taskId',
        'requestId',
        'protocolVersion',
        'capabilities',
        'notifications',
        'level',
      ),
      anything,
    ),
  },
  { weight: 1, arbitrary: anything },
);
const request = fc.record(
  {
    jsonrpc: fc.oneof({ weight: 8, arbitrary: fc.constant('2.0') }, { weight: 1, arbitrary: anything }),
    id,
    method: fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...METHODS) }, { weight: 1, arbitrary: anything }),
    params,
  },
  { requiredKeys: [] },
);
/** A whole line: a message, several, one that was cut or changed by a byte, or nothing like it. Never one with a line end in it. */
const line = fc
  .oneof(
    { weight: 10, arbitrary: request.map((message) => JSON.stringify(message)) },
    { weight: 2, arbitrary: fc.array(request, { maxLength: 6 }).map((batch) => JSON.stringify(batch)) },
    { weight: 2, arbitrary: fc.tuple(request, fc.nat(400)).map(([message, at]) => JSON.stringify(message).slice(0, at)) },
    {
      weight: 3,
      arbitrary: fc.tuple(request, fc.nat(400), fc.string({ maxLength: 3 })).map(([message, at, text]) => {
        const whole = JSON.stringify(message);
        return whole.slice(0, at) + text + whole.slice(at + 1);
      }),
    },
    { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
    {
      weight: 8,
      arbitrary: fc
        .tuple(fc.constantFrom(...METHODS), fc.oneof(call, fc.dictionary(word, anything)), fc.integer())
        .map(([method, params, id]) => modernRequest(method, params, id).body ?? ''),
    },
  )
  .map((text) => text.replace(/[\r\n]/g, ' '));
const lines = fc.array(line, { minLength: AT_ONCE, maxLength: AT_ONCE });
const options = { numRuns: ROUNDS, seed: SEED, endOnFailure: true };

let workspace: Workspace;
let serving: Serving;
let client: TestClient;
let access: Access;
let hub: number | undefined;
let marks = 0;

beforeAll(async () => {
  workspace = await makeWorkspace({
    tasks: { one: '# One\n\n---\ntype: test\nstatus: todo\narea: test\n---\n\n## Instruction\n\n@@say done\n' },
    userConfig: { defaultAgent: 'demo', server: { http: { callsPerSecond: 100_000 } }, resources: { maxQueueSize: 20 } },
  });
  serving = await serve({ env: workspace.env, cwd: workspace.path });
  client = await connect('modern', { env: workspace.env, cwd: workspace.path });
  access = await serving.access('admin');
  // what is started by chance stays in the line
  await client.call('queue_pause', {});
  hub = (await workspace.hub())?.pid;
}, 60_000);
afterAll(async () => {
  await client.close();
  await serving.interrupt();
  await workspace.close({ leftovers: 'end' });
}, 60_000);

/** A call that is answered by whoever still listens. */
const mark = () => modernRequest('tools/list', {}, `mark-${++marks}`).body ?? '';

/** What was answered so far, so that a test that says nothing is seen. */
const seen = { sent: 0, results: 0, errors: 0, calls: 0 };

/** Every line is an answer or a notification, and an answer to a call has what a call answers. Tells the ids that were answered. */
function expectKnown(said: readonly string[]): readonly string[] {
  const answered: string[] = [];
  for (const text of said) {
    const message: unknown = JSON.parse(text);
    const known = (Array.isArray(message) ? message : [message]).map((one) => Answer.parse(one));
    for (const one of known) {
      if ('id' in one) answered.push(keyOf(one.id));
      if ('error' in one) seen.errors++;
      if ('result' in one) seen.results++;
      if (!('result' in one) || !('content' in one.result)) continue;
      Called.parse(one.result);
      seen.calls++;
    }
    // a fault of ours would be told with an id to look up
    expect(text).not.toContain('"INTERNAL');
  }
  return answered;
}

/** The door was tried at all: calls were done, others refused. */
async function expectAlive(): Promise<void> {
  expect(seen.sent).toBeGreaterThanOrEqual(MESSAGES);
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0);
  Object.assign(seen, { sent: 0, results: 0, errors: 0, calls: 0 });

  expect((await client.call('queue_status')).summary).toBeTypeOf('string');
  expect((await workspace.hub())?.pid).toBe(hub);
}

interface Pipe {
  readonly lines: string[];
  send(line: string): void;
  isOpen(): boolean;
  close(): void;
}

/** How a connection begins: as a client of each era does, or with anything. */
const OPENINGS: readonly (readonly string[])[] = [
  [
    JSON.stringify({
      jsonrpc: '2.0',
      id: 'begin',
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'a test', version: '1' } },
    }),
    '{"jsonrpc":"2.0","method":"notifications/initialized"}',
  ],
  [modernRequest('server/discover', {}, 'begin').body ?? ''],
  [],
];
const ROUNDS_PER_CONNECTION = 10;

/** Sends rounds of lines over connections one after the other, none of which may break off, and waits until all is answered that has an id. */
async function fuzzed(open: () => Promise<Pipe>): Promise<void> {
  let rounds = 0;
  let debts = createDebts();
  const opened = async (): Promise<Pipe> => {
    const fresh = await open();
    debts = createDebts();
    for (const text of OPENINGS[Math.floor(rounds / ROUNDS_PER_CONNECTION) % OPENINGS.length] ?? []) fresh.send(text);
    return fresh;
  };
  let pipe = await opened();
  await fc.assert(
    fc.asyncProperty(lines, async (batch) => {
      rounds++;
      if (rounds % ROUNDS_PER_CONNECTION === 0) {
        pipe.close();
        pipe = await opened();
      }
      for (const text of [...batch, mark()]) {
        debts.send(text);
        pipe.send(text);
      }
      seen.sent += batch.length;
      const settled = () => {
        debts.answered(expectKnown(pipe.lines.splice(0)));
        return pipe.isOpen() ? debts.open() : ['the connection broke off'];
      };
      await expect.poll(settled, { timeout: PATIENCE_MS, interval: 5, message: `seed ${SEED}` }).toEqual([]);
    }),
    options,
  );
  pipe.close();
}

describe(`with seed ${SEED}`, () => {
  const timeout = 120_000 + MESSAGES * 20;

  it('the stdio door', { timeout }, async () => {
    const exits: Promise<unknown>[] = [];
    await fuzzed(async () => {
      const child: ChildProcess = spawn(process.execPath, [DOOR], {
        env: { ...workspace.env },
        cwd: workspace.path,
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      exits.push(once(child, 'exit'));
      const said: string[] = [];
      child.stdout?.on(
        'data',
        lineSplitter(
          1e9,
          (text) => said.push(text),
          () => {},
        ),
      );
      child.stdin?.on('error', () => {});
      return {
        lines: said,
        send: (text) => void child.stdin?.write(`${text}\n`),
        isOpen: () => child.exitCode === null && child.signalCode === null,
        close: () => child.stdin?.end(),
      };
    });
    for (const exit of await Promise.all(exits)) expect(exit).toEqual([0, null]);
    await expectAlive();
  });

  it("the hub's socket", { timeout }, async () => {
    await fuzzed(async () => {
      const raw = await openRawSocket(workspace);
      return {
        lines: raw.lines,
        send: (text) => void raw.send(text),
        isOpen: () => !raw.socket.destroyed,
        close: () => raw.socket.destroy(),
      };
    });
    await expectAlive();
  });

  it('HTTP', { timeout }, async () => {
    const version = fc.constantFrom('2026-07-28', '2025-11-25', '2024-11-05', 'x');
    const headers = fc.record(
      {
        'mcp-protocol-version': version,
        'mcp-method': fc.constantFrom('tools/call', 'tools/list', 'x'),
        'mcp-session-id': fc.constantFrom('x', '../y', '00000000-0000-4000-8000-000000000000'),
        'last-event-id': fc.constantFrom('x_1', '../1'),
      },
      { requiredKeys: [] },
    );
    const method = fc.constantFrom('POST', 'POST', 'POST', 'GET', 'DELETE', 'PUT');
    const anyhow = fc.tuple(line, method, headers).map(([body, method, headers]): Sent => ({ body, method, headers }));
    // what a client of each era would send, with what it says made up
    const modern = fc
      .tuple(fc.constantFrom(...METHODS), fc.oneof(call, fc.dictionary(word, anything)), fc.integer())
      .map(([method, params, id]): Sent => modernRequest(method, params, id));
    const older = fc.tuple(line, fc.constant('older')).map(([body]): Sent => ({ body, headers: { 'mcp-session-id': 'theirs' } }));
    const one = fc.oneof(anyhow, { weight: 2, arbitrary: modern }, { weight: 2, arbitrary: older });
    const initialize = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'a test', version: '1' } };
    const begun = await sendHttp(access, {
      body: JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params: initialize }),
    });
    const theirs = String(begun.headers['mcp-session-id']);
    const send = ({ headers, ...sent }: Sent) =>
      sendHttp(access, {
        ...sent,
        headers: headers?.['mcp-session-id'] === 'theirs' ? { 'mcp-session-id': theirs } : { ...headers },
      });
    await fc.assert(
      fc.asyncProperty(fc.array(one, { minLength: AT_ONCE, maxLength: AT_ONCE }), async (batch) => {
        seen.sent += batch.length;
        // a stream that was opened by chance is left open by the server: it is not waited for
        const asked = batch.filter(({ body = '' }) => !body.includes('subscriptions/listen'));
        for (const { status, text } of await Promise.all(asked.map(send))) {
          expect([200, 202, 400, 404, 405, 406, 409, 413, 415, 429]).toContain(status);
          const isWhole = text.startsWith('{') || text.startsWith('[');
          expectKnown(isWhole ? [text] : [...text.matchAll(/^data: (.+)$/gm)].map(([, said = '']) => said));
        }
        expect((await sendHttp(access, modernRequest('tools/list'))).status).toBe(200);
      }),
      options,
    );
    await expectAlive();
  });
});
