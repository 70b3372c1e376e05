// How many events a second the ledger makes durable with group commit, beside a loop that appends and syncs line by line, and what memory that takes.
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { PROJECT } from '../test/support/project.ts';
import type { Bench } from './bench.ts';
import { rowOf } from './measure.ts';

const SECONDS = 15;
const LONG_SECONDS = 75;
/** 20,000 events a second. */
const MOST_MS = 50;
const MOST_MB = 20;

const Seen = z.object({
  ours: z.array(z.number()),
  bare: z.array(z.number()),
  residentMb: z.array(z.number()),
  heapMb: z.array(z.number()),
  events: z.array(z.number()),
});

/** `long`: for a minute of writing, about a million events; otherwise a quarter of that. */
export function journal({ long = false }: { readonly long?: boolean } = {}): Bench {
  return {
    name: 'journal',
    async run() {
      const folder = await mkdtemp(path.join(tmpdir(), 'sc-bench-journal-'));
      try {
        const seen = await written(folder, long ? LONG_SECONDS : SECONDS);
        const count = seen.events.at(-1) ?? 0;
        const memory = (name: string, samples: readonly number[]) =>
          rowOf({
            name: 'journal memory',
            what: `${name}, second half of ${count} events`,
            unit: 'MB',
            samples: { ours: samples.slice(samples.length / 2), baseline: samples.slice(0, 3) },
            against: 'its start',
            target: ({ p50 }, start) => ({ text: `≤ ${MOST_MB} MB above its start`, measured: p50 - start.p50, most: MOST_MB }),
          });
        return [
          rowOf({
            name: 'journal',
            what: 'record 1,000 events, each durable',
            samples: { ours: seen.ours, baseline: seen.bare },
            against: 'append and fsync, one by one',
            target: ({ p50 }) => ({ text: `p50 ≤ ${MOST_MS} ms (20,000 a second)`, measured: p50, most: MOST_MS }),
          }),
          memory('in use after a collection', seen.heapMb),
          memory('resident', seen.residentMb),
        ];
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

async function written(folder: string, seconds: number): Promise<z.infer<typeof Seen>> {
  const program = path.join(PROJECT, 'bench', 'journal-writer.ts');
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--expose-gc', '--import', 'tsx', program, folder, String(seconds)],
    { cwd: PROJECT },
  );
  return Seen.parse(JSON.parse(stdout));
}
