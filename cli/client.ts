// The CLI's connection to the hub of the workspace: an MCP client that calls tools and listens to resources.
import { randomUUID } from 'node:crypto';
import { Client } from '@modelcontextprotocol/client';
import { z } from 'zod';
import { toolFailure } from '../client/failure.ts';
import { streamTransport } from '../client/stream-transport.ts';
import { fail } from '../core/errors.ts';
import { readEnvironment } from '../server/config.ts';
import { connectHub } from '../server/connect.ts';
import { programsIn } from '../server/programs.ts';
import type { Welcome } from '../server/wire.ts';
import { findWorkspace, stateDirOf } from '../server/workspace.ts';

declare const __VERSION__: string;

export interface HubClient {
  readonly workspace: string;
  readonly hub: Welcome;
  /** The structured answer of a tool. Fails with the tool's error. */
  call(tool: string, args: Readonly<Record<string, unknown>>, signal?: AbortSignal): Promise<Readonly<Record<string, unknown>>>;
  /** Calls back when one of the resources changed, until closed. */
  listen(uris: readonly string[], onChange: (uri: string) => void): Promise<void>;
  close(): Promise<void>;
}

export interface ClientOptions {
  /** What `--workspace` said. */
  readonly workspace?: string | undefined;
  /** False: only to a hub that runs already. */
  readonly start?: boolean;
}

/** So often a call, or a connection, is begun with another hub. */
const MOST_TRIES = 5;

/** The workspace that the CLI is about. Fails with WORKSPACE_MISSING. */
export function workspaceOf(flag: string | undefined): string {
  const cwd = process.cwd();
  return (
    findWorkspace({ flag, environment: readEnvironment(), cwd }) ??
    fail('WORKSPACE_MISSING', `"${cwd}" is no place for a workspace.`)
  );
}

/** Connects to the hub, starting it where there is none. When the hub is gone later, calls and subscriptions go on with the next one. */
export async function connectClient({ workspace: flag, start = true }: ClientOptions): Promise<HubClient> {
  const workspace = workspaceOf(flag);
  const listeners = new Set<(uri: string) => void>();
  const watched = new Set<string>();
  let link = await openLink(workspace, start, listeners);

  let relinking: Promise<void> | undefined;
  const relink = (broken: Link): Promise<void> => {
    if (link !== broken) return Promise.resolve();
    relinking ??= open().finally(() => {
      relinking = undefined;
    });
    return relinking;
  };
  const open = async () => {
    for (let tries = 1; ; tries++) {
      link = await openLink(workspace, true, listeners);
      if (watched.size === 0 || (await listens(link, [...watched]))) break;
      if (tries === MOST_TRIES) failClosing(link.hub);
    }
    // what changed while nobody listened is not known: everything may have
    for (const listener of listeners) for (const uri of watched) listener(uri);
  };
  /** Listens for as long as this hub lives, and then anew; false where it is gone already. */
  const listens = async (listening: Link, uris: readonly string[]): Promise<boolean> => {
    try {
      await listening.client.listen({ resourceSubscriptions: [...uris] });
    } catch (error) {
      if (listening.isOpen()) throw error;
    }
    if (!listening.isOpen()) return false;
    listening.onClose(() => void relink(listening).catch(() => undefined));
    return true;
  };
  return {
    workspace,
    get hub() {
      return link.hub;
    },
    async call(name, args, signal) {
      const _meta = { 'scopecraft/requestKey': randomUUID() };
      for (let tries = 1; ; tries++) {
        const used = link;
        try {
          const result = await used.client.callTool(
            { name, arguments: { ...args }, _meta },
            { timeout: 120_000, ...(signal && { signal }) },
          );
          if (result.isError) throw toolFailure(result.content);
          return z.record(z.string(), z.unknown()).parse(result.structuredContent);
        } catch (error) {
          if (used.isOpen()) throw error;
          if (tries === MOST_TRIES) failClosing(used.hub);
          await relink(used);
        }
      }
    },
    async listen(uris, onChange) {
      listeners.add(onChange);
      for (const uri of uris) watched.add(uri);
      const listened = link;
      if (!(await listens(listened, uris))) await relink(listened);
    },
    close: () => link.client.close(),
  };
}

interface Link {
  readonly client: Client;
  readonly hub: Welcome;
  isOpen(): boolean;
  onClose(callback: () => void): void;
}

/** A hub that dies in the moment in which it is reached has a successor. */
async function openLink(workspace: string, start: boolean, listeners: ReadonlySet<(uri: string) => void>): Promise<Link> {
  const environment = readEnvironment();
  for (let tries = 1; ; tries++) {
    const { socket, welcome } = await connectHub({
      workspace,
      stateDir: stateDirOf(workspace),
      programs: programsIn(),
      hubEnvironment: environment.hub,
      version: __VERSION__,
      kind: 'cli',
      environment: environment.all,
      cwd: process.cwd(),
      start,
    });
    const client = new Client({ name: 'sc', version: __VERSION__ }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
    client.setNotificationHandler('notifications/resources/updated', ({ params }) => {
      for (const listener of listeners) listener(params.uri);
    });
    const isOpen = () => !socket.destroyed && !socket.readableEnded;
    try {
      await client.connect(streamTransport({ input: socket, output: socket, end: () => socket.destroySoon() }));
      return { client, hub: welcome, isOpen, onClose: (callback) => void socket.once('close', callback) };
    } catch (error) {
      if (isOpen()) throw error;
      if (tries === MOST_TRIES) failClosing(welcome);
    }
  }
}

function failClosing({ pid }: Welcome): never {
  fail('HUB_UNREACHABLE', `The hub of this workspace (pid ${pid}) closes every connection once it is made.`);
}
