// The sessions of 2025-era MCP clients over HTTP, which outlive the hub that began them.
//
// Such a client (Claude Code up to 2.1.2xx) waits for ever when the hub is killed under a call: it comes back once or twice with the id of
// the last event it saw, and if it is then told 404 it neither repeats the call nor gives it up. So each request is kept on disk before it
// is worked on, and its answer is a stream that begins with an event whose id names it. A hub that is asked to go on after such an event
// makes the session anew from what was kept, does the request again and answers it on the new stream. Doing it again is safe: it carries the
// same request key. A session id is looked up only in the folder of the caller whose token came with it; an unknown one is 404, as the protocol says.
import { randomUUID } from 'node:crypto';
import { type EventStore, type McpServerFactory, WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { callerKey, type HttpCaller, memoryFolder } from './http-caller.ts';
import { refusalBody } from './http-guard.ts';
import { type CallMemory, createCallMemory, ID, KeptRequest, type KeptSession } from './http-memory.ts';
import { startTidying, TIDY_MS } from './http-tidying.ts';
import { part } from './messages.ts';
import { asCall, callEnded, currentCall } from './open-calls.ts';

export interface RememberedSessions {
  handle(request: Request, body: unknown, caller: HttpCaller): Promise<Response>;
  close(): Promise<void>;
}

export interface RememberedSessionsOptions {
  readonly stateDir: string;
  readonly factoryOf: (caller: HttpCaller) => Promise<McpServerFactory>;
  readonly isActive: (caller: HttpCaller) => boolean;
  readonly onerror: (error: Error) => void;
}

/** When a client comes back to a stream that broke off: long enough for a keeper to have the next hub up, because clients try only twice. */
const RETRY_MS = 3000;
/** How long an answered request is kept, in case its answer was lost with the connection. */
const KEEP_ANSWERED_MS = 30_000;
/** Most sessions of one run or guest, and of one client's token, which many clients may share; the oldest one goes. */
const MAX_SESSIONS = 8;
const MAX_CLIENT_SESSIONS = 512;
const STREAM = 'text/event-stream';
/** What ends the stream of a call that was cancelled; its client waits for nothing any more. */
const CANCELLED = { code: -32000, message: 'The call was cancelled.' };
const Fields = z.record(z.string(), z.unknown()).catch({});

const mostOf = ({ kind }: HttpCaller) => (kind === 'client' ? MAX_CLIENT_SESSIONS : MAX_SESSIONS);

interface Session {
  readonly caller: HttpCaller;
  /** When it was last said on disk that it is in use. */
  touchedAt: number;
  readonly memory: CallMemory;
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
  const keyOf = (caller: HttpCaller, id: string) => `${callerKey(caller)}/${id}`;

  /** The session with this id, made anew from what an earlier hub kept where this one does not have it. */
  function find(caller: HttpCaller, id: string): Promise<Session | undefined> {
    const key = keyOf(caller, id);
    const found = sessions.get(key) ?? restore(options, caller, id).catch(() => undefined);
    sessions.set(key, found);
    void found.then((session) => session ?? sessions.delete(key));
    return found;
  }

  const tidying = startTidying({
    stateDir: options.stateDir,
    mostOf,
    inUse(caller) {
      const key = keyOf(caller, '');
      return new Set([...sessions.keys()].filter((one) => one.startsWith(key)).map((one) => one.slice(key.length)));
    },
    onerror: options.onerror,
  });

  async function begin(caller: HttpCaller, request: Request, body: unknown): Promise<Response> {
    await makeRoom(caller);
    const id = randomUUID();
    const session = await openSession(options, caller, id, { initialize: Fields.parse(part(body, 'params')), uris: [] });
    const response = await session.post(body, request.headers);
    if (!response.ok) {
      await session.close();
      return response;
    }
    sessions.set(keyOf(caller, id), Promise.resolve(session));
    await session.memory.keepSession(id, session.kept);
    void tidying.tidy(caller);
    return response;
  }

  /** Closes the sessions of callers whose token is good no more, and the oldest of this one when it has too many. */
  async function makeRoom(caller: HttpCaller): Promise<void> {
    const own: string[] = [];
    for (const [key, found] of sessions) {
      const session = await found;
      // a client may be served again, a run or a share that is over does not come back
      if (session && !isActive(session.caller)) await end(key, session.caller.kind !== 'client');
      else if (key.startsWith(keyOf(caller, ''))) own.push(key);
    }
    const [oldest] = own;
    if (oldest !== undefined && own.length >= mostOf(caller)) await end(oldest, true);
  }

  async function end(key: string, isForGood: boolean): Promise<void> {
    const found = sessions.get(key);
    sessions.delete(key);
    const session = await found;
    await session?.close();
    if (isForGood) await session?.memory.dropSession(key.split('/').at(-1) ?? '');
  }

  return {
    async handle(request, body, caller) {
      const id = request.headers.get('mcp-session-id');
      if (id === null) {
        if (part(body, 'method') === 'initialize') return begin(caller, request, body);
        return refusal(400, 'Bad Request: Mcp-Session-Id header is required');
      }
      const session = ID.test(id) ? await find(caller, id) : undefined;
      if (!session) return refusal(404, 'Session not found', -32001);
      if (request.method === 'POST') return take(session, id, request, body);
      if (request.method === 'DELETE') {
        const response = await session.pass(request);
        if (response.ok) {
          sessions.delete(keyOf(caller, id));
          await session.memory.dropSession(id);
        }
        return response;
      }
      const callId = request.headers.get('last-event-id')?.split('_')[0] ?? '';
      const unanswered = ID.test(callId) ? await session.memory.request(id, callId) : undefined;
      return unanswered ? session.post(unanswered, request.headers, callId) : session.pass(request);
    },
    async close() {
      tidying.close();
      for (const key of [...sessions.keys()]) await end(key, false);
    },
  };
}

/** Works on a message a client sent; a request is kept until it is answered, and a subscription for good. */
async function take(session: Session, id: string, request: Request, body: unknown): Promise<Response> {
  const message = KeptRequest.safeParse(body).data;
  if (Date.now() - session.touchedAt > TIDY_MS) {
    session.touchedAt = Date.now();
    await session.memory.touchSession(id);
  }
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
  caller: HttpCaller,
  id: string,
  kept: KeptSession,
): Promise<Session> {
  const memory = createCallMemory(memoryFolder(stateDir, caller));
  /** Calls that are worked on, and the numbers their client gave them. */
  const open = new Map<string, KeptRequest['id']>();
  const end = (callId: string) => {
    open.delete(callId);
    callEnded(callId);
  };
  const drop = (callId: string) => void memory.dropRequest(id, callId).catch(() => undefined);
  /** Nobody is answered: neither now, nor by the next hub. */
  const giveUp = (callId: string) => {
    end(callId);
    drop(callId);
  };
  let events = 0;
  const eventStore: EventStore = {
    async storeEvent(stream, message) {
      // the stream beside the calls has another name; what is told there may come of any call, and is no answer to it
      const callId = ID.test(stream) ? currentCall() : undefined;
      if (callId !== undefined && ('result' in message || 'error' in message)) {
        end(callId);
        setTimeout(() => drop(callId), KEEP_ANSWERED_MS).unref();
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
  const server = await (await factoryOf(caller))({ era: 'legacy' });
  await server.connect(transport);
  transport.onerror = onerror;
  /** The SDK leaves the stream of a cancelled call open for good, and a client that sees one end without an answer comes back for it. */
  const endCancelled = async (cancelled: unknown) => {
    for (const [callId, number] of open) {
      if (number !== cancelled) continue;
      giveUp(callId);
      await transport.send({ jsonrpc: '2.0', id: number, error: CANCELLED }).catch(() => undefined);
    }
  };
  const closed = transport.onclose;
  transport.onclose = () => {
    closed?.();
    for (const callId of open.keys()) end(callId);
  };
  return {
    caller,
    touchedAt: Date.now(),
    memory,
    kept,
    async post(message, given, callId) {
      const headers = new Headers(given);
      headers.set('content-type', 'application/json');
      headers.set('accept', `application/json, ${STREAM}`);
      headers.delete('last-event-id');
      const deed = () =>
        transport.handleRequest(new Request('http://127.0.0.1/mcp', { method: 'POST', headers }), { parsedBody: message });
      if (callId !== undefined) {
        open.set(callId, KeptRequest.parse(message).id);
        const response = await asCall(callId, deed);
        if (!response.ok) giveUp(callId);
        return response;
      }
      const response = await deed();
      if (part(message, 'method') === 'notifications/cancelled') await endCancelled(part(part(message, 'params'), 'requestId'));
      return response;
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
async function restore(options: RememberedSessionsOptions, caller: HttpCaller, id: string): Promise<Session | undefined> {
  const kept = await createCallMemory(memoryFolder(options.stateDir, caller)).session(id);
  if (!kept) return undefined;
  const session = await openSession(options, caller, id, kept);
  await session.memory.touchSession(id);
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
