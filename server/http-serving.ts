// MCP over HTTP, both eras behind one path: the modern one keeps nothing between requests, clients of the older one get a session.
import {
  createMcpHandler,
  isLegacyRequest,
  LATEST_PROTOCOL_VERSION,
  type McpServerFactory,
  UnsupportedProtocolVersionError,
} from '@modelcontextprotocol/server';
import type { HttpCaller } from './http-caller.ts';
import { MAX_BODY_BYTES, MODERN_REVISION } from './http-guard.ts';
import { MAX_URIS } from './http-limits.ts';
import { createRememberedSessions } from './http-sessions.ts';
import { part, urisOf } from './messages.ts';
import { taskListeningProblem } from './task-listening.ts';
import { INVALID_PARAMS } from './teaching.ts';
import type { Updates } from './updates.ts';

export interface ServingOptions {
  readonly stateDir: string;
  /** Makes the MCP servers of a caller. */
  readonly factoryOf: (caller: HttpCaller) => Promise<McpServerFactory>;
  /** Fails where the caller may not read this resource. */
  readonly expectReadable: (caller: HttpCaller, uri: string) => Promise<void>;
  readonly isActive: (caller: HttpCaller) => boolean;
  readonly updates: Updates;
  readonly onerror: (error: Error) => void;
}

export interface Serving {
  handle(request: Request, body: unknown, caller: HttpCaller): Promise<Response>;
  close(): Promise<void>;
}

export function createServing(options: ServingOptions): Serving {
  const { stateDir, factoryOf, expectReadable, isActive, updates, onerror } = options;
  const callers = new WeakMap<Request, HttpCaller>();
  const modern = createMcpHandler(
    async (context) => {
      const caller = context.requestInfo && callers.get(context.requestInfo);
      if (!caller) throw new Error('A request came without its caller.');
      return (await factoryOf(caller))(context);
    },
    {
      legacy: 'reject',
      onerror,
      maxRequestBodySize: MAX_BODY_BYTES,
      // each token is held to its own
      maxSubscriptions: Number.POSITIVE_INFINITY,
      bus: {
        publish: () => {},
        subscribe(listener) {
          const ends = [
            updates.subscribe((uri) => listener({ kind: 'resource_updated', uri })),
            updates.subscribeLists((list) => listener({ kind: `${list}_list_changed` })),
          ];
          return () => ends.forEach((end) => void end());
        },
      },
    },
  );
  const sessions = createRememberedSessions({ stateDir, factoryOf, isActive, onerror });
  return {
    async handle(request, body, caller) {
      if (await isLegacyRequest(request, body)) return sessions.handle(request, body, caller);
      if (isBetterServedByOlderEra(body)) return unsupportedEra(body);
      const wished = wishOf(body, caller);
      if (part(wished, 'method') === 'subscriptions/listen') {
        const problem = await unheard(wished, (uri) => expectReadable(caller, uri));
        if (problem) return problem;
      }
      callers.set(request, caller);
      return modern.fetch(request, { parsedBody: wished });
    },
    async close() {
      await modern.close();
      await sessions.close();
    },
  };
}

/** What a request asks for. A run or a guest is not told when the list of all sessions grows: it sees its own alone. */
function wishOf(body: unknown, { kind }: HttpCaller): unknown {
  const params = part(body, 'params');
  const notifications = part(params, 'notifications');
  if (kind === 'client' || part(notifications, 'resourcesListChanged') !== true) return body;
  return {
    ...copyOf(body),
    params: { ...copyOf(params), notifications: { ...copyOf(notifications), resourcesListChanged: false } },
  };
}

function copyOf(value: unknown): object {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

/** Why somebody may not listen to what a request names: every listener hears of every change of what it named. */
async function unheard(body: unknown, expectReadable: (uri: string) => Promise<void>): Promise<Response | undefined> {
  const taskProblem = taskListeningProblem(body);
  if (taskProblem) return Response.json({ jsonrpc: '2.0', id: part(body, 'id') ?? null, error: taskProblem }, { status: 400 });
  const uris = typeof body === 'object' && body !== null ? urisOf(body) : [];
  const refusal = (message: string, data?: unknown) =>
    Response.json(
      { jsonrpc: '2.0', id: part(body, 'id') ?? null, error: { code: INVALID_PARAMS, message, data } },
      { status: 400 },
    );
  if (uris.length > MAX_URIS) return refusal(`A subscription may name at most ${MAX_URIS} resources.`);
  for (const uri of uris) {
    try {
      await expectReadable(uri);
    } catch (error) {
      return refusal(error instanceof Error ? error.message : 'This cannot be read.', part(error, 'data'));
    }
  }
  return undefined;
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
