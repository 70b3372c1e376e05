// The line under load: many starts at once, starts into a line of 10,000, and the hub that comes after a killed one with such a line.
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { connect, type TestClient } from '../test/support/clients.ts';
import type { MarkedProcess } from '../test/support/processes.ts';
import type { Bench } from './bench.ts';
import { linePlace, type Place, waiting } from './line-place.ts';
import { byTurns, type Row, rowOf, type Samples, timed } from './measure.ts';
import type { Programs } from './programs.ts';

const DOORS = 10;
const AT_ONCE = 50;
const BURSTS = 12;
const BURST_P99_MS = 100;
const DEEP = 10_000;
const SHALLOW = 100;
const SETTLED = 200;
const STARTS = 300;
const TIMES_SHALLOW = 2;
const RECOVERIES = 5;
const RECOVERY_MS = 2_000;

const SessionIds = z.looseObject({ sessions: z.array(z.looseObject({ id: z.string() })) });

export const line: Bench = {
  name: 'line',
  async run(programs) {
    const shallow = await linePlace(programs, { clients: DOORS, queued: SHALLOW, room: (BURSTS + 1) * AT_ONCE + STARTS + 100 });
    try {
      const burst = await bursts(programs, shallow);
      const deep = await linePlace(programs, { clients: DOORS, queued: DEEP, settled: SETTLED, room: STARTS + 100 });
      try {
        return [burst, await depth(deep, shallow), ...(await recoveries(deep, shallow))];
      } finally {
        await deep.close();
      }
    } finally {
      await shallow.close();
    }
  },
};

/** Every door sends its share at once; each call is a sample. */
async function bursts({ echo }: Programs, { clients, start, workspace }: Place): Promise<Row> {
  const peers = await Promise.all(
    clients.map(() => connect('modern', { env: workspace.env, cwd: workspace.path, command: echo })),
  );
  const samples: { ours: number[]; baseline: number[] } = { ours: [], baseline: [] };
  const atOnce = (all: readonly TestClient[], call: (client: TestClient) => Promise<unknown>) =>
    Promise.all(all.flatMap((client) => Array.from({ length: AT_ONCE / all.length }, () => timed(() => call(client)))));
  try {
    for (let round = 0; round <= BURSTS; round += 1) {
      const ours = await atOnce(clients, start);
      const baseline = await atOnce(peers, (peer) => peer.call('echo', { text: 'How long is the line?' }));
      if (round === 0) continue;
      samples.ours.push(...ours);
      samples.baseline.push(...baseline);
    }
  } finally {
    for (const peer of peers) await peer.close();
  }
  return rowOf({
    name: 'line burst',
    what: `${AT_ONCE} session_start at once through ${DOORS} doors, slots full`,
    samples,
    against: `${AT_ONCE} echoes at once from ${DOORS} bare SDK servers`,
    target: ({ p99 }) => ({ text: `p99 ≤ ${BURST_P99_MS} ms`, measured: p99, most: BURST_P99_MS }),
  });
}

/** A start in the one workspace, then one in the other; what was started is cancelled, so that the lines stay as long as they are. */
async function depth(deep: Place, shallow: Place): Promise<Row> {
  for (const place of [deep, shallow]) await shortened(place, place === deep ? DEEP : SHALLOW);
  const startIn = async ({ clients: [client], start }: Place) => {
    if (!client) throw new Error('The place has no client.');
    let sessionId = '';
    const ms = await timed(async () => {
      sessionId = await start(client);
    });
    await client.call('session_cancel', { sessionId });
    return ms;
  };
  const turns = { ours: () => startIn(deep), baseline: () => startIn(shallow) };
  await byTurns({ rounds: 20, budgetMs: 5_000, ...turns });
  const samples = await byTurns({ rounds: STARTS, budgetMs: 60_000, ...turns });
  return rowOf({
    name: 'line depth',
    what: `session_start into a line of ${DEEP}`,
    samples,
    against: `into a line of ${SHALLOW}`,
    target: ({ p99 }, before) => ({
      text: `p99 ≤ ${TIMES_SHALLOW} × that at ${SHALLOW}`,
      measured: p99,
      most: TIMES_SHALLOW * before.p99,
    }),
  });
}

