// A stand-in for the Anthropic Messages API on loopback, so that the real Claude Code runs with no network and no account.
import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { isLoaded, ModelRequest, readConversation, SEARCH_ID } from './stub-conversation.ts';
import { nextTurn, type Turn } from './stub-script.ts';

/** One request that reached the stub. */
export interface StubRequest {
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** The rest only for requests to the model. */
  readonly model?: string;
  readonly sessionId?: string;
  readonly apiKey?: string;
  readonly toolNames?: readonly string[];
  readonly prompt?: string;
  readonly turn?: number;
  /** The newest message of the conversation, as JSON; of a long one the end. */
  readonly newest?: string;
}

export interface StubModel {
  readonly url: string;
  /** What was asked since the start, oldest first; the newest 5,000. */
  requests(): readonly StubRequest[];
  close(): Promise<void>;
}

// a search answers empty while its MCP server is still connecting
const MAX_SEARCHES = 8;
const SEARCH_PAUSE_MS = 250;
const NEWEST_LENGTH = 20_000;
const USAGE = { input_tokens: 100, output_tokens: 20, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };

type Content =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'tool_use'; readonly id: string; readonly name: string; readonly input: unknown };

/** Start the stub on a free port of 127.0.0.1. What it answers is scripted by the prompt: see stub-script.ts. */
export async function startStubModel(): Promise<StubModel> {
  const requests: StubRequest[] = [];
  const errorsGiven = new Map<string, number>();
  const stopped = new AbortController();
  const server = createServer((request, response) => {
    void answer(request, response).catch((error: unknown) => {
      if (!response.headersSent) sendJson(response, 400, errorBody('invalid_request_error', String(error)));
      else response.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The stub model has no port.');

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await bodyOf(request);
    const { pathname } = new URL(request.url ?? '/', 'http://stub');
    const seen = { at: Date.now(), method: request.method ?? '', path: pathname };
    if (pathname.endsWith('/count_tokens')) {
      note({ ...seen, status: 200 });
      return sendJson(response, 200, { input_tokens: 10 });
    }
    if (!pathname.endsWith('/messages')) {
      note({ ...seen, status: 404 });
      return sendJson(response, 404, errorBody('not_found_error', `The stub has no ${pathname}.`));
    }
    const asked = ModelRequest.parse(JSON.parse(text));
    const conversation = readConversation(asked);
    const turn = nextTurn(conversation);
    const status = failureOf(turn, text);
    const sessionId = headerOf(request, 'x-claude-code-session-id');
    const apiKey = headerOf(request, 'x-api-key');
    const { prompt, turn: index } = conversation;
    const toolNames = asked.tools.map((tool) => tool.name);
    note({
      ...seen,
      status: status ?? 200,
      model: asked.model,
      toolNames,
      prompt,
      turn: index,
      newest: JSON.stringify(asked.messages.at(-1) ?? null).slice(-NEWEST_LENGTH),
      ...(sessionId && { sessionId }),
      ...(apiKey && { apiKey }),
    });
    const mustSearch = turn.tool !== undefined && needsSearch(asked, turn.tool.name, conversation.searches);
    await pause(response, mustSearch ? conversation.searches * SEARCH_PAUSE_MS : turn.waitMs);
    if (status !== undefined) return sendJson(response, status, errorBody('api_error', `stub error ${status}`));
    send(response, asked, mustSearch ? [searchFor(asked, turn.tool?.name ?? '')] : contentOf(turn));
  }

  /** The status to fail with, or undefined. A retry sends the same body, so that the body counts the failures. */
  function failureOf({ error }: Turn, body: string): number | undefined {
    if (error === undefined) return undefined;
    const key = createHash('sha256').update(body).digest('base64');
    const given = errorsGiven.get(key) ?? 0;
    errorsGiven.set(key, given + 1);
    return given < error.times ? error.status : undefined;
  }

  async function pause(response: ServerResponse, waitMs: number): Promise<void> {
    if (waitMs <= 0) return;
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    await delay(waitMs, undefined, { signal: AbortSignal.any([gone.signal, stopped.signal]) });
  }

  function note(request: StubRequest): void {
    requests.push(request);
    if (requests.length > 5000) requests.shift();
  }

  return {
    url: `http://127.0.0.1:${address.port}`,
    requests: () => [...requests],
    async close() {
      stopped.abort();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Claude Code begins its first turn while MCP servers still connect, and newer versions list their tools only after a search. */
function needsSearch(asked: ModelRequest, name: string, searches: number): boolean {
  return searches < MAX_SEARCHES && searchToolOf(asked) !== undefined && !isLoaded(asked, name);
}

function searchToolOf({ tools }: ModelRequest): 'WaitForMcpServers' | 'ToolSearch' | undefined {
  return (['WaitForMcpServers', 'ToolSearch'] as const).find((name) => tools.some((tool) => tool.name === name));
}

function searchFor(asked: ModelRequest, name: string): Content {
  const tool = searchToolOf(asked) ?? 'ToolSearch';
  const input = tool === 'ToolSearch' ? { query: `select:${name}`, max_results: 5 } : {};
  return { type: 'tool_use', id: newId(SEARCH_ID), name: tool, input };
}

function contentOf({ texts, tool }: Turn): readonly Content[] {
  const said = texts.map((text) => ({ type: 'text' as const, text }));
  return tool === undefined ? said : [...said, { type: 'tool_use', id: newId('toolu_'), ...tool }];
}

function send(response: ServerResponse, { model, stream }: ModelRequest, content: readonly Content[]): void {
  const stopReason = content.at(-1)?.type === 'tool_use' ? 'tool_use' : 'end_turn';
  const message = { id: newId('msg_'), type: 'message', role: 'assistant', model, stop_sequence: null };
  if (!stream) {
    sendJson(response, 200, { ...message, content, stop_reason: stopReason, usage: USAGE });
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  const emit = (type: string, fields: object): void => {
    response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`);
  };
  emit('message_start', { message: { ...message, content: [], stop_reason: null, usage: { ...USAGE, output_tokens: 1 } } });
  for (const [index, block] of content.entries()) {
    const isText = block.type === 'text';
    emit('content_block_start', { index, content_block: isText ? { type: 'text', text: '' } : { ...block, input: {} } });
    const delta = isText
      ? { type: 'text_delta', text: block.text }
      : { type: 'input_json_delta', partial_json: JSON.stringify(block.input) };
    emit('content_block_delta', { index, delta });
    emit('content_block_stop', { index });
  }
  emit('message_delta', {
    delta: { stop_reason: stopReason, stop_sequence: null },
    usage: { output_tokens: USAGE.output_tokens },
  });
  emit('message_stop', {});
  response.end();
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function errorBody(type: string, message: string): unknown {
  return { type: 'error', error: { type, message } };
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

function newId(prefix: string): string {
  return `${prefix}${randomUUID().replaceAll('-', '').slice(0, 20)}`;
}
