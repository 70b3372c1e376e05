// The guard over real processes: what takes too much memory is ended with its whole tree, and nothing else.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Config } from '../../core/config.ts';
import type { EndCause } from '../../core/ending.ts';
import { createGuard } from '../../core/guard.ts';
import type { Run } from '../../core/ports.ts';
import type { Session } from '../../core/session.ts';
import { apply } from '../../core/session-fold.ts';
import { createMeter } from '../../runners/meter.ts';
import { isAlive, markOf, processTable } from '../../runners/process.ts';
import { readChild } from '../../runners/run-folder.ts';
import { systemClock } from '../../server/clock.ts';
import { ending, eventually, openRig, type Rig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterAll(() => rig.close());

/** A session whose first run has begun. */
function begun(sessionId: string): Session {
  const head = { at: 0, node: 'test/1' };
  const data = {
    sessionId,
    type: 'autonomous',
    taskId: 't',
    taskTitle: 'T',
    agent: 'demo',
    cwd: '/w',
    priority: 'medium',
    prompt: '',
    by: 'a test',
    position: 1,
  } as const;
  const queued = apply(undefined, { ...head, seq: 1, name: 'session.queued', data });
  return apply(queued, { ...head, seq: 2, name: 'session.starting', data: { sessionId, run: 1, resume: false } });
}

it('a run whose descendants eat memory is ended soon after it passed its limit, also what left its tree, and no other run is', async () => {
  // a daemon by double fork whose child takes 32 MB more every 100 ms, and then waits at 640 MB
  const eat = `const held = []; const timer = setInterval(() => { held.push(Buffer.alloc(32 << 20, 1)); console.log(held.length * 32); if (held.length === 20) clearInterval(timer); }, 100); setInterval(() => {}, 60000)`;
  const runs = new Map<string, Run>([
    ['eater', await rig.runner.start(rig.spec('eater', '', ['sh', '-c', `(setsid sh -c 'node -e "${eat}"; :' &) ; sleep 600`]))],
    ['bystander', await rig.runner.start(rig.spec('bystander', '', ['sh', '-c', 'sleep 600']))],
  ]);
  const sessions = new Map([...runs.keys()].map((id) => [id, begun(id)]));
  const stops: { readonly sessionId: string; readonly cause: EndCause; readonly at: number }[] = [];
  const config = Config.parse({ resources: { maxMemoryPerSession: '300MB' } });
  const guard = createGuard({
    clock: systemClock,
    meter: createMeter({ stateDir: rig.options.stateDir, exactAbove: () => 240 * 1024 ** 2 }),
    settings: { current: () => config },
    ledger: {
      record: async () => 0,
      subscribe: () => () => {},
      session: (id) => sessions.get(id),
      sessions: () => sessions.values(),
      counts: () => ({ active: 2, queued: 0, settled: 0 }),
    },
    stop: async (sessionId, cause) => {
      stops.push({ sessionId, cause, at: Date.now() });
      await runs.get(sessionId)?.stop(cause);
    },
    changed: () => {},
    onError: (error) => {
      throw error;
    },
  });
  try {
    const run = runs.get('eater');
    const ended = run && ending(run);
    const out = path.join(rig.folder('eater'), 'out');
    // with what Node takes for itself this is just below the limit
    const passedAt = await eventually(async () => ((await readFile(out, 'utf8')).includes('\n224\n') ? Date.now() : undefined));
    expect((await ended)?.exit).toEqual({ code: 137 });
    expect(Date.now() - passedAt).toBeLessThan(5000);
    expect(stops).toHaveLength(1);
    expect(stops[0]).toMatchObject({
      sessionId: 'eater',
      cause: { kind: 'memory', reason: expect.stringMatching(/^its \d processes used [\d.]+ MB; at most 300 MB are allowed$/) },
    });
    const left = (await processTable()).filter(({ pid, state }) => state !== 'Z' && markOf(pid)?.endsWith('/eater/1'));
    expect(left).toEqual([]);
    expect(isAlive(await eventually(() => readChild(rig.folder('bystander'))))).toBe(true);
  } finally {
    await guard.close();
  }
});
