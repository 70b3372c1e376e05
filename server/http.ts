// The HTTP door. It always listens on loopback, because runs that do not call on their output reach the hub that runs them through it: such a run is
// given its address and a token when it starts, and keeps both for its whole life. So the port and the secret are kept in the state folder, and a hub
// that comes after a killed one answers at the same place. Clients with a token of their own are let in while somebody serves (`sc serve`, or
// `server.http`), also at further addresses. Requests that come before the hub has read its ledger wait.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import path from 'node:path';
import type { McpServerFactory } from '@modelcontextprotocol/server';
import type { Share } from '../core/access.ts';
import type { Config } from '../core/config.ts';
import { fail } from '../core/errors.ts';
import { createClientTokens } from './client-tokens.ts';
import { addressProblem, type ServedAddress } from './http-address.ts';
import { bodyOf, refused } from './http-body.ts';
import { callerKey, type HttpCaller, peerOfCaller } from './http-caller.ts';
import {
  type AddressRules,
  HEALTH_PATH,
  healthy,
  LOCAL,
  MAX_BODY_BYTES,
  MCP_PATH,
  misaddressed,
  refuse,
  tokenOf,
} from './http-guard.ts';
import { createIdentity } from './http-identity.ts';
import { createGate, limitsOf } from './http-limits.ts';
import { closedListener, HOST, listenAt, listenAtKeptPort } from './http-port.ts';
import { createServing, type Serving } from './http-serving.ts';
import { watchHttp } from './http-watch.ts';
import type { Peer } from './peer.ts';
import { openRunTokens, type RunIdentity, type ShareIdentity } from './token.ts';
import type { Updates } from './updates.ts';

/** What is behind the door once the hub has read its ledger. */
export interface HttpParts {
  /** Makes the MCP servers of a peer. */
  readonly build: (peer: Peer) => McpServerFactory;
  /** Fails where a peer may not read this resource. */
  readonly expectReadable: (peer: Peer, uri: string) => Promise<void>;
  readonly updates: Updates;
  /** True from the moment the run is being started until it has settled. */
  readonly isActive: (identity: RunIdentity) => boolean;
  readonly share: (identity: ShareIdentity) => Share | undefined;
  /** The environment the session was started with: what it starts gets its values from there. */
  readonly environmentOf: (sessionId: string) => Promise<Readonly<Record<string, string>> | undefined>;
  readonly settings: () => Config['server']['http'];
}

/** What a run, or a guest, needs to call us. */
export interface RunAccess {
  readonly url: string;
  readonly token: string;
}

export interface HttpDoor {
  /** The address for runs that start now. */
  readonly url: string;
  /** False for an address at which an earlier hub listened and this one could not, because something else has its port. */
  isReachable(url: string): boolean;
  grant(identity: RunIdentity): RunAccess;
  grantShare(identity: ShareIdentity): RunAccess;
  /** From here on requests are answered. */
  serve(parts: HttpParts): void;
  /** Lets clients in at this address until it is closed. Fails with CONFIG_INVALID or HUB_UNREACHABLE. */
  admit(address: ServedAddress): Promise<{ readonly url: string; close(): Promise<void> }>;
  /** True while an answer is a stream or a call is under way. */
  isBusy(): boolean;
  /** Takes no more requests and ends the streams; resolves when the port is free. */
  close(): Promise<void>;
}

export interface HttpOptions {
  readonly stateDir: string;
  readonly log: (line: string) => void;
  /** Longest time that an answer may wait to be read. */
  readonly stalledMs?: number;
}

/** Longer than agents pause between two calls in a turn, so that a connection is rarely closed under a call that is just being sent. */
const KEEP_ALIVE_MS = 120_000;
/** So long a client may take to send the head of a request, and all of it. */
const HEAD_MS = 10_000;
const REQUEST_MS = 60_000;
const CHECK_MS = 2_000;
const STALLED_MS = 30_000;
/** So many connections more than are served are taken, and told so; those beyond are closed without a word. */
const MORE_CONNECTIONS = 64;

