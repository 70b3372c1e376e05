// Runs the benchmarks, all or those named, and prints what they measured: `npm run bench -- [NAME…] [--long] [--json FILE] [--dist FOLDER]`.
// It measures and is no test: a missed target is said and the exit code stays 0.
import { writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { PROJECT } from '../test/support/project.ts';
import type { Bench } from './bench.ts';
import { claudeSession } from './claude-session.ts';
import { coldStart } from './cold-start.ts';
import { complete } from './complete.ts';
import { dispatch } from './dispatch.ts';
import { guard } from './guard.ts';
import { http } from './http.ts';
import { journal } from './journal.ts';
import { latency } from './latency.ts';
import { line } from './line.ts';
import type { Row } from './measure.ts';
import { memory } from './memory.ts';
import { copyPrograms } from './programs.ts';
import { rules } from './rules.ts';
import { sessionStart } from './session-start.ts';
import { tableOf } from './table.ts';
import { talk } from './talk.ts';

await main();

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'string' },
      long: { type: 'boolean', default: false },
      dist: { type: 'string', default: path.join(PROJECT, 'dist') },
    },
  });
  const benches: readonly Bench[] = [
    latency,
    complete,
    http,
    sessionStart,
    dispatch,
    claudeSession,
    talk,
    coldStart,
    memory,
    journal({ long: values.long }),
    guard,
    line,
    rules,
  ];
  const unknown = positionals.filter((name) => !benches.some((bench) => bench.name === name));
  if (unknown.length > 0) {
    console.error(`There is no benchmark "${unknown.join('", "')}". There are: ${benches.map(({ name }) => name).join(', ')}.`);
    process.exit(1);
  }
  const rows: Row[] = [];
  const programs = await copyPrograms(values.dist);
  try {
    for (const bench of benches.filter(({ name }) => positionals.length === 0 || positionals.includes(name))) {
      const from = performance.now();
      rows.push(...(await bench.run(programs)));
      console.error(`${bench.name}: measured in ${((performance.now() - from) / 1000).toFixed(1)} s`);
    }
  } finally {
    await programs.close();
  }
  // above the number of cores, the figures say as much about the rest of the machine as about us
  const load = { cores: cpus().length, average: loadavg()[0] ?? Number.NaN };
  console.log(`${tableOf(rows)}\n\nload average ${load.average.toFixed(1)} on ${load.cores} cores, Node ${process.version}`);
  if (values.json !== undefined)
    await writeFile(values.json, `${JSON.stringify({ node: process.version, load, rows }, undefined, 2)}\n`);
}
