// A workspace for the benchmarks of the line: its slots are full, so that whatever is started waits, and its line is filled by starts as anybody makes them.
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { connect, type TestClient } from '../test/support/clients.ts';
import { makeWorkspace, type Workspace } from '../test/support/workspace.ts';
import { startSession, taskFiles } from './bench.ts';
import type { Programs } from './programs.ts';

export interface Place {
  readonly workspace: Workspace;
  /** Each with a door of its own. */
  readonly clients: readonly TestClient[];
  /** A client that has just come, with a door of its own; closed with the others. */
  newcomer(): Promise<TestClient>;
  /** Starts one more session, which waits. Every one has a task of its own. */
  start(client: TestClient): Promise<string>;
  close(): Promise<void>;
}

export interface PlaceOptions {
  readonly clients: number;
  /** How many sessions wait in the line in the end. */
  readonly queued: number;
  /** How many were started and have completed before that. */
  readonly settled?: number;
  /** Most starts that are made besides. */
  readonly room: number;
}

const SLOTS = 3;
/** Starts under way at once while the line is filled, for each client. */
const AT_ONCE = 8;

const Line = z.looseObject({ waiting: z.number(), active: z.array(z.looseObject({ status: z.string() })) });
const Sessions = z.looseObject({ total: z.number() });

/** Makes it. */
export async function linePlace({ door }: Programs, options: PlaceOptions): Promise<Place> {
  const { queued, settled = 0, room } = options;
  const most = queued + settled + room;
  const workspace = await makeWorkspace({
    tasks: taskFiles(most),
    userConfig: {
      resources: { maxConcurrentSessions: SLOTS, maxQueueSize: most },
      // so that a start may find everything in the journal alone
      events: { maxEventHistory: 1_000_000 },
      agents: { quick: { kind: 'command', command: 'true', args: [] } },
    },
  });
  const clients: TestClient[] = [];
  const newcomer = async () => {
    const client = await connect('modern', { env: workspace.env, cwd: workspace.path, command: door });
    clients.push(client);
    return client;
  };
  let task = 0;
  const next = () => `task-${task++}`;
  const start = (client: TestClient) => startSession(client, { taskId: next(), agent: 'demo', prompt: '@@say done' });
  const close = async () => {
    for (const client of clients) await client.close();
    await workspace.close({ leftovers: 'end' });
  };
  try {
    // the first one starts the hub
    const first = await newcomer();
    await Promise.all(Array.from({ length: options.clients - 1 }, newcomer));
    await many(clients, settled, (client) => startSession(client, { taskId: next(), agent: 'quick', prompt: 'Nothing.' }));
    await settledAll(first, settled);
    for (let slot = 0; slot < SLOTS; slot += 1)
      await startSession(first, { taskId: next(), agent: 'demo', prompt: '@@hang', priority: 'highest' });
    await slotsTaken(first);
    await many(clients, queued, start);
    return { workspace, clients: [...clients], newcomer, start, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** How many sessions wait. */
export async function waiting(client: TestClient): Promise<number> {
  return Line.parse(await client.call('queue_status')).waiting;
}

async function many(clients: readonly TestClient[], count: number, deed: (client: TestClient) => Promise<unknown>) {
  let left = count;
  const worker = async (client: TestClient) => {
    while (left-- > 0) await deed(client);
  };
  await Promise.all(clients.flatMap((client) => Array.from({ length: AT_ONCE }, () => worker(client))));
}

async function settledAll(client: TestClient, count: number): Promise<void> {
  while (Sessions.parse(await client.call('session_list', { status: 'completed', limit: 1 })).total < count) await delay(100);
}

async function slotsTaken(client: TestClient): Promise<void> {
  for (;;) {
    const { active } = Line.parse(await client.call('queue_status'));
    if (active.filter(({ status }) => status === 'running').length === SLOTS) return;
    await delay(50);
  }
}
