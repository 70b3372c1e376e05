// Real MCP clients on the built door: the v2 SDK in both eras, and the v1 SDK; and the built CLI.
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as FirstClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as FirstTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { PromptListChangedNotificationSchema, ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { CLI, DOOR, type Environment } from './project.ts';
import { type ProgramRun, runProgram } from './run-program.ts';

export const CLIENT_KINDS = ['modern', 'legacy', 'v1'] as const;
export type ClientKind = (typeof CLIENT_KINDS)[number];

export interface ConnectOptions {
  readonly env: Environment;
  readonly cwd: string;
  /** Program and arguments to talk to; default: the built door. */
  readonly command?: readonly [string, ...string[]];
  /** For the v2 SDK in the legacy era: the one revision it knows, such as `2025-06-18`. */
  readonly revision?: string;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  readonly meta?: Readonly<Record<string, unknown>>;
  readonly onProgress?: (progress: { readonly progress: number; readonly message?: string | undefined }) => void;
}

export interface ListedPrompt {
  readonly name: string;
  readonly arguments?: readonly { readonly name: string; readonly required?: boolean | undefined }[] | undefined;
}

export type CompletionTarget = { readonly prompt: string } | { readonly resource: string };

export interface Completed {
  readonly values: readonly string[];
  readonly total?: number | undefined;
  readonly hasMore?: boolean | undefined;
}

export interface Subscription {
  close(): Promise<void>;
}

export interface TestClient {
  readonly kind: ClientKind;
  /** Process of the door. */
  readonly pid: number | null;
  readonly revision: string | undefined;
  readonly instructions: string | undefined;
  /** What the door wrote to stderr so far. */
  stderr(): string;
  tools(): Promise<readonly { readonly name: string }[]>;
  /** The structured content of the result. Rejects with a ToolFailure when the tool answers with an error. */
  call(tool: string, args?: Readonly<Record<string, unknown>>, options?: CallOptions): Promise<Readonly<Record<string, unknown>>>;
  /** The first text of a resource. */
  read(uri: string): Promise<string>;
  prompts(): Promise<readonly ListedPrompt[]>;
  /** The first text of a prompt. */
  prompt(name: string, args?: Readonly<Record<string, string>>): Promise<string>;
  /** What the argument of a prompt, or the variable of a resource template, could become. */
  complete(of: CompletionTarget, argument: string, typed: string): Promise<Completed>;
  /** Calls back whenever it is said that the list of prompts changed, in the way of the era. */
  onPromptsChanged(callback: () => void): Promise<Subscription>;
  /** Calls back at each update of these resources, in the way of the era. */
  subscribe(uris: readonly string[], onUpdate: (uri: string) => void): Promise<Subscription>;
  close(): Promise<void>;
}

const Failure = z.looseObject({ code: z.string(), message: z.string() });

/** A tool answered with `isError`. */
export class ToolFailure extends Error {
  readonly code: string;
  /** The whole error as it came. */
  readonly body: Readonly<Record<string, unknown>>;

  constructor(text: string) {
    const body = Failure.safeParse(parsedJson(text));
    super(body.success ? `${body.data.code}: ${body.data.message}` : text);
    this.name = 'ToolFailure';
    this.code = body.success ? body.data.code : 'UNKNOWN';
    this.body = body.success ? body.data : { text };
  }
}

/** A client of that kind, connected to a door of its own. */
export function connect(kind: ClientKind, options: ConnectOptions): Promise<TestClient> {
  return kind === 'v1' ? connectFirst(options) : connectSecond(kind, options);
}

async function connectSecond(kind: 'modern' | 'legacy', options: ConnectOptions): Promise<TestClient> {
  const transport = new StdioClientTransport(parametersOf(options));
  const stderr = collected(transport.stderr);
  const client = new Client(CLIENT_INFO, {
    versionNegotiation: { mode: kind === 'modern' ? { pin: '2026-07-28' } : 'legacy' },
    ...(options.revision !== undefined && { supportedProtocolVersions: [options.revision] }),
  });
  const updates = new Listeners();
  client.setNotificationHandler('notifications/resources/updated', ({ params }) => updates.tell(params.uri));
  client.setNotificationHandler('notifications/prompts/list_changed', () => updates.tell(PROMPTS));
  await client.connect(transport);
  return {
    kind,
    pid: transport.pid,
    revision: client.getNegotiatedProtocolVersion(),
    instructions: client.getInstructions(),
    stderr,
    tools: async () => (await client.listTools(undefined, { cacheMode: 'refresh' })).tools,
    call: async (tool, args = {}, call = {}) => structured(await client.callTool(callOf(tool, args, call), optionsOf(call))),
    read: async (uri) => textOf((await client.readResource({ uri }, { cacheMode: 'bypass' })).contents),
    prompts: async () => (await client.listPrompts(undefined, { cacheMode: 'refresh' })).prompts,
    prompt: async (name, args = {}) => messageOf(await client.getPrompt({ name, arguments: { ...args } })),
    complete: async (of, name, value) => (await client.complete({ ref: referenceOf(of), argument: { name, value } })).completion,
    async onPromptsChanged(callback) {
      const stop = updates.add([PROMPTS], callback);
      if (kind !== 'modern') return { close: async () => stop() };
      const listening = await client.listen({ promptsListChanged: true });
      return { close: () => listening.close().finally(stop) };
    },
    async subscribe(uris, onUpdate) {
      const stop = updates.add(uris, onUpdate);
      if (kind === 'modern') {
        const listening = await client.listen({ resourceSubscriptions: [...uris] });
        return { close: () => listening.close().finally(stop) };
      }
      for (const uri of uris) await client.subscribeResource({ uri });
      return { close: () => Promise.all(uris.map((uri) => client.unsubscribeResource({ uri }))).then(stop) };
    },
    close: () => client.close(),
  };
}

async function connectFirst(options: ConnectOptions): Promise<TestClient> {
  const transport = new FirstTransport(parametersOf(options));
  const stderr = collected(transport.stderr);
  const client = new FirstClient(CLIENT_INFO);
  const updates = new Listeners();
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => updates.tell(params.uri));
  client.setNotificationHandler(PromptListChangedNotificationSchema, () => updates.tell(PROMPTS));
  // this client keeps the agreed revision to itself, but tells it to its transport
  let revision: string | undefined;
  Object.assign(transport, {
    setProtocolVersion: (version: string) => {
      revision = version;
    },
  });
  await client.connect(transport);
  return {
    kind: 'v1',
    pid: transport.pid,
    revision,
    instructions: client.getInstructions(),
    stderr,
    tools: async () => (await client.listTools()).tools,
    call: async (tool, args = {}, call = {}) =>
      structured(await client.callTool(callOf(tool, args, call), undefined, optionsOf(call))),
    read: async (uri) => textOf((await client.readResource({ uri })).contents),
    prompts: async () => (await client.listPrompts()).prompts,
    prompt: async (name, args = {}) => messageOf(await client.getPrompt({ name, arguments: { ...args } })),
    complete: async (of, name, value) => (await client.complete({ ref: referenceOf(of), argument: { name, value } })).completion,
    async onPromptsChanged(callback) {
      const stop = updates.add([PROMPTS], callback);
      return { close: async () => stop() };
    },
    async subscribe(uris, onUpdate) {
      const stop = updates.add(uris, onUpdate);
      for (const uri of uris) await client.subscribeResource({ uri });
      return { close: () => Promise.all(uris.map((uri) => client.unsubscribeResource({ uri }))).then(stop) };
    },
    close: () => client.close(),
  };
}

