// Speaks MCP for the orchestrator: lists and calls tools, lists and reads resources, lists, gives and completes prompts.
// One instance per connection, both protocol eras from the same handlers, all state behind it.

import { randomBytes } from 'node:crypto';
import { type McpRequestContext, ProtocolError, Server, type ServerContext } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Orchestrator } from '../core/orchestrator.ts';
import type { Caller } from '../core/start.ts';
import type { ToolContext } from '../tools/define.ts';
import { callWithForms, canShowForms, createStateCodec } from './elicit.ts';
import { openHearing } from './hearing.ts';
import { INSTRUCTIONS } from './instructions.ts';
import { type Listed, type Listing, listing, refusalOf } from './listing.ts';
import { complete, getPrompt, listPrompts } from './offering.ts';
import { keyOfPeer, nameOf, type Peer, resourcesOf, seenBy } from './peer.ts';
import { isTemplate, listResources, readResource } from './reading.ts';
import { REQUEST_KEY } from './request-key.ts';
import { callOrTask, declaresTasks, serveTasks, TASK_CAPABILITIES } from './tasks.ts';
import { INVALID_PARAMS } from './teaching.ts';
import { callTool } from './tool-call.ts';
import type { Updates } from './updates.ts';

export interface McpParts {
  /** Undefined where there is no workspace: then tools are listed and every call answers WORKSPACE_MISSING. */
  readonly orchestrator: Orchestrator | undefined;
  readonly updates: Updates | undefined;
  readonly version: string;
  readonly listed: Listed;
  /** Signs what goes with a form. The next hub must have the same one; a key of this process alone when left out. */
  readonly stateKey?: Uint8Array;
  /** Told of unexpected failures, with the id that the caller sees. */
  readonly log: (line: string) => void;
  /** Takes secrets out of a failure before it is told. */
  readonly mask?: <Value>(value: Value) => Value;
}

const FIVE_MINUTES = { ttlMs: 300_000, cacheScope: 'public' } as const;
const FINISHED_TTL_MS = 86_400_000;
/** A person may take so long over a form. */
const FORM_MS = 600_000;

const Meta = z.looseObject({ 'claudecode/toolUseId': z.string().optional(), [REQUEST_KEY]: z.string().optional() }).catch({});
const Envelope = z
  .looseObject({
    'io.modelcontextprotocol/clientInfo': z.looseObject({ name: z.string(), version: z.string().optional() }).optional(),
    'io.modelcontextprotocol/clientCapabilities': z.unknown().optional(),
  })
  .catch({});

/** Builds the MCP server of one connection. Closing it is the caller's. */
export function createMcpFactory(parts: McpParts): (peer: Peer) => (context: McpRequestContext) => Server {
  const keyed = { ...parts, stateKey: parts.stateKey ?? randomBytes(32) };
  let made: Listing | undefined;
  // when first asked for: the first answer of a new hub need not wait for the schemas
  const tools = () => {
    made ??= listing(parts.listed);
    return made;
  };
  return (peer) => (context) => buildServer(keyed, peer, context, tools);
}

