// The long runs, for a night: many kills of the hub, thousands of random prompts pasted into a terminal, random histories of the scheduler
// and of what is said to sessions by the hundred thousand, and as many random messages on every door. `npm run torture`; `npm run torture -- crash paste` runs those two.
import { spawnSync } from 'node:child_process';

/** What each makes longer, and where it is. */
const RUNS = {
  crash: { file: 'test/load/crash.test.ts', variable: 'SCOPECRAFT_KILLS', times: 1000 },
  paste: { file: 'test/runners/terminal-paste.test.ts', variable: 'SCOPECRAFT_PASTES', times: 5000 },
  scheduler: { file: 'test/core/scheduler.test.ts', variable: 'SCOPECRAFT_HISTORIES', times: 1_000_000 },
  fuzz: { file: 'test/doors/fuzz.test.ts', variable: 'SCOPECRAFT_MESSAGES', times: 100_000 },
  talk: { file: 'test/core/talking.test.ts', variable: 'SCOPECRAFT_TALKS', times: 10_000 },
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
