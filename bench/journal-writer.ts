// The program the journal benchmark measures: a ledger on disk with snapshots, trimming and cleanup, and by turns a bare append-and-fsync loop.
// `node --expose-gc --import tsx bench/journal-writer.ts FOLDER SECONDS` prints one line of JSON.
import { open } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { Config } from '../core/config.ts';
import type { EventDraft } from '../core/events.ts';
import { openLedger } from '../core/ledger.ts';
import { startRetention } from '../core/retention.ts';
import { systemClock } from '../server/clock.ts';
import { openJournal } from '../storage/embedded/journal.ts';
import { openSnapshot } from '../storage/embedded/snapshot.ts';

/** Callers that each wait for one event before they record the next. */
const CALLERS = 1_024;
const TASKS = 20;
const KEPT = 500;
const OURS_MS = 1_000;
const BARE_MS = 300;

const [folder = '.', seconds = '10'] = process.argv.slice(2);
const until = performance.now() + Number(seconds) * 1000;
const journal = await openJournal(path.join(folder, 'journal'));
const ledger = await openLedger({
  journal,
  clock: systemClock,
  node: 'bench/1',
  snapshot: openSnapshot(path.join(folder, 'snapshot.json')),
  onListenerError(error) {
    throw error;
  },
});
const config = Config.parse({ cleanup: { keepSessions: KEPT, cleanupIntervalMs: 1000 } });
const retention = startRetention({
  ledger,
  clock: systemClock,
  settings: { current: () => config },
  removeFolders: async () => {},
  onError(error) {
    throw error;
  },
});
const bare = await open(path.join(folder, 'bare'), 'a', 0o600);

let sessions = 0;
let events = 0;
let isOver = true;
const seen: Record<'ours' | 'bare' | 'residentMb' | 'heapMb' | 'events', number[]> = {
  ours: [],
  bare: [],
  residentMb: [],
  heapMb: [],
  events: [],
};
for (let turn = 0; performance.now() < until; turn++) {
  const from = events;
  const began = performance.now();
  isOver = false;
  setTimeout(() => {
    isOver = true;
  }, OURS_MS);
  await Promise.all(Array.from({ length: CALLERS }, caller));
  const perThousand = ((performance.now() - began) / (events - from)) * 1000;
  const appended = await bareLoop();
  // the first turn warms up
  if (turn === 0) continue;
  seen.ours.push(perThousand);
  seen.bare.push(appended);
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  seen.residentMb.push(rss / 2 ** 20);
  seen.heapMb.push((heapUsed + external) / 2 ** 20);
  seen.events.push(events);
}
retention.close();
await ledger.close();
await journal.close();
await bare.close();
process.stdout.write(`${JSON.stringify(seen)}\n`);

async function caller(): Promise<void> {
  while (!isOver) {
    for (const draft of lifeOf(++sessions)) {
      await ledger.record(draft);
      events++;
    }
  }
}

function lifeOf(number: number): EventDraft[] {
  const sessionId = `task-${number}`;
  return [
    {
      name: 'session.queued',
      data: {
        sessionId,
        type: 'autonomous',
        taskId: `t-${number % TASKS}`,
        taskTitle: 'A task',
        agent: 'demo',
        cwd: '/w',
        priority: 'medium',
        prompt: 'Do what the task says, then report.',
        by: 'bench',
        position: 1,
        requestKey: `key-${number}`,
      },
    },
    {
      name: 'session.starting',
      data: { sessionId, run: 1, conversationId: '00000000-0000-4000-8000-000000000000', resume: false },
    },
    { name: 'session.started', data: { sessionId, run: 1, process: { pid: 4242, startedAt: '123456' } } },
    {
      name: 'session.completed',
      data: {
        sessionId,
        run: 1,
        cause: { kind: 'done', exitCode: 0 },
        result: { text: 'Done.', isError: false, costUsd: 0.01, turns: 2 },
      },
    },
  ];
}

/** One line, one fsync, and the next; milliseconds per 1,000. */
async function bareLoop(): Promise<number> {
  const json = JSON.stringify(lifeOf(1)[0]);
  const began = performance.now();
  let count = 0;
  while (performance.now() - began < BARE_MS) {
    await bare.write(`${crc32(json).toString(16).padStart(8, '0')} ${json}\n`);
    await bare.datasync();
    count++;
  }
  return ((performance.now() - began) / count) * 1000;
}
