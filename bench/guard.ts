// What one sample of the resource guard costs in processor time, with fifty runs of four processes each beside it; besides, pidusage alone on
// the same processes, which knows neither trees nor shared memory.
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pidusage from 'pidusage';
import { AgentEntry } from '../core/agent.ts';
import type { Run } from '../core/run-ports.ts';
import { createAutonomousRunner } from '../runners/autonomous.ts';
import { createMeter } from '../runners/meter.ts';
import { markOf, processTable } from '../runners/process.ts';
import { systemClock } from '../server/clock.ts';
import { PROJECT } from '../test/support/project.ts';
import type { Bench } from './bench.ts';
import { byTurns, processorMs, rowOf } from './measure.ts';

const SESSIONS = 50;
const PROCESSES = 4;
const ROUNDS = 30;
const INTERVAL_MS = 2000;
const MOST_SHARE = 0.02;
const EACH_MB = 48;
/** A sh with a Node that holds memory, a sleep: as an agent with its tools. */
const AGENT = `node -e 'const held = Buffer.alloc(${EACH_MB} << 20, 1); setInterval(() => held, 6e4)' & sleep 600 & wait`;

export const guard: Bench = {
  name: 'guard',
  async run() {
    const root = await realpath(await mkdtemp(path.join(tmpdir(), 'guard-')));
    const stateDir = path.join(root, 'state');
    const runner = createAutonomousRunner({
      stateDir,
      workspace: root,
      nodePath: process.execPath,
      hubPidFile: path.join(stateDir, 'hub.pid'),
      scripts: { supervise: path.join(PROJECT, 'runners', 'supervise.sh'), keeper: '', demoAgent: '', hub: '' },
      clock: systemClock,
    });
    const runs: Run[] = [];
    try {
      const asked = Array.from({ length: SESSIONS }, (_, at) => ({ sessionId: `s-${at}`, run: 1 }));
      for (const { sessionId, run } of asked) {
        const agent = { ...AgentEntry.parse({ kind: 'command', command: 'sh', args: ['-c', AGENT] }), name: 'sh' };
        const env = { PATH: process.env.PATH ?? '' };
        runs.push(
          await runner.start({
            sessionId,
            run,
            agent,
            type: 'autonomous',
            messages: [{ promptId: '00000000-0000-4000-8000-000000000000', text: '', mode: 'queue' }],
            briefing: '',
            cwd: root,
            env,
            conversationId: '',
            resume: false,
          }),
        );
      }
      const meter = createMeter({ stateDir, exactAbove: () => 4 * 1024 ** 3 });
      const sample = async () => (await meter.sample(asked)).runs;
      await grown(sample);
      const pids = await marked(runs.length);
      const ours = () => processorMs(sample);
      const baseline = () => processorMs(() => pidusage(pids));
      await byTurns({ rounds: 10, budgetMs: 10_000, ours, baseline });
      const samples = await byTurns({ rounds: ROUNDS, budgetMs: 20_000, ours, baseline });
      const most = INTERVAL_MS * MOST_SHARE;
      return [
        rowOf({
          name: 'guard sample',
          what: `processor time, ${SESSIONS} sessions of ${PROCESSES} processes`,
          samples,
          against: `pidusage of ${pids.length} processes`,
          target: ({ p50 }) => ({ text: `2 % of a core at one per 2 s`, measured: p50, most }),
        }),
      ];
    } finally {
      await Promise.all(runs.map((run) => ended(run)));
      await rm(root, { recursive: true, force: true });
    }
  },
};

/** Waits until every run has all its processes and holds its memory. */
async function grown(
  sample: () => Promise<ReadonlyMap<string, { readonly processes: number; readonly memoryBytes: number }>>,
): Promise<void> {
  for (const until = performance.now() + 60_000; performance.now() < until; await delay(500)) {
    const all = [...(await sample()).values()];
    if (all.length === SESSIONS && all.every((run) => run.processes >= PROCESSES && run.memoryBytes > EACH_MB << 20)) return;
  }
  throw new Error(`Not all of the ${SESSIONS} runs came up within a minute.`);
}

async function marked(least: number): Promise<number[]> {
  const pids = (await processTable()).filter(({ pid }) => markOf(pid)?.includes('/s-')).map(({ pid }) => pid);
  if (pids.length < least) throw new Error(`Only ${pids.length} processes carry the mark of a run.`);
  return pids;
}

async function ended(run: Run): Promise<void> {
  await run.stop({ kind: 'memory' });
  for await (const event of run.events) if (event.kind === 'ended') return;
}
