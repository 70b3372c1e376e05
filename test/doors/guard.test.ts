// The limits of machine, money and logs in a real hub: each of them is in force there, stops or holds back what it should, and says why.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { connect, type TestClient } from '../support/clients.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

/** A program that speaks as Claude Code does, is there at once, and takes next to no memory. */
const shell = (script: string, output: 'text' | 'stream-json' = 'text') =>
  ({ kind: 'command', command: 'sh', args: ['-c', script], output }) as const;
const record = JSON.stringify({ type: 'result', subtype: 'success', is_error: false, result: 'done', total_cost_usd: 1 });
const AGENTS = {
  hungry: {
    kind: 'command',
    command: process.execPath,
    args: ['-e', 'const a = Buffer.alloc(3e8, 1); setInterval(() => a, 1e6)'],
  },
  flooding: shell('yes | head -c 300000; exec sleep 600'),
  silent: shell('exec sleep 600', 'stream-json'),
  paid: shell(`echo '${record}'`, 'stream-json'),
  patient: shell('exec sleep 600'),
  // it ends at once, which does not matter to the one that is to start behind it
  ending: { kind: 'claude', command: 'true' },
};

const open: { readonly workspace: Workspace; readonly client: TestClient }[] = [];

/** A hub with these settings, and a client of it. */
async function hubWith(config: Readonly<Record<string, unknown>>): Promise<TestClient> {
  const workspace = await makeWorkspace({ userConfig: { agents: AGENTS, ...config } });
  const client = await connect('modern', { env: workspace.env, cwd: workspace.path });
  open.push({ workspace, client });
  return client;
}

const Session = z.looseObject({
  id: z.string(),
  status: z.string(),
  cause: z.looseObject({ kind: z.string(), reason: z.string().optional() }).optional(),
});
const Line = z.looseObject({
  heldBack: z.string().optional(),
  active: z.array(z.looseObject({ id: z.string() })),
  line: z.array(z.looseObject({ id: z.string(), reason: z.string() })),
});

const start = async (client: TestClient, agent: string) =>
  Session.parse(await client.call('session_start', { prompt: `Be ${agent}.`, agent })).id;
const lineOf = async (client: TestClient) => Line.parse(await client.call('queue_status'));
const cancel = (client: TestClient, sessionId: string) => client.call('session_cancel', { sessionId });
/** How it ended. */
async function ended(client: TestClient, sessionId: string) {
  await client.call('session_wait', { sessionIds: [sessionId], timeoutSeconds: 20 });
  const { status, cause } = Session.parse(await client.call('session_get', { sessionId }));
  return { status, cause: { kind: cause?.kind, reason: cause?.reason } };
}

let limited: TestClient;
let crowded: TestClient;

beforeAll(async () => {
  [limited, crowded] = await Promise.all([
    hubWith({
      resources: {
        maxConcurrentSessions: 10,
        maxMemoryPerSession: '150MB',
        startTimeoutMs: 2500,
        sampleIntervalMs: 250,
        staggerMs: 60_000,
      },
      storage: { maxLogBytes: '64KB' },
    }),
    // the guard itself is to let the line go on, not the look at it from time to time
    hubWith({ resources: { minFreeMemory: '900GB', sampleIntervalMs: 250 }, queue: { processingIntervalMs: 60_000 } }),
  ]);
});

afterAll(async () => {
  for (const { workspace, client } of open.splice(0)) {
    await client.close();
    await workspace.close({ leftovers: 'end' });
  }
});

describe('a run of a real hub', () => {
  it('that takes more memory, floods its log or never speaks is ended, each with its cause', async () => {
    const ids = await Promise.all(['hungry', 'flooding', 'silent'].map((agent) => start(limited, agent)));
    const [hungry, flooding, silent] = await Promise.all(ids.map((id) => ended(limited, id)));
    expect(hungry).toEqual({
      status: 'failed',
      cause: { kind: 'memory', reason: expect.stringMatching(/ used [\d.]+ MB; at most 150 MB are allowed$/) },
    });
    expect(flooding).toEqual({
      status: 'failed',
      cause: { kind: 'log_flood', reason: expect.stringMatching(/^its log has [\d.]+ KB; at most 64 KB are kept$/) },
    });
    expect(silent).toEqual({
      status: 'failed',
      cause: { kind: 'idle_timeout', reason: 'it said nothing within 2500 ms of its start' },
    });
  });
});

describe('a start in a real hub', () => {
  it('waits where the machine has too little memory, says so to all, and goes on when it has enough', async () => {
    const id = await start(crowded, 'patient');
    const says = expect.stringMatching(/^.+ of memory are free, 900 GB must stay free$/);
    await expect.poll(() => lineOf(crowded)).toMatchObject({ heldBack: says, active: [] });
    expect((await lineOf(crowded)).line).toMatchObject([
      { id, reason: expect.stringMatching(/^waits: .+ of memory are free, /) },
    ]);
    expect(await crowded.call('event_list', { types: ['resource.exhausted'] })).toMatchObject({
      events: [{ name: 'resource.exhausted', data: { resourceType: 'free_memory' } }],
    });
    await crowded.call('session_config', { settings: ['resources.minFreeMemory=0'] });
    await expect.poll(() => lineOf(crowded)).toMatchObject({ active: [{ id }], line: [] });
    await cancel(crowded, id);
  });

  it('of Claude Code waits where another one was started a moment ago, and no other agent does', async () => {
    const [first, second] = [await start(limited, 'ending'), await start(limited, 'ending')];
    const other = await start(limited, 'patient');
    await ended(limited, first);
    await expect
      .poll(() => lineOf(limited))
      .toMatchObject({
        active: [{ id: other }],
        line: [{ id: second, reason: expect.stringMatching(/^waits until 2/) }],
      });
    for (const id of [second, other]) await cancel(limited, id);
  });

  it('waits where the money of the day is spent, and goes on when there may be more', async () => {
    expect(await ended(limited, await start(limited, 'paid'))).toMatchObject({ status: 'completed' });
    await limited.call('session_config', { settings: ['budget.maxCostPerDay=0.5'] });
    const id = await start(limited, 'patient');
    expect((await lineOf(limited)).line).toMatchObject([{ id, reason: 'waits: $1.00 of $0.50 were spent in the last 24 hours' }]);
    await limited.call('session_config', { reset: ['budget.maxCostPerDay'] });
    await expect.poll(() => lineOf(limited)).toMatchObject({ active: [{ id }], line: [] });
    await cancel(limited, id);
  });
});
