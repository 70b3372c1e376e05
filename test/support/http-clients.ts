// Clients over HTTP, of each era and of the first SDK, and requests as they come from no client at all.
import { request as httpRequest } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as FirstClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as FirstTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport as FirstTransportShape } from '@modelcontextprotocol/sdk/shared/transport.js';
import { ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { type ClientKind, ToolFailure } from './clients.ts';

export interface Access {
  readonly url: string;
  readonly token: string;
}

export interface HttpClient {
  tools(): Promise<readonly string[]>;
  /** The structured content of the result. Rejects with a ToolFailure, or with the protocol's error. */
  call(tool: string, args?: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>>;
  read(uri: string): Promise<string>;
  uris(): Promise<readonly string[]>;
  subscribe(uris: readonly string[], onUpdate: (uri: string) => void): Promise<void>;
  close(): Promise<void>;
}

const Result = z.looseObject({
  isError: z.boolean().optional(),
  content: z.array(z.looseObject({ text: z.string().optional() })).default([]),
  structuredContent: z.record(z.string(), z.unknown()).optional(),
});
const Read = z.looseObject({ contents: z.array(z.looseObject({ text: z.string().optional() })) });

/** A client of that kind, connected over HTTP. */
export async function connectHttp(kind: ClientKind, { url, token }: Access, name = 'a test'): Promise<HttpClient> {
  const given = { requestInit: { headers: { Authorization: `Bearer ${token}` } } };
  const info = { name, version: '1' };
  if (kind === 'v1') {
    const first = new FirstClient(info);
    await first.connect(fitting(new FirstTransport(new URL(url), given)));
    return {
      tools: async () => (await first.listTools()).tools.map((tool) => tool.name),
      call: async (tool, args = {}) => structured(await first.callTool({ name: tool, arguments: { ...args } })),
      read: async (uri) => textOf(await first.readResource({ uri })),
      uris: async () => (await first.listResources()).resources.map((resource) => resource.uri),
      async subscribe(uris, onUpdate) {
        first.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => onUpdate(params.uri));
        for (const uri of uris) await first.subscribeResource({ uri });
      },
      close: () => first.close(),
    };
  }
  const client = new Client(info, { versionNegotiation: { mode: kind === 'modern' ? { pin: '2026-07-28' } : 'legacy' } });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), given));
  return {
    tools: async () => (await client.listTools(undefined, { cacheMode: 'refresh' })).tools.map((tool) => tool.name),
    call: async (tool, args = {}) => structured(await client.callTool({ name: tool, arguments: { ...args } })),
    read: async (uri) => textOf(await client.readResource({ uri }, { cacheMode: 'bypass' })),
    uris: async () => (await client.listResources(undefined, { cacheMode: 'refresh' })).resources.map((resource) => resource.uri),
    async subscribe(uris, onUpdate) {
      client.setNotificationHandler('notifications/resources/updated', ({ params }) => onUpdate(params.uri));
      if (kind === 'modern') await client.listen({ resourceSubscriptions: [...uris] });
      else for (const uri of uris) await client.subscribeResource({ uri });
    },
    close: () => client.close(),
  };
}

/** The transport of the v1 client does not fit that client's own interface under exactOptionalPropertyTypes. */
export function fitting(inner: FirstTransport): FirstTransportShape {
  const outer: FirstTransportShape = {
    async start() {
      inner.onmessage = (message) => outer.onmessage?.(message);
      inner.onclose = () => outer.onclose?.();
      inner.onerror = (error) => outer.onerror?.(error);
      await inner.start();
    },
    send: (message) => inner.send(message),
    close: () => inner.close(),
    setProtocolVersion: (version) => inner.setProtocolVersion(version),
  };
  return outer;
}

export interface Sent {
  readonly method?: string;
  readonly path?: string;
  /** A header that is empty is left out. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Sends the body without saying its length. */
  readonly chunked?: boolean;
}

export interface Answered {
  readonly status: number;
  readonly text: string;
  readonly headers: NodeJS.Dict<string | string[]>;
}

/** One request with the token and the usual headers, but for what is said. */
export function sendHttp(
  { url, token }: Access,
  { method = 'POST', path = '/mcp', headers = {}, body, chunked = false }: Sent,
): Promise<Answered> {
  const { port, hostname } = new URL(url);
  const usual = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  const all = Object.fromEntries(Object.entries({ ...usual, ...headers }).filter(([, value]) => value !== ''));
  const length = body === undefined || chunked ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: hostname, port, method, path, headers: { ...all, ...length } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString(), headers: response.headers }),
      );
    });
    request.once('error', reject);
    if (chunked && body !== undefined) request.write(body.slice(0, 10));
    request.end(chunked ? body?.slice(10) : body);
  });
}

