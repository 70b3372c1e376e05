// The long runs, for a night: many kills of the hub, a million random histories of the scheduler, and 100,000 random messages on the doors. `npm run torture`.
import { spawnSync } from 'node:child_process';

const env = {
  ...process.env,
  SCOPECRAFT_KILLS: process.env.SCOPECRAFT_KILLS ?? '1000',
  SCOPECRAFT_HISTORIES: process.env.SCOPECRAFT_HISTORIES ?? '1000000',
  SCOPECRAFT_MESSAGES: process.env.SCOPECRAFT_MESSAGES ?? '100000',
};
const { status } = spawnSync('npx', ['vitest', 'run', 'test/load', 'test/core/scheduler.test.ts', 'test/doors/fuzz.test.ts'], {
  env,
  stdio: 'inherit',
});
process.exit(status ?? 1);