/** Opens the door. Fails with STORAGE_FAILED. */
export async function openHttpDoor({ stateDir, log, stalledMs = STALLED_MS }: HttpOptions): Promise<HttpDoor> {
  const tokens = await openRunTokens(stateDir);
  let open: (parts: Behind) => void = () => {};
  const opened = new Promise<Behind>((resolve) => {
    open = resolve;
  });
  let behind: Behind | undefined;
  let isClosing = false;
  const gate = createGate(() => performance.now());
  const watch = watchHttp(stalledMs, () => (behind?.parts.settings().maxConnections ?? 0) + MORE_CONNECTIONS);
  const served = new Set<ServedAddress>();
  const identity = createIdentity({ tokens, clientTokens: createClientTokens(stateDir), isServed: () => served.size > 0, log });

  const serverWith = (rules: AddressRules): Server => {
    const server = createServer(
      {
        keepAliveTimeout: KEEP_ALIVE_MS,
        headersTimeout: HEAD_MS,
        requestTimeout: REQUEST_MS,
        connectionsCheckingInterval: CHECK_MS,
      },
      (request, response) => {
        answer(request, response, rules).catch((error: unknown) => {
          log(`http: ${error instanceof Error ? error.stack : String(error)}`);
          if (response.headersSent) response.destroy();
          else refuse(response, { status: 500, message: 'Something went wrong inside the server.' });
        });
      },
    );
    server.on('connection', watch.addConnection);
    return server;
  };
  const main = serverWith(LOCAL);
  const port = await listenAtKeptPort(main, path.join(stateDir, 'port'), log);
  const url = `http://${HOST}:${port}${MCP_PATH}`;

  async function answer(request: IncomingMessage, response: ServerResponse, rules: AddressRules): Promise<void> {
    if (isClosing) return refuse(response, { status: 503, message: 'The hub is leaving.', headers: { connection: 'close' } });
    const misplaced = misaddressed(request, rules);
    if (misplaced) return refuse(response, misplaced);
    if (request.url === HEALTH_PATH) return healthy(request, response, behind !== undefined);
    const found = tokenOf(request);
    if ('status' in found) return refuse(response, found);
    // whoever has no token of ours is turned away at once, the others wait until it is known who is active
    const known = await identity.claimed(found.token);
    if ('status' in known) return refuse(response, known);
    const now = await opened;
    const caller = identity.current(known, now.parts);
    if ('status' in caller) return refuse(response, caller);
    const most = now.parts.settings().maxConnections;
    if (watch.connections() > most)
      return refuse(response, {
        status: 503,
        message: `At most ${most} connections are served at once.`,
        headers: { 'retry-after': '1', connection: 'close' },
      });
    watch.add(response, async () => {
      const again = await identity.claimed(found.token);
      return !('status' in again) && (again.kind === 'run' || !('status' in identity.current(again, now.parts)));
    });
    // loaded by the first call: a hub that has none does not wait for it
    const { toNodeHandler } = await import('@modelcontextprotocol/node');
    const answerOne = toNodeHandler(
      { fetch: (web) => handle(web, caller, now, response) },
      { maxRequestBodySize: MAX_BODY_BYTES, onerror: (error) => log(`http: ${error.message}`) },
    );
    const { method = 'GET', headers } = request;
    await answerOne({ method, url: MCP_PATH, headers, [Symbol.asyncIterator]: () => request[Symbol.asyncIterator]() }, response);
  }

  async function handle(
    request: Request,
    caller: HttpCaller,
    { parts, serving }: Behind,
    response: ServerResponse,
  ): Promise<Response> {
    const read = await bodyOf(request);
    if ('refused' in read) return read.refused;
    const { body, weight } = read;
    const leave = gate.enter(callerKey(caller), weight, limitsOf(caller, parts.settings()));
    if (typeof leave !== 'function') return refused(leave);
    if (response.destroyed) leave();
    else response.once('close', leave);
    const bare = new Request(request.url, { method: request.method, headers: request.headers, signal: request.signal });
    return serving.handle(bare, body, caller);
  }

  const environmentFor = async (caller: HttpCaller, parts: HttpParts) =>
    (caller.kind === 'run' ? await parts.environmentOf(caller.sessionId) : [...served].at(-1)?.environment) ?? {};

  return {
    url,
    isReachable: (given) => given === url,
    grant: (identity) => ({ url, token: tokens.issue(identity) }),
    grantShare: (identity) => ({ url, token: tokens.issueShare(identity) }),
    serve(parts) {
      const peerOf = async (caller: HttpCaller): Promise<Peer> => ({
        ...peerOfCaller(caller),
        environment: await environmentFor(caller, parts),
      });
      const serving = createServing({
        stateDir,
        factoryOf: async (caller) => parts.build(await peerOf(caller)),
        expectReadable: async (caller, uri) => parts.expectReadable(await peerOf(caller), uri),
        isActive: (caller) => !('status' in identity.current(caller, parts)),
        updates: parts.updates,
        onerror: (error: Error) => log(`http: ${error.message}`),
      });
      behind = { parts, serving };
      open(behind);
    },
    async admit(address) {
      const { host, rules } = address;
      const problem = addressProblem(address);
      if (problem !== undefined) fail('CONFIG_INVALID', problem);
      const isMain =
        host === HOST &&
        [0, port].includes(address.port) &&
        rules.hosts.length + rules.origins.length === 0 &&
        !rules.isBehindTls;
      const server = isMain ? undefined : serverWith(rules);
      const bound = server ? await listenAt(server, host, address.port) : port;
      served.add(address);
      return {
        url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}${MCP_PATH}`,
        async close() {
          served.delete(address);
          if (server) await closedListener(server);
        },
      };
    },
    isBusy: () => watch.answers() > 0,
    async close() {
      isClosing = true;
      const closed = closedListener(main, behind?.serving.close());
      await closed;
      watch.close();
    },
  };
}

interface Behind {
  readonly parts: HttpParts;
  readonly serving: Serving;
}
