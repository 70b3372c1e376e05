// One session of a 2025-era MCP client over HTTP: the SDK's transport and server, and what is kept on disk about its calls.
import { type EventStore, type McpServerFactory, WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/server';
import { type HttpCaller, memoryFolder } from './http-caller.ts';
import { type CallMemory, createCallMemory, ID, KeptRequest, type KeptSession } from './http-memory.ts';
import { CANCELLED } from './json-rpc.ts';
import { part } from './messages.ts';
import { asCall, callEnded, currentCall } from './open-calls.ts';

export interface SessionParts {
  readonly stateDir: string;
  readonly factoryOf: (caller: HttpCaller) => Promise<McpServerFactory>;
  readonly onerror: (error: Error) => void;
}

export interface HttpSession {
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

/** When a client comes back to a stream that broke off: long enough for a keeper to have the next hub up, because clients try only twice. */
const RETRY_MS = 3000;
/** How long an answered request is kept, in case its answer was lost with the connection. */
const KEEP_ANSWERED_MS = 30_000;
const STREAM = 'text/event-stream';

/** A session under this id, new or with what was kept of it. */
export async function openHttpSession(
  { stateDir, factoryOf, onerror }: SessionParts,
  caller: HttpCaller,
  id: string,
  kept: KeptSession,
): Promise<HttpSession> {
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
export async function restoredSession(options: SessionParts, caller: HttpCaller, id: string): Promise<HttpSession | undefined> {
  const kept = await createCallMemory(memoryFolder(options.stateDir, caller)).session(id);
  if (!kept) return undefined;
  const session = await openHttpSession(options, caller, id, kept);
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