export interface OpenStream {
  /** Everything that came so far. */
  text(): string;
  /** Resolves when the other side has ended it. */
  readonly ended: Promise<void>;
  close(): void;
}

/** A request whose answer is a stream. Resolves with it when its first bytes have come, else with the status. */
export function openStream(
  { url, token }: Access,
  { method = 'POST', headers = {}, body = '' }: Sent,
): Promise<OpenStream | number> {
  const { port, hostname } = new URL(url);
  const all = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  };
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: hostname, port, method, path: '/mcp', headers: all }, (response) => {
      let text = '';
      const ended = new Promise<void>((end) => response.once('close', () => end()));
      response.on('error', () => {});
      if (response.statusCode !== 200) {
        response.resume();
        return void response.once('end', () => resolve(response.statusCode ?? 0));
      }
      const stream = { text: () => text, ended, close: () => void request.destroy() };
      response.on('data', (chunk: Buffer) => {
        text += String(chunk);
        resolve(stream);
      });
    });
    request.once('error', reject);
    request.end(body);
  });
}

/** A session of the older era, begun as its clients do. */
export interface LegacySession {
  ask(method: string, params: object): Promise<string>;
  /**
   * The stream on which the server tells what nobody asked for. Its head comes with the first that is told: `stir` makes that something is, and is
   * called until it was heard.
   */
  listen(stir: () => Promise<unknown>): Promise<OpenStream>;
}

export async function beginLegacy(access: Access): Promise<LegacySession> {
  const clientInfo = { name: 'a test', version: '1' };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
  const body = (message: object) => JSON.stringify({ jsonrpc: '2.0', ...message });
  const begun = await sendHttp(access, { body: body({ id: 0, method: 'initialize', params }) });
  const headers = { 'mcp-session-id': String(begun.headers['mcp-session-id']) };
  await sendHttp(access, { headers, body: body({ method: 'notifications/initialized' }) });
  let ids = 0;
  return {
    ask: async (method, params) => (await sendHttp(access, { headers, body: body({ id: ++ids, method, params }) })).text,
    async listen(stir) {
      let isOpen = false;
      const opening = openStream(access, { method: 'GET', headers }).finally(() => {
        isOpen = true;
      });
      for (; !isOpen; await sleep(100)) await stir();
      const stream = await opening;
      if (typeof stream === 'number') throw new Error(`The stream was refused: ${stream}.`);
      return stream;
    },
  };
}

/** The body of a modern request, and the headers that go with it. */
export function modernRequest(
  method: string,
  params: Readonly<Record<string, unknown>> = {},
  id: number | string = 1,
  capabilities: object = {},
): Sent {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'a test', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': capabilities,
  };
  const named = params.name ?? params.uri ?? params.taskId;
  return {
    headers: {
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      // a name that cannot stand in a header is left out
      ...(typeof named === 'string' && /^[!-~]+$/.test(named) && { 'mcp-name': named }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta } }),
  };
}

/** The answer to a modern request, with its result or its error. */
export async function askHttp(
  access: Access,
  method: string,
  params: Readonly<Record<string, unknown>> = {},
  capabilities: object = {},
): Promise<RpcAnswer> {
  const { text } = await sendHttp(access, modernRequest(method, params, 1, capabilities));
  const said = text.startsWith('{') ? text : [...text.matchAll(/^data: (.+)$/gm)].at(-1)?.[1];
  return RpcAnswer.parse(JSON.parse(said ?? 'null'));
}

const RpcAnswer = z.looseObject({
  result: z.record(z.string(), z.unknown()).optional(),
  error: z.looseObject({ code: z.number(), message: z.string(), data: z.unknown().optional() }).optional(),
});
export type RpcAnswer = z.infer<typeof RpcAnswer>;

function structured(answer: unknown): Readonly<Record<string, unknown>> {
  const { isError, content, structuredContent } = Result.parse(answer);
  const text = content.find((block) => block.text !== undefined)?.text ?? '';
  if (isError) throw new ToolFailure(text);
  return structuredContent ?? {};
}

function textOf(answer: unknown): string {
  return Read.parse(answer).contents.find(({ text }) => text !== undefined)?.text ?? '';
}
