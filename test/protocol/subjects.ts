// What the conformance suite is pointed at: the product as `sc serve --http` serves it, and the same HTTP stack and factory with the suite's own tools.
// The suite sends no token, so a proxy on loopback adds it and passes everything else on as it came.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { RunSpec } from '../../core/run-ports.ts';
import { RESOURCES } from '../../resources/index.ts';
import { ensureTokens } from '../../server/client-tokens.ts';
import { systemClock } from '../../server/clock.ts';
import { createStateCodec } from '../../server/elicit.ts';
import { openHttpDoor } from '../../server/http.ts';
import { createMcpFactory } from '../../server/mcp.ts';
import { expectReadable } from '../../server/peer.ts';
import { createUpdates } from '../../server/updates.ts';
import { type Engine, makeEngine } from '../support/engine.ts';
import { serve } from '../support/serving.ts';
import { makeWorkspace } from '../support/workspace.ts';
import { withEverything } from './everything.ts';

export interface Subject {
  readonly url: string;
  /** What went wrong inside, for whoever looks why a check failed. */
  readonly lines: readonly string[];
  close(): Promise<void>;
}

/** The product, with one task to be found. */
export async function openProduct(): Promise<Subject> {
  const workspace = await makeWorkspace({
    tasks: { 'one.task.md': '# One\n\n---\ntype: test\nstatus: todo\narea: test\n---\n' },
  });
  const serving = await serve({ env: workspace.env, cwd: workspace.path });
  const proxy = await openProxy(await serving.access('admin'));
  return {
    url: proxy.url,
    lines: [],
    async close() {
      await proxy.close();
      await serving.interrupt();
      await workspace.close();
    },
  };
}

/** The product's HTTP stack and factory over a core in memory, with everything that the suite calls. */
export async function openEverything(): Promise<Subject> {
  const stateDir = await mkdtemp(path.join(tmpdir(), 'sc-protocol-'));
  const lines: string[] = [];
  const log = (line: string) => lines.push(line);
  const engine: Engine = await makeEngine({
    clock: { ...systemClock, advance: () => {}, setBack: () => {} },
    config: { resources: { maxConcurrentSessions: 50 }, server: { http: { callsPerSecond: 1000 } } },
    start: (spec) => setTimeout(() => play(engine, spec), 1),
  });
  const { orchestrator } = engine;
  const stateKey = new Uint8Array(32).fill(7);
  const updates = createUpdates(orchestrator, RESOURCES);
  const factory = createMcpFactory({
    orchestrator,
    updates,
    version: '1.0.0',
    listed: { toolsets: ['core'], legacy: false },
    stateKey,
    log,
  });
  const codec = createStateCodec(stateKey, 'client admin');
  const handmade = new Map();
  const door = await openHttpDoor({ stateDir, log });
  door.serve({
    build: (peer) => (context) =>
      withEverything(factory(peer)(context), { era: context.era, orchestrator, handmade, codec, changed: updates.listChanged }),
    expectReadable: (peer, uri) => expectReadable(orchestrator, peer, uri),
    updates,
    isActive: () => true,
    share: () => undefined,
    environmentOf: async () => undefined,
    settings: () => engine.settings.config.server.http,
  });
  const tokens = await ensureTokens(stateDir);
  const rules = { hosts: [], origins: [], isBehindTls: false };
  const served = await door.admit({ host: '127.0.0.1', port: 0, rules, environment: {} });
  const proxy = await openProxy({ url: served.url, token: (await readFile(tokens.admin, 'utf8')).trim() });
  return {
    url: proxy.url,
    lines,
    async close() {
      await proxy.close();
      await served.close();
      await door.close();
      engine.kill();
      await rm(stateDir, { recursive: true });
    },
  };
}

/** Plays what the prompt of a run says: sleeps so many seconds, or asks for so many permissions; it stops when it is told to. */
function play({ runs, clock }: Engine, { sessionId, messages }: RunSpec): void {
  const run = runs.get(sessionId);
  const [, verb, amount] = /(sleep|ask) ([\d.]+)/.exec(messages.map(({ text }) => text).join(' ')) ?? [];
  if (!run) return;
  run.say({ kind: 'started', process: { pid: 1, startedAt: 'now' } });
  const asked = verb === 'ask' ? Number(amount) : 0;
  for (let at = 0; at < asked; at += 1) run.say({ kind: 'asks', callId: `call-${at}`, tool: 'Delete', input: { at } });
  const until = clock.now() + (verb === 'sleep' ? Number(amount) * 1000 : 0);
  const look = setInterval(() => {
    const isStopped = run.stops.length > 0;
    if (!isStopped && (clock.now() < until || run.answers.length < asked)) return;
    clearInterval(look);
    run.end(isStopped ? 143 : 0);
  }, 10);
}

/** Adds the token; passes method, path, the other headers and the body on as they came, and the answer back. */
async function openProxy({ url, token }: { readonly url: string; readonly token: string }) {
  const { hostname, port } = new URL(url);
  const server = createServer((incoming, outgoing) => {
    const headers = [...incoming.rawHeaders, 'Authorization', `Bearer ${token}`];
    const passed = httpRequest(
      { hostname, port, method: incoming.method, path: incoming.url, headers, setHost: false },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.rawHeaders);
        answer.pipe(outgoing);
      },
    );
    passed.on('error', () => outgoing.destroy());
    outgoing.on('close', () => passed.destroy());
    incoming.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port: own } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${own}/mcp`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
