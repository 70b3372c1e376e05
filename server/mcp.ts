// Speaks MCP for the orchestrator: lists and calls tools, lists and reads resources, and turns every failure into an answer that teaches.
// One instance per connection, both protocol eras from the same handlers, all state behind it.

import { randomBytes } from 'node:crypto';
import { type McpRequestContext, ProtocolError, Server } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { errorView, fail, nearest, ScopecraftError } from '../core/errors.ts';
import type { Orchestrator } from '../core/orchestrator.ts';
import type { Caller } from '../core/start.ts';
import { logUri, sessionUri } from '../core/views.ts';
import { type Resource, variablesOf } from '../resources/define.ts';
import { RESOURCES } from '../resources/index.ts';
import { ALIASES } from '../tools/aliases.ts';
import { EFFECTS, type Tool, type ToolContext } from '../tools/define.ts';
import { TOOLS, toolNamed } from '../tools/index.ts';
import { pageOf } from '../tools/page.ts';
import { INSTRUCTIONS } from './instructions.ts';
import type { RunIdentity } from './token.ts';
import type { Updates } from './updates.ts';

export interface McpParts {
  /** Undefined where there is no workspace: then tools are listed and every call answers WORKSPACE_MISSING. */
  readonly orchestrator: Orchestrator | undefined;
  readonly updates: Updates | undefined;
  readonly version: string;
  /** Which tools are listed, and whether the old names are. */
  readonly listed: { readonly toolsets: readonly string[]; readonly legacy: boolean };
  /** Told of unexpected failures, with the id that the caller sees. */
  readonly log: (line: string) => void;
}

/** Who is at the other end, and the environment values that came with the connection. */
export interface Peer {
  readonly kind: 'door' | 'cli' | 'session';
  readonly environment: Readonly<Record<string, string>>;
  /** With `session`: the run whose token the caller has. */
  readonly session?: RunIdentity;
}

/** What a run may do: put others to work, and read. */
const SESSION_TOOLS: readonly string[] = [
  'session_start',
  'session_wait',
  'session_get',
  'session_logs',
  'session_list',
  'session_cancel',
  'queue_status',
  'task_list',
];

const FIVE_MINUTES = { ttlMs: 300_000, cacheScope: 'public' } as const;
const FINISHED_TTL_MS = 86_400_000;
const RESOURCES_PER_PAGE = 50;
const INVALID_PARAMS = -32602;

const Meta = z
  .looseObject({ 'claudecode/toolUseId': z.string().optional(), 'scopecraft/requestKey': z.string().optional() })
  .catch({});
const Envelope = z
  .looseObject({
    'io.modelcontextprotocol/clientInfo': z.looseObject({ name: z.string(), version: z.string().optional() }).optional(),
  })
  .catch({});

/** Builds the MCP server of one connection. Closing it is the caller's. */
export function createMcpFactory(parts: McpParts): (peer: Peer) => (context: McpRequestContext) => Server {
  let made: ReturnType<typeof listing> | undefined;
  // when first asked for: the first answer of a new hub need not wait for the schemas
  const tools = () => {
    made ??= listing(parts.listed);
    return made;
  };
  return (peer) => (context) => buildServer(parts, peer, context, tools);
}

