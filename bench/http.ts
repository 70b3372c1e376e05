// HTTP: how long a small call takes beside a server made of the SDK alone; and two hundred clients that all watch one log: how late the last of
// them hears of a line, and how much memory the hub has then.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { connect } from '../test/support/clients.ts';
import { type Access, connectHttp, type HttpClient } from '../test/support/http-clients.ts';
import { serve } from '../test/support/serving.ts';
import { makeWorkspace, type Workspace } from '../test/support/workspace.ts';
import { type Bench, startSession, taskFiles } from './bench.ts';
import { besideEcho } from './latency.ts';
import { type Row, rowOf, type Samples } from './measure.ts';
import { residentMb } from './memory.ts';
import type { Command } from './programs.ts';

const TIMES_ECHO = 2;
const CLIENTS = 200;
/** Lines whose telling is measured. */
const LINES = 8;
/** The one line after the other: within the period in which changes are told together. */
const APART_SECONDS = 0.3;
const MOST_LATE_MS = 1100;
const MOST_MB = 200;
const PATIENCE_MS = 20_000;

export const http: Bench = {
  name: 'http',
  async run({ door, cli, httpEcho }) {
    const workspace = await makeWorkspace({
      tasks: taskFiles(3),
      userConfig: { agents: { shell: { kind: 'command', command: 'sh', args: ['-s'] } } },
    });
    const place = { env: workspace.env, cwd: workspace.path };
    const serving = await serve(place, [], cli);
    const owner = await connect('modern', { ...place, command: door });
    try {
      const access = await serving.access('operate');
      const latency = await callLatency(access, httpEcho);
      const script = Array.from(
        { length: LINES },
        (_, at) =>
          `while [ ! -e go-${at} ]; do sleep 0.05; done; echo first; sleep ${APART_SECONDS}; date +%s%3N > at-${at}; cat at-${at}`,
      ).join('\n');
      const sessionId = await startSession(owner, { prompt: script, agent: 'shell' });
      return [latency, ...(await crowd(workspace, access, sessionId))];
    } finally {
      await owner.close();
      await serving.interrupt();
      await workspace.close();
    }
  },
};

async function callLatency(access: Access, [program, ...args]: Command): Promise<Row> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], env: {} });
  const [printed] = await once(child.stdout, 'data');
  const { url } = z.object({ url: z.string() }).parse(JSON.parse(String(printed)));
  const ours = await connectHttp('modern', access);
  const peer = await connectHttp('modern', { url, token: 'none' });
  try {
    const by = { name: 'http call', what: 'queue_status over HTTP', against: 'echo on the bare SDK over HTTP' };
    return await besideEcho({ ours, peer, most: TIMES_ECHO, ...by });
  } finally {
    await ours.close();
    await peer.close();
    child.kill();
  }
}

async function crowd(workspace: Workspace, access: Access, sessionId: string): Promise<Row[]> {
  const uri = `session://${sessionId}/log`;
  const hub = (await workspace.hub())?.pid;
  const alone = await residentMb(hub);
  const clients: HttpClient[] = [];
  const heard: number[][] = [];
  try {
    for (let at = 0; at < CLIENTS; at += 1) {
      const client = await connectHttp('modern', access);
      const times: number[] = [];
      await client.subscribe([uri], () => times.push(Date.now()));
      clients.push(client);
      heard.push(times);
    }
    const late: Record<keyof Samples, number[]> = { ours: [], baseline: [] };
    const memory: number[] = [];
    for (let round = 0; round < LINES; round += 1) {
      for (const times of heard) times.length = 0;
      await writeFile(path.join(workspace.path, `go-${round}`), '');
      const arrivals = await allHeard(path.join(workspace.path, `at-${round}`), heard);
      late.ours.push(Math.max(...arrivals));
      late.baseline.push(Math.min(...arrivals));
      memory.push(await residentMb(hub));
      // the next line is not told together with this one
      await delay(1_500);
    }
    return [
      rowOf({
        name: 'http crowd',
        what: `a line → the last of ${CLIENTS} clients hears of it`,
        samples: late,
        against: 'the first of them',
        target: ({ most }) => ({ text: `each ≤ ${MOST_LATE_MS} ms`, measured: most, most: MOST_LATE_MS }),
      }),
      rowOf({
        name: 'http memory',
        what: `hub, resident, with ${CLIENTS} clients`,
        unit: 'MB',
        samples: { ours: memory, baseline: [alone] },
        against: 'the same with two',
        target: ({ most }) => ({ text: `≤ ${MOST_MB} MB`, measured: most, most: MOST_MB }),
      }),
    ];
  } finally {
    for (const client of clients) await client.close();
  }
}

/** How long after the time in the file each client heard of a change; rejects when one does not. */
async function allHeard(file: string, heard: readonly (readonly number[])[]): Promise<readonly number[]> {
  for (const until = Date.now() + PATIENCE_MS; Date.now() < until; await delay(20)) {
    const at = Number(await readFile(file, 'utf8').catch(() => ''));
    if (at === 0) continue;
    const arrivals = heard.map((times) => times.find((time) => time >= at));
    if (arrivals.every((time) => time !== undefined)) return arrivals.map((time) => Number(time) - at);
  }
  throw new Error(`Not all of ${heard.length} clients heard of the line.`);
}
