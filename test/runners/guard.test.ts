// The guard over real processes: what takes too much memory is ended with its whole tree, and nothing else.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Config } from '../../core/config.ts';
import type { EndCause } from '../../core/ending.ts';
import { createGuard } from '../../core/guard.ts';
import type { Run } from '../../core/run-ports.ts';
import type { Session } from '../../core/session.ts';
import { apply } from '../../core/session-fold.ts';
import { createMeter } from '../../runners/meter.ts';
import { isAlive, markOf, processTable } from '../../runners/process.ts';
import { readChild } from '../../runners/run-folder.ts';
import { systemClock } from '../../server/clock.ts';
import { queuedEvent } from '../support/queued-event.ts';
import { ending, eventually, openRig, type Rig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterAll(() => rig.close());

/** A session whose first run has begun. */
function begun(sessionId: string): Session {
  const head = { at: 0, node: 'test/1' };
  const queued = apply(undefined, { ...head, seq: 1, ...queuedEvent(sessionId) });
  return apply(queued, { ...head, seq: 2, name: 'session.starting', data: { sessionId, run: 1, resume: false } });
}

/** What a daemon that eats memory does: `takes` MB each time, up to twice its limit. It says when it goes over it, and, as long as it lives, the time. */
const eater = (takes: number, pauseMs: number) => `
const held = [];
let passedAt;
setInterval(() => {
  const bytes = process.memoryUsage.rss() + (${takes} << 20);
  if (!passedAt && bytes > ${LIMIT_MB} << 20) console.log('passed', (passedAt = Date.now()));
  if (bytes < ${2 * LIMIT_MB} << 20) held.push(Buffer.alloc(${takes} << 20, 1));
}, ${pauseMs});
setInterval(() => console.log('alive', Date.now()), 20);
`;
const LIMIT_MB = 300;

it.each([
  ['grows', 32, 100],
  // nothing tells before that it will
  ['takes all at once', 400, 2500],
])(
  'a run whose descendant %s is gone within 3 s of passing its limit, also what left its tree, and no other run is',
  async (name, takes, pauseMs) => {
    const id = `eater-${takes}`;
    const program = path.join(rig.root, `${id}.mjs`);
    await writeFile(program, eater(takes, pauseMs));
    // a daemon by double fork
    const command = `(setsid sh -c 'node "${program}"; :' &) ; sleep 600`;
    const runs = new Map<string, Run>([
      [id, await rig.runner.start(rig.spec(id, '', ['sh', '-c', command]))],
      [`by-${id}`, await rig.runner.start(rig.spec(`by-${id}`, '', ['sh', '-c', 'sleep 600']))],
    ]);
    const sessions = new Map([...runs.keys()].map((id) => [id, begun(id)]));
    const stops: { readonly sessionId: string; readonly cause: EndCause }[] = [];
    const config = Config.parse({ resources: { maxMemoryPerSession: `${LIMIT_MB}MB` } });
    const guard = createGuard({
      clock: systemClock,
      meter: createMeter({ stateDir: rig.options.stateDir, exactAbove: () => 0.8 * LIMIT_MB * 1024 ** 2 }),
      settings: { current: () => config },
      ledger: {
        record: async () => 0,
        subscribe: () => () => {},
        session: (id) => sessions.get(id),
        sessions: () => sessions.values(),
        counts: () => ({ active: 2, queued: 0, settled: 0 }),
      },
      stop: async (sessionId, cause) => {
        stops.push({ sessionId, cause });
        await runs.get(sessionId)?.stop(cause);
      },
      changed: () => {},
      onError: (error) => {
        throw error;
      },
    });
    try {
      const run = runs.get(id);
      expect(run && (await ending(run)).exit).toEqual({ code: 137 });
      const said = await readFile(path.join(rig.folder(id), 'out'), 'utf8');
      const times = (word: string) => [...said.matchAll(new RegExp(`^${word} (\\d+)$`, 'gm'))].map(([, at]) => Number(at));
      const [passedAt = Number.NaN] = times('passed');
      // its own words, so that it does not matter how busy this test is
      const livedMs = (times('alive').at(-1) ?? Number.NaN) - passedAt;
      expect(livedMs, name).toBeLessThan(3000);
      expect(stops).toHaveLength(1);
      expect(stops[0]).toMatchObject({
        sessionId: id,
        cause: { kind: 'memory', reason: expect.stringMatching(/^its \d processes used [\d.]+ MB; at most 300 MB are allowed$/) },
      });
      const left = (await processTable()).filter(({ pid, state }) => state !== 'Z' && markOf(pid)?.endsWith(`/${id}/1`));
      expect(left).toEqual([]);
      expect(isAlive(await eventually(() => readChild(rig.folder(`by-${id}`))))).toBe(true);
    } finally {
      await guard.close();
    }
  },
  60_000,
);
