import { defineConfig } from 'vitest/config';
import LongestFirst from './test/support/longest-first.ts';

const REPLACING = ['test/server/lock-listen.test.ts', 'test/storage/forced-to-disk.test.ts'];

export default defineConfig({
  define: { __VERSION__: JSON.stringify('0.0.0-test') },
  test: {
    // limits for what hangs, not for what is slow: the machine may be busy
    testTimeout: 90_000,
    hookTimeout: 90_000,
    expect: { poll: { timeout: 15_000 } },
    maxWorkers: 2,
    // files that take the place of modules, before anybody has loaded them
    projects: [
      { extends: true, test: { name: 'shared', include: ['test/**/*.test.ts'], exclude: REPLACING, isolate: false } },
      { extends: true, test: { name: 'alone', include: REPLACING } },
    ],
    sequence: { sequencer: LongestFirst },
    reporters: ['default', './test/support/closing-line.ts'],
    coverage: {
      provider: 'v8',
      include: ['core/**/*.ts'],
      reporter: ['text-summary'],
      thresholds: { lines: 95, statements: 95, functions: 95 },
    },
  },
});