function buildServer(
  parts: McpParts,
  peer: Peer,
  { era, requestInfo }: McpRequestContext,
  tools: () => ReturnType<typeof listing>,
): Server {
  const { orchestrator, updates, version } = parts;
  const server = new Server(
    { name: 'scopecraft', title: 'Scopecraft Orchestrator', version },
    {
      capabilities: { tools: { listChanged: true }, resources: { listChanged: true, subscribe: true } },
      instructions: INSTRUCTIONS,
      cacheHints: { 'server/discover': FIVE_MINUTES, 'tools/list': FIVE_MINUTES, 'resources/templates/list': FIVE_MINUTES },
    },
  );
  const subscribed = new Set<string>();
  // a modern server over HTTP lives for one request; who listens there is told by the HTTP door
  const isBrief = era === 'modern' && requestInfo !== undefined;
  const unsubscribe = (isBrief ? undefined : updates)?.subscribe((uri) => {
    if (era === 'modern' || subscribed.has(uri)) server.sendResourceUpdated({ uri }).catch(() => undefined);
  });
  server.onclose = () => unsubscribe?.();

  server.setRequestHandler('tools/list', () => ({ tools: tools().filter(({ name }) => mayCall(peer, name)) }));
  server.setRequestHandler('tools/call', async ({ params }, { mcpReq }) => {
    const meta = Meta.parse(mcpReq._meta ?? {});
    const client = Envelope.parse(mcpReq.envelope ?? {})['io.modelcontextprotocol/clientInfo'] ?? server.getClientVersion();
    const by = peer.session
      ? `session ${peer.session.sessionId}`
      : peer.kind === 'cli'
        ? 'sc'
        : [client?.name ?? 'a client', client?.version].filter(Boolean).join(' ');
    const token = mcpReq._meta?.progressToken;
    let beats = 0;
    let answered = false;
    try {
      if (!mayCall(peer, params.name))
        throw new ProtocolError(
          INVALID_PARAMS,
          `The tool "${params.name}" is not for sessions. They have: ${SESSION_TOOLS.join(', ')}.`,
        );
      return await callTool(parts, params, {
        caller: {
          by,
          environment: peer.environment,
          ...(peer.session && { sessionId: peer.session.sessionId }),
        } satisfies Caller,
        callKey: meta['claudecode/toolUseId'] ?? meta['scopecraft/requestKey'],
        signal: mcpReq.signal,
        progress(message) {
          if (token === undefined || answered) return;
          mcpReq
            .notify({ method: 'notifications/progress', params: { progressToken: token, progress: ++beats, message } })
            .catch(() => undefined);
        },
      });
    } finally {
      answered = true;
    }
  });

  server.setRequestHandler('resources/list', async ({ params }) => listResources(orchestrator, params?.cursor));
  server.setRequestHandler('resources/templates/list', () => ({
    resourceTemplates: RESOURCES.filter(isTemplate).map(({ name, title, description, uriTemplate, mimeType }) => ({
      name,
      title,
      description,
      uriTemplate,
      mimeType,
    })),
  }));
  server.setRequestHandler('resources/read', async ({ params: { uri } }) => {
    const { text, mimeType, final } = await readResource(orchestrator, uri);
    const hint = era === 'modern' ? { ttlMs: final ? FINISHED_TTL_MS : 0, cacheScope: 'private' as const } : {};
    return { contents: [{ uri, text, mimeType }], ...hint };
  });
  server.setRequestHandler('resources/subscribe', async ({ params: { uri } }) => {
    await readResource(orchestrator, uri);
    subscribed.add(uri);
    return {};
  });
  server.setRequestHandler('resources/unsubscribe', ({ params: { uri } }) => {
    subscribed.delete(uri);
    return {};
  });
  return server;
}

/** True unless the caller is a run and the tool, by any of its names, is not for runs. */
function mayCall({ kind }: Peer, name: string): boolean {
  return kind !== 'session' || SESSION_TOOLS.includes(toolNamed(name)?.tool.name ?? name);
}

/** The tools as MCP lists them; made once, so that every connection gets the same bytes. */
function listing({ toolsets, legacy }: McpParts['listed']) {
  const shown = TOOLS.filter((tool) => toolsets.includes('all') || toolsets.includes(tool.toolset));
  const old = legacy ? ALIASES.flatMap(({ name }) => listedAs(name)) : [];
  return [...shown.flatMap((tool) => listedAs(tool.name)), ...old];
}

function listedAs(name: string) {
  const found = toolNamed(name);
  return found
    ? [
        {
          name,
          title: found.tool.title,
          description: found.tool.description,
          inputSchema: inputSchema(found.tool),
          annotations: EFFECTS[found.tool.effect],
        },
      ]
    : [];
}

