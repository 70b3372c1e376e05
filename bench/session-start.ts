// How long session_start takes, up to the answer: checks, the environment's file, the fact on disk, the place in the line.
import { open } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { connect, type TestClient } from '../test/support/clients.ts';
import { makeWorkspace } from '../test/support/workspace.ts';
import { type Bench, completed, startSession, taskFiles } from './bench.ts';
import { byTurns, rowOf, type Samples, timed } from './measure.ts';
import type { Programs } from './programs.ts';

const TASKS = 50;
const SLOTS = 3;
const BUSY_ROUNDS = 200;
const FREE_ROUNDS = 40;
const BUSY_P99_MS = 25;
/** About as long as the journal's line of a queued session. */
const LINE = `${'x'.repeat(700)}\n`;

export const sessionStart: Bench = {
  name: 'start',
  async run(programs) {
    const busy = await measured(programs, async (client, append) => {
      for (let slot = 0; slot < SLOTS; slot += 1)
        await startSession(client, { taskId: `task-${slot}`, agent: 'demo', prompt: '@@hang' });
      await slotsTaken(client);
      const ours = (round: number) =>
        timed(() => startSession(client, { taskId: `task-${round % TASKS}`, agent: 'demo', prompt: '@@say done' }));
      await byTurns({ rounds: 10, budgetMs: 2_000, ours, baseline: append });
      return byTurns({ rounds: BUSY_ROUNDS, budgetMs: 15_000, ours, baseline: append });
    });
    const free = await measured(programs, async (client, append) => {
      const ours = async (round: number) => {
        let id = '';
        const ms = await timed(async () => {
          id = await startSession(client, { taskId: `task-${round % TASKS}`, agent: 'demo', prompt: '@@say done' });
        });
        await completed(client, id);
        return ms;
      };
      await byTurns({ rounds: 3, budgetMs: 2_000, ours, baseline: append });
      return byTurns({ rounds: FREE_ROUNDS, budgetMs: 12_000, ours, baseline: append });
    });
    const against = 'one append and fdatasync';
    const target = ({ p99 }: { p99: number }) => ({ text: `p99 ≤ ${BUSY_P99_MS} ms`, measured: p99, most: BUSY_P99_MS });
    return [
      rowOf({ name: 'start busy', what: 'session_start, every slot taken', samples: busy, against, target }),
      rowOf({ name: 'start free', what: 'session_start, a slot free', samples: free, against }),
    ];
  },
};

/** Measures in a workspace of its own; whatever hangs there is ended. */
async function measured(
  { door }: Programs,
  measure: (client: TestClient, append: () => Promise<number>) => Promise<Samples>,
): Promise<Samples> {
  const userConfig = { resources: { maxConcurrentSessions: SLOTS } };
  const workspace = await makeWorkspace({ tasks: taskFiles(TASKS), userConfig });
  const client = await connect('modern', { env: workspace.env, cwd: workspace.path, command: door });
  const file = await open(path.join(workspace.root, 'baseline'), 'a');
  try {
    return await measure(client, () =>
      timed(async () => {
        await file.write(LINE);
        await file.datasync();
      }),
    );
  } finally {
    await file.close();
    await client.close();
    await workspace.close({ leftovers: 'end' });
  }
}

const Line = z.looseObject({ active: z.array(z.looseObject({ status: z.string() })) });

async function slotsTaken(client: TestClient): Promise<void> {
  for (;;) {
    const { active } = Line.parse(await client.call('queue_status'));
    if (active.filter(({ status }) => status === 'running').length === SLOTS) return;
    await delay(50);
  }
}
