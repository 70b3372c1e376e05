// A hub for tests: claims, welcomes and answers a handful of JSON-RPC methods, saying its pid in every answer.
// Knobs come from `<workspace>/echo.json`, since a hub gets no environment of its own: { idleExitMs, recoverMs, failure, crash }.
import { appendFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { ScopecraftError } from '../../core/errors.ts';
import { readEnvironment } from '../../server/config.ts';
import { startHub } from '../../server/hub.ts';
import { lineSplitter } from '../../server/lines.ts';
import { runtimeDirOf } from '../../server/runtime-dir.ts';
import { stateDirOf } from '../../server/workspace.ts';

declare const __VERSION__: string;

const Knobs = z.object({
  idleExitMs: z.number().default(0),
  recoverMs: z.number().default(0),
  failure: z.string().optional(),
  crash: z.boolean().default(false),
});
const Message = z.looseObject({
  id: z.union([z.string(), z.number()]).optional(),
  method: z.string().optional(),
  params: z.looseObject({ _meta: z.looseObject({}).optional() }).optional(),
});
const Call = z.looseObject({
  name: z.string(),
  arguments: z
    .looseObject({ delayMs: z.number().default(0), uri: z.string().default(''), megabytes: z.number().default(0) })
    .prefault({}),
});

const { values } = parseArgs({ options: { workspace: { type: 'string' }, 'no-workspace': { type: 'boolean' } } });
const workspace = values.workspace ?? '';
const updates = new Set<(uri: string) => void>();
let isBusy = false;
let stillOwner = () => true;
let epoch = 0;

if (values['no-workspace']) serve(process.stdin, process.stdout, {});
else void run().then((code) => process.exit(code));

async function run(): Promise<number> {
  const knobs = Knobs.parse(JSON.parse(readFileSync(path.join(workspace, 'echo.json'), 'utf8')));
  const note = (line: string) => appendFileSync(path.join(workspace, 'owners.log'), `${line}\n`);
  if (knobs.crash) throw new Error('This hub crashes.');
  return startHub({
    stateDir: stateDirOf(workspace),
    runtimeDir: runtimeDirOf(workspace, readEnvironment()),
    version: __VERSION__,
    wants: () => ['WANTED_KEY', 'ABSENT_KEY'],
    onOwned: async (ownership) => {
      epoch = ownership.epoch;
      stillOwner = ownership.stillOwner;
      note(`own ${epoch} ${process.pid}`);
      if (knobs.failure !== undefined) throw new ScopecraftError('CONFIG_INVALID', knobs.failure);
      await sleep(knobs.recoverMs);
    },
    onConnection: ({ socket, environment }) => serve(socket, socket, environment),
    isBusy: () => isBusy,
    idleExitMs: () => knobs.idleExitMs,
    onStop: async (reason) => note(`stop ${epoch} ${reason}`),
  });
}

function serve(input: Readable, output: Writable, environment: object): void {
  const send = (message: object) => output.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const subscribed = new Set<string>();
  const listens = new Map<string | number, readonly string[]>();
  let asking: string | number | undefined;
  const update = (uri: string) => {
    const updated = { method: 'notifications/resources/updated' };
    if (subscribed.has(uri)) send({ ...updated, params: { uri, pid: process.pid } });
    for (const [id, uris] of listens) {
      if (uris.includes(uri))
        send({ ...updated, params: { uri, pid: process.pid, _meta: { 'io.modelcontextprotocol/subscriptionId': id } } });
    }
  };
  updates.add(update);
  output.once('close', () => updates.delete(update));
  const call = async (id: string | number, params: unknown, meta: object | undefined) => {
    const { name, arguments: given } = Call.parse(params);
    if (workspace) appendFileSync(path.join(workspace, 'calls.log'), `${JSON.stringify({ id, name, meta, pid: process.pid })}\n`);
    if (name === 'crash') process.exit(3);
    if (name === 'busy') isBusy = true;
    if (name === 'check') stillOwner();
    if (name === 'touch') for (const tell of updates) tell(given.uri);
    if (name === 'flood')
      for (let sent = 0; sent < given.megabytes; sent++) send({ method: 'x/flood', params: { text: 'x'.repeat(1e6) } });
    if (name === 'ask') {
      asking = id;
      send({ id: 0, method: 'elicitation/create', params: { message: '?' } });
      return;
    }
    await sleep(given.delayMs);
    send({ id, result: { pid: process.pid, epoch, environment, meta } });
  };
  const handle = (line: string) => {
    const { id, method, params, ...rest } = Message.parse(JSON.parse(line));
    if (id === undefined) return;
    if (method === undefined && asking !== undefined) send({ id: asking, result: { pid: process.pid, said: rest.result } });
    else if (method === 'tools/call') void call(id, params, params?._meta);
    else if (method === 'subscriptions/listen') {
      const { notifications } = z
        .looseObject({ notifications: z.looseObject({ resourceSubscriptions: z.array(z.string()) }) })
        .parse(params);
      listens.set(id, notifications.resourceSubscriptions);
      send({
        method: 'notifications/subscriptions/acknowledged',
        params: { _meta: { 'io.modelcontextprotocol/subscriptionId': id } },
      });
    } else {
      if (method === 'resources/subscribe') subscribed.add(String(params?.uri));
      send({ id, result: { method, pid: process.pid } });
    }
  };
  input.on(
    'data',
    lineSplitter(1e8, handle, () => {}),
  );
}
