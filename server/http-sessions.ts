// The sessions of 2025-era MCP clients over HTTP, which outlive the hub that began them.
//
// Such a client (Claude Code up to 2.1.2xx) waits for ever when the hub is killed under a call: it comes back once or twice with the id of
// the last event it saw, and if it is then told 404 it neither repeats the call nor gives it up. So each request is kept on disk before it
// is worked on, and its answer is a stream that begins with an event whose id names it. A hub that is asked to go on after such an event
// makes the session anew from what was kept, does the request again and answers it on the new stream. Doing it again is safe: it carries the
// same request key. A session id is looked up only in the folder of the run whose token came with it; an unknown one is 404, as the protocol says.
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { type EventStore, type McpServerFactory, WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { refusalBody } from './http-guard.ts';
import { createRunMemory, ID, KeptRequest, type KeptSession, type RunMemory } from './http-memory.ts';
import { part } from './messages.ts';
import type { RunIdentity } from './token.ts';

export interface RememberedSessions {
  handle(request: Request, body: unknown, identity: RunIdentity): Promise<Response>;
  close(): Promise<void>;
}

export interface RememberedSessionsOptions {
  readonly stateDir: string;
  readonly factoryOf: (identity: RunIdentity) => Promise<McpServerFactory>;
  readonly isActive: (identity: RunIdentity) => boolean;
  readonly onerror: (error: Error) => void;
}

/** When a client comes back to a stream that broke off: long enough for a keeper to have the next hub up, because clients try only twice. */
const RETRY_MS = 3000;
/** How long an answered request is kept, in case its answer was lost with the connection. */
const KEEP_ANSWERED_MS = 30_000;
/** Most sessions of one run; the oldest one goes. */
const MAX_SESSIONS = 8;
const STREAM = 'text/event-stream';
const Fields = z.record(z.string(), z.unknown()).catch({});

interface Session {
  readonly identity: RunIdentity;
  readonly memory: RunMemory;
  readonly kept: KeptSession;
  /** Works on a message; with a call id its answer is a stream that names it. */
  post(message: unknown, headers: Headers, callId?: string): Promise<Response>;
  /** Everything that is not a message. */
  pass(request: Request): Promise<Response>;
  close(): Promise<void>;
}

export function createRememberedSessions(options: RememberedSessionsOptions): RememberedSessions {
  const { isActive } = options;
  const sessions = new Map<string, Promise<Session | undefined>>();
  const keyOf = ({ sessionId, run }: RunIdentity, id: string) => `${sessionId}/${run}/${id}`;

  /** The session with this id, made anew from what an earlier hub kept where this one does not have it. */
  function find(identity: RunIdentity, id: string): Promise<Session | undefined> {
    const key = keyOf(identity, id);
    const found = sessions.get(key) ?? restore(options, identity, id).catch(() => undefined);
    sessions.set(key, found);
    void found.then((session) => session ?? sessions.delete(key));
    return found;
  }

  async function begin(identity: RunIdentity, request: Request, body: unknown): Promise<Response> {
    await makeRoom(identity);
    const id = randomUUID();
    const session = await openSession(options, identity, id, { initialize: Fields.parse(part(body, 'params')), uris: [] });
    const response = await session.post(body, request.headers);
    if (!response.ok) {
      await session.close();
      return response;
    }
    await session.memory.keepSession(id, session.kept);
    sessions.set(keyOf(identity, id), Promise.resolve(session));
    return response;
  }

  /** Closes the sessions of ended runs, and the oldest of this one when it has too many. */
  async function makeRoom(identity: RunIdentity): Promise<void> {
    const own: string[] = [];
    for (const [key, found] of sessions) {
      const session = await found;
      if (session && !isActive(session.identity)) await end(key);
      else if (key.startsWith(keyOf(identity, ''))) own.push(key);
    }
    const [oldest] = own;
    if (oldest !== undefined && own.length >= MAX_SESSIONS) await end(oldest);
  }

  async function end(key: string): Promise<void> {
    const found = sessions.get(key);
    sessions.delete(key);
    await (await found)?.close();
  }

  return {
    async handle(request, body, identity) {
      const id = request.headers.get('mcp-session-id');
      if (id === null) {
        if (part(body, 'method') === 'initialize') return begin(identity, request, body);
        return refusal(400, 'Bad Request: Mcp-Session-Id header is required');
      }
      const session = ID.test(id) ? await find(identity, id) : undefined;
      if (!session) return refusal(404, 'Session not found', -32001);
      if (request.method === 'POST') return take(session, id, request, body);
      if (request.method === 'DELETE') {
        const response = await session.pass(request);
        if (response.ok) {
          sessions.delete(keyOf(identity, id));
          await session.memory.dropSession(id);
        }
        return response;
      }
      const callId = request.headers.get('last-event-id')?.split('_')[0] ?? '';
      const unanswered = ID.test(callId) ? await session.memory.request(id, callId) : undefined;
      return unanswered ? session.post(unanswered, request.headers, callId) : session.pass(request);
    },
    async close() {
      for (const key of [...sessions.keys()]) await end(key);
    },
  };
}

/** Works on a message a client sent; a request is kept until it is answered, and a subscription for good. */
async function take(session: Session, id: string, request: Request, body: unknown): Promise<Response> {
  const message = KeptRequest.safeParse(body).data;
  if (!message) return session.post(body, request.headers);
  const callId = randomUUID();
  const keyed = message.method === 'tools/call' ? withKey(message, callId) : message;
  await session.memory.keepRequest(id, callId, keyed);
  await keepSubscription(session, id, message);
  return session.post(keyed, request.headers, callId);
}

/** A call that may be done twice needs a key that says it is the same one. */
function withKey(message: KeptRequest, callId: string): KeptRequest {
  const meta = Fields.parse(message.params?._meta);
  return { ...message, params: { ...message.params, _meta: { 'scopecraft/requestKey': callId, ...meta } } };
}

async function keepSubscription({ kept, memory }: Session, id: string, { method, params }: KeptRequest): Promise<void> {
  const uri = params?.uri;
  const at = typeof uri === 'string' ? kept.uris.indexOf(uri) : -1;
  if (typeof uri !== 'string' || (method === 'resources/subscribe') === at >= 0) return;
  if (method === 'resources/subscribe') kept.uris.push(uri);
  else if (method === 'resources/unsubscribe') kept.uris.splice(at, 1);
  else return;
  await memory.keepSession(id, kept);
}

async function openSession(
  { stateDir, factoryOf, onerror }: RememberedSessionsOptions,
  identity: RunIdentity,
  id: string,
  kept: KeptSession,
): Promise<Session> {
  const memory = createRunMemory(stateDir, identity);
  const calls = new AsyncLocalStorage<string>();
  let events = 0;
  const eventStore: EventStore = {
    async storeEvent(_stream, message) {
      const callId = calls.getStore();
      if (callId !== undefined && ('result' in message || 'error' in message)) {
        setTimeout(() => void memory.dropRequest(id, callId).catch(() => undefined), KEEP_ANSWERED_MS).unref();
      }
      return `${callId ?? ''}_${++events}`;
    },
    // never asked: what was not answered is done again
    replayEventsAfter: async () => '',
  };
  const transport = new WebStandardStreamableHTTPServerTransport({
    sessionIdGenerator: () => id,
    eventStore,
    retryInterval: RETRY_MS,
  });
  const server = await (await factoryOf(identity))({ era: 'legacy' });
  await server.connect(transport);
  transport.onerror = onerror;
  return {
    identity,
    memory,
    kept,
    post(message, given, callId) {
      const headers = new Headers(given);
      headers.set('content-type', 'application/json');
      headers.set('accept', `application/json, ${STREAM}`);
      headers.delete('last-event-id');
      const deed = () =>
        transport.handleRequest(new Request('http://127.0.0.1/mcp', { method: 'POST', headers }), { parsedBody: message });
      return callId === undefined ? deed() : calls.run(callId, deed);
    },
    pass(request) {
      const headers = new Headers(request.headers);
      headers.delete('last-event-id');
      return transport.handleRequest(new Request(request.url, { method: request.method, headers }));
    },
    close: () => server.close(),
  };
}

/** The session an earlier hub kept, brought to where its client believes it is; undefined when nothing was kept. */
async function restore(options: RememberedSessionsOptions, identity: RunIdentity, id: string): Promise<Session | undefined> {
  const kept = await createRunMemory(options.stateDir, identity).session(id);
  if (!kept) return undefined;
  const session = await openSession(options, identity, id, kept);
  const headers = new Headers({ 'mcp-session-id': id });
  const replay = async (method: string, params: object, at?: number) => {
    const response = await session.post(
      { jsonrpc: '2.0', ...(at !== undefined && { id: `replay-${at}` }), method, params },
      headers,
    );
    await response.text();
  };
  await replay('initialize', kept.initialize, 0);
  await replay('notifications/initialized', {});
  for (const [at, uri] of kept.uris.entries()) await replay('resources/subscribe', { uri }, at + 1);
  return session;
}

function refusal(status: number, message: string, code = -32000): Response {
  return new Response(refusalBody(message, code), { status, headers: { 'content-type': 'application/json' } });
}
