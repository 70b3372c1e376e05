// A program's connection to the hub of a workspace: a door inside the program, which finds the next hub when one dies.
//
// The door is the one that clients start as a process of its own (server/stdio.ts): it keys each call, sends again what was not
// answered, and listens anew to what was watched. So nothing above it notices that the hub was killed, except by waiting.
import { randomUUID } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { Client } from '@modelcontextprotocol/client';
import { z } from 'zod';
import { fail } from '../core/errors.ts';
import type { Environment } from '../server/config.ts';
import { connectHub, type HubLink } from '../server/connect.ts';
import { programsIn } from '../server/programs.ts';
import { type DoorOptions, runDoor } from '../server/stdio.ts';
import { stateDirOf } from '../server/workspace.ts';
import { requestFailure, toolFailure } from './failure.ts';
import { type LineStreams, streamTransport } from './stream-transport.ts';

declare const __VERSION__: string;

/** Longest time for one answer, in milliseconds; session_wait blocks for less. */
const ANSWER_MS = 120_000;

/** How a single call may be treated. */
export interface CallOptions {
  /** Gives the call up when aborted; it then fails with CANCELLED. */
  readonly signal?: AbortSignal | undefined;
}

/** What is being watched; to be closed when it no longer matters. */
export interface Watching {
  close(): Promise<void>;
}

/** A resource as it was read. */
export interface ResourceText {
  readonly uri: string;
  readonly mimeType: string | undefined;
  readonly text: string;
}

export interface HubConnection {
  /** Real path. */
  readonly workspace: string;
  /** The hub that was reached last. */
  readonly hub: HubLink['welcome'];
  /** The structured answer of a tool. Fails with the tool's error. */
  call(tool: string, args: Readonly<Record<string, unknown>>, options?: CallOptions): Promise<Readonly<Record<string, unknown>>>;
  read(uri: string, options?: CallOptions): Promise<ResourceText>;
  /** Fails as `read` does when there is no such resource. */
  watch(uri: string, onChange: (uri: string) => void): Promise<Watching>;
  /** Aborted when it is closed. */
  readonly closed: AbortSignal;
  close(): Promise<void>;
}

export interface HubConnectionOptions {
  /** Real path. */
  readonly workspace: string;
  readonly environment: Environment;
  /** Who asks, as the history of sessions says it. */
  readonly name: string;
  /** A program, or the command line. */
  readonly kind: 'door' | 'cli';
  /** False: only to a hub that is there. */
  readonly start: boolean;
}

const Answer = z.record(z.string(), z.unknown());
const Contents = z.array(z.looseObject({ uri: z.string(), mimeType: z.string().optional(), text: z.string() })).min(1);

/** Connects to the hub, starting it where there is none. Fails with HUB_UNREACHABLE, HUB_VERSION or STORAGE_FAILED. */
export async function openConnection(options: HubConnectionOptions): Promise<HubConnection> {
  const ending = new AbortController();
  const client = new Client(
    { name: options.name, version: __VERSION__ },
    { versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  const watches = createWatches(client);
  let link = await reachHub(options, false);
  let trouble: string | undefined;
  const door = doorOf(
    async (returning) => {
      if (returning) link = await reachHub(options, true);
      return link.socket;
    },
    // each call is told, too
    (sentence) => {
      trouble = sentence;
    },
    ending,
  );
  try {
    await client.connect(streamTransport(door));
  } catch {
    ending.abort();
    // the SDK tells only that there was no answer
    fail('HUB_UNREACHABLE', trouble ?? `The hub of this workspace (pid ${link.welcome.pid}) goes away each time it is greeted.`);
  }

  const request = async <Result>(deed: () => Promise<Result>, signal?: AbortSignal): Promise<Result> => {
    if (ending.signal.aborted) fail('CANCELLED', 'This client is closed.');
    try {
      return await deed();
    } catch (error) {
      throw requestFailure(error, ending.signal.aborted || signal?.aborted === true);
    }
  };
  const read = (uri: string, { signal }: CallOptions = {}) =>
    request(async () => {
      const options = { cacheMode: 'bypass' as const, ...(signal && { signal }) };
      const [first] = Contents.parse((await client.readResource({ uri }, options)).contents);
      return { uri, mimeType: first?.mimeType, text: first?.text ?? '' };
    }, signal);
  return {
    workspace: options.workspace,
    get hub() {
      return link.welcome;
    },
    call: (name, args, { signal } = {}) =>
      request(async () => {
        const options = { timeout: ANSWER_MS, ...(signal && { signal }) };
        const { isError, content, structuredContent } = await client.callTool({ name, arguments: { ...args } }, options);
        if (isError) throw toolFailure(content);
        return Answer.parse(structuredContent);
      }, signal),
    read,
    async watch(uri, onChange) {
      // who listens to what is not there would hear nothing, and never learn why
      await read(uri);
      return request(() => watches.add(uri, onChange));
    },
    closed: ending.signal,
    async close() {
      ending.abort();
      await client.close();
    },
  };
}

/** The streams of a door that runs in this process. */
function doorOf(connect: DoorOptions['connect'], onTrouble: DoorOptions['onTrouble'], ending: AbortController): LineStreams {
  const [toDoor, fromDoor] = [new PassThrough(), new PassThrough()];
  void runDoor({ input: toDoor, output: fromDoor, connect, newKey: randomUUID, onTrouble, signal: ending.signal });
  const end = () => {
    ending.abort();
    fromDoor.destroy();
  };
  return { input: fromDoor, output: toDoor, end };
}

function reachHub({ workspace, environment, kind, start }: HubConnectionOptions, returning: boolean): Promise<HubLink> {
  return connectHub({
    workspace,
    stateDir: stateDirOf(workspace),
    programs: programsIn(),
    hubEnvironment: environment.hub,
    version: __VERSION__,
    kind,
    environment: environment.all,
    returning,
    // a hub that was there once is wanted again
    start: start || returning,
  });
}

/** Who wants to hear of which resource: each resource is listened to once, however many want to. */
function createWatches(client: Client) {
  interface Listening {
    readonly listeners: Set<(uri: string) => void>;
    readonly subscription: ReturnType<Client['listen']>;
  }
  const listened = new Map<string, Listening>();
  client.setNotificationHandler('notifications/resources/updated', ({ params: { uri } }) => {
    for (const listener of listened.get(uri)?.listeners ?? []) {
      // what a listener throws is its program's to see; in here it would be swallowed
      queueMicrotask(() => listener(uri));
    }
  });
  return {
    async add(uri: string, onChange: (uri: string) => void): Promise<Watching> {
      const listener = (changed: string) => onChange(changed);
      const entry = listened.get(uri) ?? {
        listeners: new Set(),
        subscription: client.listen({ resourceSubscriptions: [uri] }),
      };
      listened.set(uri, entry);
      entry.listeners.add(listener);
      const leave = () => {
        entry.listeners.delete(listener);
        if (entry.listeners.size > 0 || listened.get(uri) !== entry) return false;
        return listened.delete(uri);
      };
      const subscription = await entry.subscription.catch((error: unknown) => {
        leave();
        throw error;
      });
      return {
        async close() {
          if (leave()) await subscription.close();
        },
      };
    },
  };
}
