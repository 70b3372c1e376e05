// The HTTP door on loopback, through which runs reach the hub that runs them. A run is given its address and a token when it starts, and
// keeps both for its whole life: so the port and the secret are kept in the state folder, and a hub that comes after a killed one answers
// at the same place. Requests that come before the hub has read its ledger wait.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import path from 'node:path';
import {
  createMcpHandler,
  isLegacyRequest,
  LATEST_PROTOCOL_VERSION,
  type McpServerFactory,
  UnsupportedProtocolVersionError,
} from '@modelcontextprotocol/server';
import { admitted, isShallow, MAX_BODY_BYTES, MCP_PATH, MODERN_REVISION, refusalBody, refuse } from './http-guard.ts';
import { HOST, listenAtKeptPort } from './http-port.ts';
import { createRememberedSessions } from './http-sessions.ts';
import type { Peer } from './mcp.ts';
import { part } from './messages.ts';
import { openRunTokens, type RunIdentity } from './token.ts';
import type { Updates } from './updates.ts';

/** What is behind the door once the hub has read its ledger. */
export interface HttpParts {
  /** Makes the MCP servers of a peer. */
  readonly build: (peer: Peer) => McpServerFactory;
  readonly updates: Updates;
  /** True from the moment the run is being started until it has settled. */
  readonly isActive: (identity: RunIdentity) => boolean;
  /** The environment the session was started with: what it starts gets its values from there. */
  readonly environmentOf: (sessionId: string) => Promise<Readonly<Record<string, string>> | undefined>;
}

/** What a run needs to call us. */
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
  /** From here on requests are answered. */
  serve(parts: HttpParts): void;
  /** Takes no more requests and ends the streams; resolves when the port is free. */
  close(): Promise<void>;
}

export interface HttpOptions {
  readonly stateDir: string;
  readonly log: (line: string) => void;
}

/** Most requests of one run that are open at once, its streams included. */
const MAX_IN_FLIGHT = 64;
/** Longer than agents pause between two calls in a turn, so that a connection is rarely closed under a call that is just being sent. */
const KEEP_ALIVE_MS = 120_000;