export interface CliOptions {
  readonly env: Environment;
  readonly cwd: string;
  readonly input?: string;
  readonly timeoutMs?: number;
}

/** Runs the built command line, as a user types it after `sc`. */
export function sc(args: readonly string[], options: CliOptions): Promise<ProgramRun> {
  return runProgram(process.execPath, [CLI, ...args], options);
}

/** Stands for the list of prompts among the URIs that are listened for. */
const PROMPTS = 'the list of prompts';
const Messages = z.looseObject({ messages: z.array(z.looseObject({ content: z.unknown() })) });

function messageOf(answer: unknown): string {
  return textOf(Messages.parse(answer).messages.map(({ content }) => content));
}

function referenceOf(of: CompletionTarget) {
  return 'prompt' in of ? { type: 'ref/prompt' as const, name: of.prompt } : { type: 'ref/resource' as const, uri: of.resource };
}

const CLIENT_INFO = { name: 'scopecraft-test', version: '1.0.0' };

interface Parameters {
  command: string;
  args: string[];
  env: Record<string, string>;
  cwd: string;
  stderr: 'pipe';
}

function parametersOf({ env, cwd, command = [process.execPath, DOOR] }: ConnectOptions): Parameters {
  const [program, ...args] = command;
  return { command: program, args, env: { ...env }, cwd, stderr: 'pipe' };
}

function callOf(name: string, args: Readonly<Record<string, unknown>>, { meta }: CallOptions) {
  return { name, arguments: { ...args }, ...(meta !== undefined && { _meta: { ...meta } }) };
}

function optionsOf({ signal, timeoutMs, onProgress }: CallOptions) {
  return {
    ...(signal && { signal }),
    ...(timeoutMs !== undefined && { timeout: timeoutMs }),
    ...(onProgress && { onprogress: onProgress }),
  };
}

const Content = z.array(z.looseObject({ text: z.string().optional() }));
const CallResult = z.looseObject({
  isError: z.boolean().optional(),
  content: Content.default([]),
  structuredContent: z.record(z.string(), z.unknown()).optional(),
});

function structured(answer: unknown): Readonly<Record<string, unknown>> {
  const { isError, content, structuredContent } = CallResult.parse(answer);
  if (isError) throw new ToolFailure(structuredContent === undefined ? textOf(content) : JSON.stringify(structuredContent));
  if (structuredContent === undefined) throw new Error(`The result has no structured content: ${textOf(content)}`);
  return structuredContent;
}

function textOf(contents: unknown): string {
  const found = Content.parse(contents).find(({ text }) => text !== undefined);
  return found?.text ?? '';
}

/** Who wants to hear of which resource. */
class Listeners {
  readonly #all = new Set<{ readonly uris: readonly string[]; readonly onUpdate: (uri: string) => void }>();

  add(uris: readonly string[], onUpdate: (uri: string) => void): () => void {
    const listener = { uris, onUpdate };
    this.#all.add(listener);
    return () => void this.#all.delete(listener);
  }

  tell(uri: string): void {
    for (const { uris, onUpdate } of this.#all) if (uris.includes(uri)) onUpdate(uri);
  }
}

function collected(stream: { on(event: 'data', listener: (chunk: unknown) => void): unknown } | null): () => string {
  let text = '';
  stream?.on('data', (chunk) => {
    text += String(chunk);
  });
  return () => text;
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
