// Speaks MCP for the orchestrator: lists and calls tools, lists and reads resources, lists, gives and completes prompts, and turns every failure into an answer that teaches.
// One instance per connection, both protocol eras from the same handlers, all state behind it.

import { randomBytes } from 'node:crypto';
import { type McpRequestContext, ProtocolError, Server } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { errorView, fail, nearest, ScopecraftError } from '../core/errors.ts';
import type { Orchestrator } from '../core/orchestrator.ts';
import { scopedTo } from '../core/scope.ts';
import type { Caller } from '../core/start.ts';
import { RESOURCES } from '../resources/index.ts';
import type { ToolContext } from '../tools/define.ts';
import { TOOLS, toolNamed } from '../tools/index.ts';
import { INSTRUCTIONS } from './instructions.ts';
import { type Listed, type Listing, listing, mayCall, SESSION_TOOLS } from './listing.ts';
import { complete, getPrompt, listPrompts } from './offering.ts';
import { INVALID_PARAMS, isTemplate, listResources, readResource } from './reading.ts';
import type { RunIdentity } from './token.ts';
import type { Updates } from './updates.ts';

export interface McpParts {
  /** Undefined where there is no workspace: then tools are listed and every call answers WORKSPACE_MISSING. */
  readonly orchestrator: Orchestrator | undefined;
  readonly updates: Updates | undefined;
  readonly version: string;
  readonly listed: Listed;
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

const FIVE_MINUTES = { ttlMs: 300_000, cacheScope: 'public' } as const;
const FINISHED_TTL_MS = 86_400_000;

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
  let made: Listing | undefined;
  // when first asked for: the first answer of a new hub need not wait for the schemas
  const tools = () => {
    made ??= listing(parts.listed);
    return made;
  };
  return (peer) => (context) => buildServer(parts, peer, context, tools);
}

function buildServer(parts: McpParts, peer: Peer, { era, requestInfo }: McpRequestContext, tools: () => Listing): Server {
  const { updates, version } = parts;
  // a session sees and touches what came of it
  const orchestrator =
    parts.orchestrator && peer.session ? scopedTo(parts.orchestrator, peer.session.sessionId) : parts.orchestrator;
  const server = new Server(
    { name: 'scopecraft', title: 'Scopecraft Orchestrator', version },
    {
      capabilities: {
        tools: { listChanged: true },
        resources: { listChanged: true, subscribe: true },
        prompts: { listChanged: true },
        completions: {},
      },
      instructions: INSTRUCTIONS,
      cacheHints: {
        'server/discover': FIVE_MINUTES,
        'tools/list': FIVE_MINUTES,
        'prompts/list': FIVE_MINUTES,
        'resources/templates/list': FIVE_MINUTES,
      },
    },
  );
  const subscribed = new Set<string>();
  // a modern server over HTTP lives for one request; who listens there is told by the HTTP door
  const isBrief = era === 'modern' && requestInfo !== undefined;
  const listened = isBrief ? undefined : updates;
  const unsubscribe = [
    listened?.subscribe((uri) => {
      if (era === 'modern' || subscribed.has(uri)) server.sendResourceUpdated({ uri }).catch(() => undefined);
    }),
    listened?.subscribePrompts(() => {
      server.sendPromptListChanged().catch(() => undefined);
    }),
  ];
  server.onclose = () => {
    for (const end of unsubscribe) end?.();
  };

  server.setRequestHandler('tools/list', () => ({
    tools: [...(peer.kind === 'session' ? tools().ofSessions : tools().ofOthers)],
  }));
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
      if (!mayCall(peer.kind === 'session', params.name))
        throw new ProtocolError(
          INVALID_PARAMS,
          `The tool "${params.name}" is not for ${peer.kind === 'session' ? `sessions. They have: ${SESSION_TOOLS.join(', ')}` : 'callers that are no session'}.`,
        );
      return await callTool({ ...parts, orchestrator }, params, {
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

  server.setRequestHandler('prompts/list', ({ params }) => listPrompts(orchestrator, params?.cursor));
  server.setRequestHandler('prompts/get', ({ params }) => getPrompt(orchestrator, params.name, params.arguments ?? {}));
  server.setRequestHandler('completion/complete', ({ params: { ref, argument } }) =>
    complete(orchestrator, { ...ref, argument: argument.name, value: argument.value }),
  );
  return server;
}

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
    const content = [{ type: 'text' as const, text: JSON.stringify(output) }];
    return { structuredContent: { ...output }, content };
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