function buildServer(
  parts: McpParts & { stateKey: Uint8Array },
  peer: Peer,
  context: McpRequestContext,
  tools: () => Listing,
): Server {
  const { version } = parts;
  const { era } = context;
  const orchestrator = parts.orchestrator && seenBy(parts.orchestrator, peer);
  const codec = createStateCodec(parts.stateKey, keyOfPeer(peer));
  const server = new Server(
    { name: 'scopecraft', title: 'Scopecraft Orchestrator', version },
    {
      capabilities: {
        // the list is the same as long as a hub lives
        tools: {},
        resources: { listChanged: true, subscribe: true },
        prompts: { listChanged: true },
        completions: {},
        ...(era === 'modern' && { extensions: TASK_CAPABILITIES }),
      },
      requestState: { verify: codec.verify },
      inputRequired: { roundTimeoutMs: FORM_MS },
      instructions: INSTRUCTIONS,
      cacheHints: {
        'server/discover': FIVE_MINUTES,
        'tools/list': FIVE_MINUTES,
        'prompts/list': FIVE_MINUTES,
        'resources/templates/list': FIVE_MINUTES,
      },
    },
  );
  server.setRequestHandler('tools/list', () => ({
    tools: tools().of(peer),
  }));
  const expectAllowed = (tool: string) => {
    const refusal = refusalOf(peer, tool);
    if (refusal !== undefined) throw new ProtocolError(INVALID_PARAMS, refusal);
  };
  // nobody sits before a run's own client, and who may not answer is asked nothing
  const showsForms = !['session', 'cli'].includes(peer.kind) && refusalOf(peer, 'request_answer') === undefined;
  /** Who calls, and what a call may use. */
  const contextOf = ({ mcpReq }: ServerContext): Omit<ToolContext, 'orchestrator'> => {
    const meta = Meta.parse(mcpReq._meta ?? {});
    const client = Envelope.parse(mcpReq.envelope ?? {})['io.modelcontextprotocol/clientInfo'] ?? server.getClientVersion();
    const by = nameOf(peer, client);
    const token = mcpReq._meta?.progressToken;
    let beats = 0;
    return {
      caller: {
        by,
        environment: peer.environment,
        ...(peer.session && { sessionId: peer.session.sessionId }),
      } satisfies Caller,
      callKey: meta['claudecode/toolUseId'] ?? meta[REQUEST_KEY],
      signal: mcpReq.signal,
      progress(message) {
        if (token === undefined) return;
        mcpReq
          .notify({ method: 'notifications/progress', params: { progressToken: token, progress: ++beats, message } })
          .catch(() => undefined);
      },
    };
  };
  /** What the client said it can do: with this request, or when it came. */
  const capabilitiesOf = ({ mcpReq }: ServerContext) =>
    Envelope.parse(mcpReq.envelope ?? {})['io.modelcontextprotocol/clientCapabilities'] ?? server.getClientCapabilities();

  server.setRequestHandler('tools/call', async ({ params }, serverContext) => {
    expectAllowed(params.name);
    let isAnswered = false;
    const { progress, ...rest } = contextOf(serverContext);
    const context = { ...rest, progress: (message: string) => (isAnswered ? undefined : progress(message)) };
    const { name, arguments: args = {} } = params;
    const call = (given: unknown) => callTool({ ...parts, orchestrator }, { name, arguments: given }, context);
    const capabilities = capabilitiesOf(serverContext);
    try {
      if (!orchestrator || !(name === 'session_run' || name === 'session_wait')) return await call(args);
      const whole = { ...context, orchestrator };
      if (era === 'modern' && declaresTasks(capabilities)) return await callOrTask(name, args, whole, call, { showsForms });
      if (!showsForms || !canShowForms(capabilities)) return await call(args);
      return await callWithForms({ name, args, context: whole, server: serverContext, codec, call });
    } finally {
      isAnswered = true;
    }
  });
  if (era === 'modern')
    serveTasks(server, {
      expectAllowed,
      showsForms,
      contextOf: orchestrator && ((serverContext) => ({ ...contextOf(serverContext), orchestrator })),
    });

  serveResources(server, peer, context, { ...parts, orchestrator });
  servePrompts(server, peer, orchestrator);
  return server;
}

function serveResources(server: Server, peer: Peer, context: McpRequestContext, { orchestrator, updates }: McpParts): void {
  const resources = resourcesOf(peer);
  const hearing = openHearing({ server, peer, context, updates });
  server.onclose = hearing.close;
  server.setRequestHandler('resources/list', async ({ params }) => listResources(orchestrator, resources, params?.cursor));
  server.setRequestHandler('resources/templates/list', () => ({
    resourceTemplates: resources.filter(isTemplate).map(({ name, title, description, uriTemplate, mimeType }) => ({
      name,
      title,
      description,
      uriTemplate,
      mimeType,
    })),
  }));
  server.setRequestHandler('resources/read', async ({ params: { uri } }) => {
    const { text, mimeType, final } = await readResource(orchestrator, resources, uri);
    const hint = context.era === 'modern' ? { ttlMs: final ? FINISHED_TTL_MS : 0, cacheScope: 'private' as const } : {};
    return { contents: [{ uri, text, mimeType }], ...hint };
  });
  server.setRequestHandler('resources/subscribe', async ({ params: { uri } }) => {
    hearing.expectRoom(uri);
    await readResource(orchestrator, resources, uri);
    hearing.subscribe(uri);
    return {};
  });
  server.setRequestHandler('resources/unsubscribe', ({ params: { uri } }) => {
    hearing.unsubscribe(uri);
    return {};
  });
}

function servePrompts(server: Server, peer: Peer, orchestrator: Orchestrator | undefined): void {
  // prompts tell of tasks and rules, which were not shared with a guest
  server.setRequestHandler('prompts/list', ({ params }) =>
    peer.guest ? { prompts: [] } : listPrompts(orchestrator, params?.cursor),
  );
  server.setRequestHandler('prompts/get', ({ params }) => {
    if (peer.guest) throw new ProtocolError(INVALID_PARAMS, 'A guest of a session has no prompts.');
    return getPrompt(orchestrator, params.name, params.arguments ?? {});
  });
  server.setRequestHandler('completion/complete', ({ params: { ref, argument, context } }) =>
    complete(peer.guest ? undefined : orchestrator, {
      ...ref,
      argument: argument.name,
      value: argument.value,
      known: context?.arguments,
    }),
  );
}