/** Cancels what is too much in the line, the last ones first. */
async function shortened({ clients: [client] }: Place, to: number): Promise<void> {
  if (!client) return;
  for (let tooMany = (await waiting(client)) - to; tooMany > 0; ) {
    const { sessions } = SessionIds.parse(await client.call('session_list', { status: 'queued', limit: Math.min(100, tooMany) }));
    for (const { id } of sessions) await client.call('session_cancel', { sessionId: id });
    tooMany -= sessions.length;
  }
}

interface Recoveries {
  readonly took: Samples;
  /** Processor time of the hub, which says more than the clock where others use the machine too. */
  readonly spent: Samples;
}

async function recoveries(deep: Place, shallow: Place): Promise<readonly Row[]> {
  const rows = (from: string, { took, spent }: Recoveries): readonly Row[] => [
    rowOf({
      name: 'line recovery',
      what: `hub killed: start of the next one → queue_status, ${DEEP} queued, from ${from}`,
      samples: took,
      against: `${SHALLOW} queued`,
      target: ({ most }) => ({ text: `each ≤ ${RECOVERY_MS} ms`, measured: most, most: RECOVERY_MS }),
    }),
    rowOf({
      name: 'line recovery',
      what: `processor time of that, from ${from}`,
      samples: spent,
      against: `${SHALLOW} queued`,
    }),
  ];
  for (const place of [deep, shallow]) for (const client of place.clients) await client.close();
  const by = async (before: (place: Place) => Promise<void>): Promise<Recoveries> => {
    const spent: { ours: number[]; baseline: number[] } = { ours: [], baseline: [] };
    const measured = async (place: Place, spentBy: number[]) => {
      const { tookMs, cpuMs } = await recovered(place, before);
      spentBy.push(cpuMs);
      return tookMs;
    };
    const took = await byTurns({
      rounds: RECOVERIES,
      budgetMs: 120_000,
      ours: () => measured(deep, spent.ours),
      baseline: () => measured(shallow, spent.baseline),
    });
    return { took, spent };
  };
  const snapshot = await by(async () => {});
  const journal = await by(async ({ workspace }) => {
    for (const name of ['snapshot.json', 'snapshot.json.bak'])
      await rm(path.join(workspace.path, '.scopecraft', 'state', name), { force: true });
  });
  return [...rows('its snapshot', snapshot), ...rows('the journal alone', journal)];
}

/** Kills the hub and lets a door start the next one: from the start of that process until it has answered. */
async function recovered(
  place: Place,
  before: (place: Place) => Promise<void>,
): Promise<{ readonly tookMs: number; readonly cpuMs: number }> {
  const { workspace, newcomer } = place;
  await workspace.killHub();
  await before(place);
  const client = await patient(newcomer);
  await client.call('queue_status');
  const answeredAt = await uptimeMs();
  const hub = await workspace.hub();
  if (!hub) throw new Error('The hub that answered is gone.');
  const cpuMs = await spentMs(hub);
  await client.close();
  return { tookMs: answeredAt - startedMs(hub), cpuMs };
}

/** On a busy machine a client may give up before its hub is there; the next one finds it. */
async function patient(newcomer: () => Promise<TestClient>): Promise<TestClient> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await newcomer();
    } catch (error) {
      if (tries === 5) throw error;
    }
  }
}

/** Since the machine was started; as fine as its clock ticks, 10 ms. */
async function uptimeMs(): Promise<number> {
  return Number((await readFile('/proc/uptime', 'utf8')).split(' ')[0]) * 1000;
}

/** Processor time of a process until now. */
async function spentMs({ pid }: MarkedProcess): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  return (Number(user) + Number(system)) * 10;
}

function startedMs({ startedAt }: MarkedProcess): number {
  return Number(startedAt) * 10;
}