/** The JSON schema of a tool's arguments: the contract on the wire. */
export function inputSchema(tool: Tool) {
  const { $schema: _schema, ...schema } = z.toJSONSchema(tool.input, { io: 'input' });
  return InputSchema.parse(schema);
}

const InputSchema = z.looseObject({
  type: z.literal('object'),
  properties: z.record(z.string(), z.json()).optional(),
  required: z.array(z.string()).optional(),
});

async function callTool(
  { orchestrator, log }: McpParts,
  params: { name: string; arguments?: unknown },
  context: Omit<ToolContext, 'orchestrator'>,
) {
  const found = toolNamed(params.name);
  if (!found) {
    const names = TOOLS.map((tool) => tool.name);
    const near = nearest(params.name, names);
    throw new ProtocolError(
      INVALID_PARAMS,
      `Unknown tool "${params.name}".${near ? ` Did you mean "${near}"?` : ` Tools are: ${names.join(', ')}.`}`,
    );
  }
  try {
    if (!orchestrator) fail('WORKSPACE_MISSING', 'This server was started where there is no project.');
    const args = typeof params.arguments === 'object' ? { ...params.arguments, ...found.fixed } : params.arguments;
    const output = await found.tool.call(args, { ...context, orchestrator });
    return { structuredContent: { ...output }, content: [{ type: 'text' as const, text: JSON.stringify(output) }] };
  } catch (error) {
    const view = errorView(error instanceof ScopecraftError ? error : unexpected(error, log));
    // no structuredContent: clients check that against the schema of a good answer
    return { isError: true, content: [{ type: 'text' as const, text: JSON.stringify(view) }] };
  }
}

/** A failure nobody foresaw: the caller gets an id, the log gets the stack. */
function unexpected(error: unknown, log: (line: string) => void): ScopecraftError {
  const id = randomBytes(4).toString('hex');
  log(`internal error ${id}: ${error instanceof Error ? error.stack : String(error)}`);
  return new ScopecraftError('INTERNAL', `Something went wrong inside the server (${id}).`, { id });
}

function isTemplate({ uriTemplate }: Resource): boolean {
  return uriTemplate.includes('{');
}

function listResources(orchestrator: Orchestrator | undefined, cursor: string | undefined) {
  const fixed = RESOURCES.filter((resource) => !isTemplate(resource)).map(
    ({ name, title, description, uriTemplate, mimeType }) => ({ uri: uriTemplate, name, title, description, mimeType }),
  );
  try {
    const { rows, nextCursor } = pageOf(orchestrator?.list({}) ?? [], {
      cursor,
      limit: RESOURCES_PER_PAGE,
      keyOf: (session) => session.createdSeq,
    });
    const ofSessions = rows.flatMap(({ id, status }) => [
      { uri: sessionUri(id), name: `session ${id}`, description: `Session ${id} (${status})`, mimeType: 'application/json' },
      { uri: logUri(id), name: `log of ${id}`, description: `Log of session ${id}`, mimeType: 'text/plain' },
    ]);
    return {
      resources: cursor === undefined ? [...fixed, ...ofSessions] : ofSessions,
      ...(nextCursor !== undefined && { nextCursor }),
    };
  } catch (error) {
    throw error instanceof ScopecraftError ? new ProtocolError(INVALID_PARAMS, error.message) : error;
  }
}

async function readResource(orchestrator: Orchestrator | undefined, uri: string) {
  try {
    if (!orchestrator) fail('WORKSPACE_MISSING', 'This server was started where there is no project.');
    for (const resource of RESOURCES) {
      const variables = variablesOf(resource.uriTemplate, uri);
      if (variables) return await resource.read(variables, orchestrator);
    }
    return fail('RESOURCE_NOT_FOUND', `There is no resource "${uri}".`);
  } catch (error) {
    if (!(error instanceof ScopecraftError)) throw error;
    const { code, message, hint } = errorView(error);
    throw new ProtocolError(INVALID_PARAMS, message, { uri, code, hint });
  }
}
