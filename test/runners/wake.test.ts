// How soon a change in a folder wakes who follows it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { openWake } from '../../runners/wake.ts';
import { fakeClock } from '../support/fake-clock.ts';

it('lets a chatty writer wait a moment, but not who waits for the end', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'wake-'));
  const wake = openWake(folder, fakeClock(), 'exit');
  try {
    for (let wakes = 0; wakes < 8; wakes++) {
      wake.nudge();
      await wake.next(250);
    }
    let isAwake = false;
    const next = wake.next(250).then(() => {
      isAwake = true;
    });
    writeFileSync(path.join(folder, 'out'), 'more');
    await delay(50);
    expect(isAwake).toBe(false);
    // the clock stands still: no pause ends by itself
    writeFileSync(path.join(folder, 'exit'), '0\n');
    await next;
  } finally {
    wake.close();
    rmSync(folder, { recursive: true });
  }
});
