// The long runs, for a night: what is random, or done again and again, is done for much longer than in a usual run of the tests.
// `npm run torture`; `npm run torture -- crash paste` runs those two.
import { spawnSync } from 'node:child_process';

/** What each makes longer, and where it is: how often a hub, a client of tmux or a writer is killed, or how many random inputs there are. */
const RUNS = {
  crash: { file: 'test/load/crash.test.ts', variable: 'SCOPECRAFT_KILLS', times: 1000 },
  paste: { file: 'test/runners/terminal-paste.test.ts', variable: 'SCOPECRAFT_PASTES', times: 5000 },
  scheduler: { file: 'test/core/scheduler.test.ts', variable: 'SCOPECRAFT_HISTORIES', times: 1_000_000 },
  fuzz: { file: 'test/doors/fuzz.test.ts', variable: 'SCOPECRAFT_MESSAGES', times: 100_000 },
  talk: { file: 'test/core/talking.test.ts', variable: 'SCOPECRAFT_TALKS', times: 10_000 },
  race: { file: 'test/server/lock-race.test.ts', variable: 'SCOPECRAFT_RACES', times: 1000 },
  keeper: { file: 'test/server/hub.test.ts', variable: 'SCOPECRAFT_HUB_KILLS', times: 100 },
  deliver: { file: 'test/runners/tmux-control.test.ts', variable: 'SCOPECRAFT_CLIENT_KILLS', times: 1000 },
  journal: { file: 'test/storage/journal.test.ts', variable: 'SCOPECRAFT_WRITER_KILLS', times: 500 },
  repair: { file: 'test/storage/journal-repair.test.ts', variable: 'SCOPECRAFT_DAMAGES', times: 1000 },
  splice: { file: 'test/storage/task-splice-any.test.ts', variable: 'SCOPECRAFT_SPLICES', times: 10_000 },
} as const;

const names = process.argv.slice(2);
const runs = Object.entries(RUNS).filter(([name]) => names.length === 0 || names.includes(name));
if (runs.length < names.length) {
  console.error(`Not all of these are long runs: ${names.join(', ')}. There are: ${Object.keys(RUNS).join(', ')}.`);
  process.exit(2);
}
const variables = runs.map(([, { variable, times }]) => [variable, process.env[variable] ?? String(times)]);
const files = runs.map(([, { file }]) => file);
const { status } = spawnSync('npx', ['vitest', 'run', ...files], {
  env: { ...process.env, ...Object.fromEntries(variables) },
  stdio: 'inherit',
});
process.exit(status ?? 1);
