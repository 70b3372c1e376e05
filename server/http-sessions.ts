// The sessions of 2025-era MCP clients over HTTP, which outlive the hub that began them.
//
// Such a client (Claude Code up to 2.1.2xx) waits for ever when the hub is killed under a call: it comes back once or twice with the id of
// the last event it saw, and if it is then told 404 it neither repeats the call nor gives it up. So each request is kept on disk before it
// is worked on, and its answer is a stream that begins with an event whose id names it. A hub that is asked to go on after such an event
// makes the session anew from what was kept, does the request again and answers it on the new stream. Doing it again is safe: it carries the
// same request key. A session id is looked up only in the folder of the caller whose token came with it; an unknown one is 404, as the protocol says.
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { callerKey, type HttpCaller } from './http-caller.ts';
import { refusalBody } from './http-guard.ts';
import { ID, KeptRequest } from './http-memory.ts';
import { type HttpSession, openHttpSession, restoredSession, type SessionParts } from './http-session.ts';
import { startTidying, TIDY_MS } from './http-tidying.ts';
import { part } from './messages.ts';
import { withKey } from './request-key.ts';

export interface RememberedSessions {
  handle(request: Request, body: unknown, caller: HttpCaller): Promise<Response>;
  close(): Promise<void>;
}

export interface RememberedSessionsOptions extends SessionParts {
  readonly isActive: (caller: HttpCaller) => boolean;
}

/** Most sessions of one run or guest, and of one client's token, which many clients may share; the oldest one goes. */
const MAX_SESSIONS = 8;
const MAX_CLIENT_SESSIONS = 512;
const Fields = z.record(z.string(), z.unknown()).catch({});

const mostOf = ({ kind }: HttpCaller) => (kind === 'client' ? MAX_CLIENT_SESSIONS : MAX_SESSIONS);

export function createRememberedSessions(options: RememberedSessionsOptions): RememberedSessions {
  const { isActive } = options;
  const sessions = new Map<string, Promise<HttpSession | undefined>>();
  const keyOf = (caller: HttpCaller, id: string) => `${callerKey(caller)}/${id}`;

  /** The session with this id, made anew from what an earlier hub kept where this one does not have it. */
  function find(caller: HttpCaller, id: string): Promise<HttpSession | undefined> {
    const key = keyOf(caller, id);
    const found = sessions.get(key) ?? restoredSession(options, caller, id).catch(() => undefined);
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
    const session = await openHttpSession(options, caller, id, { initialize: Fields.parse(part(body, 'params')), uris: [] });
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
async function take(session: HttpSession, id: string, request: Request, body: unknown): Promise<Response> {
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

async function keepSubscription({ kept, memory }: HttpSession, id: string, { method, params }: KeptRequest): Promise<void> {
  const uri = params?.uri;
  const at = typeof uri === 'string' ? kept.uris.indexOf(uri) : -1;
  if (typeof uri !== 'string' || (method === 'resources/subscribe') === at >= 0) return;
  if (method === 'resources/subscribe') kept.uris.push(uri);
  else if (method === 'resources/unsubscribe') kept.uris.splice(at, 1);
  else return;
  await memory.keepSession(id, kept);
}

function refusal(status: number, message: string, code = -32000): Response {
  return new Response(refusalBody(message, code), { status, headers: { 'content-type': 'application/json' } });
}
