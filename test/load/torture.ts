// The long runs, for a night: many kills of the hub, and a million random histories of the scheduler. `npm run torture`.
import { spawnSync } from 'node:child_process';

const env = {
  ...process.env,
  SCOPECRAFT_KILLS: process.env.SCOPECRAFT_KILLS ?? '1000',
  SCOPECRAFT_HISTORIES: process.env.SCOPECRAFT_HISTORIES ?? '1000000',
};
const { status } = spawnSync('npx', ['vitest', 'run', 'test/load', 'test/core/scheduler.test.ts'], { env, stdio: 'inherit' });
process.exit(status ?? 1);