/** Opens the door. Fails with STORAGE_FAILED. */
export async function openHttpDoor({ stateDir, log }: HttpOptions): Promise<HttpDoor> {
  const tokens = await openRunTokens(stateDir);
  let open: (parts: Serving) => void = () => {};
  const opened = new Promise<Serving>((resolve) => {
    open = resolve;
  });
  const inFlight = new Map<string, number>();
  let serving: Serving | undefined;
  let isClosing = false;

  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    answer(request, response).catch((error: unknown) => {
      log(`http: ${error instanceof Error ? error.stack : String(error)}`);
      if (response.headersSent) response.destroy();
      else refuse(response, { status: 500, message: 'Something went wrong inside the server.' });
    });
  });
  const port = await listenAtKeptPort(server, path.join(stateDir, 'port'), log);
  const url = `http://${HOST}:${port}${MCP_PATH}`;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (isClosing) return refuse(response, { status: 503, message: 'The hub is leaving.', headers: { connection: 'close' } });
    // whoever has no token of ours is turned away at once, the others wait until it is known which runs are active
    const known = admitted(request, tokens.check);
    if ('status' in known) return refuse(response, known);
    const { isActive, handle } = await opened;
    const identity = admitted(request, (token) => activeOf(tokens.check(token), isActive));
    if ('status' in identity) return refuse(response, identity);
    const key = `${identity.sessionId}/${identity.run}`;
    const open = (inFlight.get(key) ?? 0) + 1;
    if (open > MAX_IN_FLIGHT)
      return refuse(response, {
        status: 429,
        message: `At most ${MAX_IN_FLIGHT} requests of a run may be open at once.`,
        headers: { 'retry-after': '1' },
      });
    inFlight.set(key, open);
    response.once('close', () => {
      const left = (inFlight.get(key) ?? 1) - 1;
      if (left > 0) inFlight.set(key, left);
      else inFlight.delete(key);
    });
    // loaded by the first call of a run: a hub that has none does not wait for it
    const { toNodeHandler } = await import('@modelcontextprotocol/node');
    const answerOne = toNodeHandler(
      { fetch: (web) => handle(web, identity) },
      { maxRequestBodySize: MAX_BODY_BYTES, onerror: (error) => log(`http: ${error.message}`) },
    );
    const { method = 'GET', headers } = request;
    await answerOne({ method, url: MCP_PATH, headers, [Symbol.asyncIterator]: () => request[Symbol.asyncIterator]() }, response);
  }

  return {
    url,
    isReachable: (given) => given === url,
    grant: (identity) => ({ url, token: tokens.issue(identity) }),
    serve(parts) {
      serving = createServing(parts, stateDir, log);
      open(serving);
    },
    async close() {
      isClosing = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await serving?.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

interface Serving {
  readonly isActive: HttpParts['isActive'];
  handle(request: Request, identity: RunIdentity): Promise<Response>;
  close(): Promise<void>;
}

/** Both eras behind one path: the modern one keeps nothing between requests, clients of the older one get a session. */
function createServing(
  { build, updates, isActive, environmentOf }: HttpParts,
  stateDir: string,
  log: (line: string) => void,
): Serving {
  const onerror = (error: Error) => log(`http: ${error.message}`);
  const callers = new WeakMap<Request, RunIdentity>();
  const factoryOf = async (identity: RunIdentity) =>
    build({ kind: 'session', session: identity, environment: (await environmentOf(identity.sessionId)) ?? {} });
  const modern = createMcpHandler(
    async (context) => {
      const identity = context.requestInfo && callers.get(context.requestInfo);
      if (!identity) throw new Error('A request came without its caller.');
      return (await factoryOf(identity))(context);
    },
    {
      legacy: 'reject',
      onerror,
      maxRequestBodySize: MAX_BODY_BYTES,
      bus: {
        publish: () => {},
        subscribe(listener) {
          const ends = [
            updates.subscribe((uri) => listener({ kind: 'resource_updated', uri })),
            updates.subscribePrompts(() => listener({ kind: 'prompts_list_changed' })),
          ];
          return () => {
            for (const end of ends) end();
          };
        },
      },
    },
  );
  const sessions = createRememberedSessions({ stateDir, factoryOf, isActive, onerror });
  return {
    isActive,
    async handle(request, identity) {
      const text = await request.text();
      const body = text === '' ? undefined : parsed(text);
      if (body === INVALID)
        return new Response(refusalBody('The body must be JSON, nested no deeper than what a tool takes.', -32700), {
          status: 400,
          headers: { 'content-type': 'application/json' },
        });
      const bare = new Request(request.url, { method: request.method, headers: request.headers, signal: request.signal });
      if (await isLegacyRequest(bare, body)) return sessions.handle(bare, body, identity);
      if (isBetterServedByOlderEra(body)) return unsupportedEra(body);
      callers.set(bare, identity);
      return modern.fetch(bare, { parsedBody: body });
    },
    async close() {
      await modern.close();
      await sessions.close();
    },
  };
}

/**
 * Claude Code (2.1.330) loses a call in the modern era when the hub is killed under it, and with it the server for a while; in the era before it
 * comes back to the stream and gets its answer. So over HTTP it is told that there is only that one.
 */
function isBetterServedByOlderEra(body: unknown): boolean {
  return part(part(part(part(body, 'params'), '_meta'), 'io.modelcontextprotocol/clientInfo'), 'name') === 'claude-code';
}

function unsupportedEra(body: unknown): Response {
  const { code, message, data } = new UnsupportedProtocolVersionError({
    supported: [LATEST_PROTOCOL_VERSION],
    requested: MODERN_REVISION,
  });
  return Response.json({ jsonrpc: '2.0', id: part(body, 'id') ?? null, error: { code, message, data } }, { status: 400 });
}

const INVALID = Symbol('invalid');

function parsed(text: string): unknown {
  if (!isShallow(text)) return INVALID;
  try {
    return JSON.parse(text);
  } catch {
    return INVALID;
  }
}

function activeOf(identity: RunIdentity | undefined, isActive: HttpParts['isActive']): RunIdentity | undefined {
  return identity && isActive(identity) ? identity : undefined;
}
