// How a run ended, as its folder shows it after damage.
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { watchExit } from '../../runners/exit-watch.ts';
import { processAt } from '../../runners/process.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'exit-'));
});
afterEach(() => rm(folder, { recursive: true }));

it('is lost where the claim is nobody’s and no agent lives', async () => {
  await writeFile(path.join(folder, 'claim'), '1 - \n');
  expect(watchExit(folder, () => false).look()).toBe('lost');
});

it('is followed by its agent where the claim cannot be read, and nothing is written there by looking', async () => {
  await writeFile(path.join(folder, 'claim'), '1 - \n');
  const bootId = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '-');
  await writeFile(path.join(folder, 'child'), `${process.pid} ${bootId.trim()} ${processAt(process.pid)?.startedAt}\n`);
  const watch = watchExit(folder, () => false);
  expect(watch.look()).toBeUndefined();
  const before = (await stat(folder)).mtimeMs;
  for (let looks = 0; looks < 20; looks++) expect(watch.look()).toBeUndefined();
  expect((await stat(folder)).mtimeMs).toBe(before);
  expect((await readdir(folder)).sort()).toEqual(['child', 'claim']);
});

it('is not lost while somebody who may have made the claim has not written into it yet', async () => {
  const bootId = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '-');
  const claimant = (startedAt: string | undefined) => `${process.pid} ${bootId.trim()} ${startedAt}\n`;
  const mine = path.join(folder, `claim.${process.pid}`);
  await writeFile(path.join(folder, 'claim'), '');
  await writeFile(mine, claimant(processAt(process.pid)?.startedAt));
  const watch = watchExit(folder, () => false);
  expect(watch.look()).toBeUndefined();
  // somebody else has its pid by now
  await writeFile(mine, claimant('1'));
  expect(watch.look()).toBe('lost');
});
