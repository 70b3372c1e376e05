// Starting and taking up a run where the disk of the state folder is full: nothing begins twice, is lost, or is said to have failed for that.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { fence, readChild, readClaim, readExit } from '../../runners/run-folder.ts';
import { CAN_MOUNT, mountSmallDisk, type SmallDisk } from '../support/small-disk.ts';
import { eventually, SUPERVISE } from './rig.ts';

/** A page: the least that a file on such a disk takes. */
const PAGE = 4096;
let root: string;
let disk: SmallDisk;
let folder: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'sc-full-'));
  disk = mountSmallDisk(path.join(root, 'disk'), 1024 * 1024);
  folder = path.join(disk.folder, 'run');
  await mkdir(folder);
  await writeFile(path.join(folder, 'prompt'), 'x');
});
afterEach(async () => {
  disk.unmount();
  await rm(root, { recursive: true, force: true });
});

const supervise = () => {
  const agent = ['sh', '-c', `echo ran >>${root}/ran`];
  return spawn('/bin/sh', [SUPERVISE, folder, '', '', 'node', 'hub', root, '--', ...agent], { stdio: 'ignore' });
};

// a small file system can be mounted by root alone
it.runIf(CAN_MOUNT).each([0, 1, 2])('waits for room and then begins, once, with %d pages left', async (pages) => {
  if (pages === 0) await writeFile(path.join(folder, 'out'), '');
  await disk.fill(pages * PAGE);
  const supervisor = supervise();
  const over = once(supervisor, 'exit');
  if (pages === 0) {
    // not even who tries could be written: somebody else may
    expect(await over).toEqual([125, null]);
    expect(readClaim(folder)).toBeUndefined();
    await disk.empty();
    await once(supervise(), 'exit');
  } else {
    expect(await eventually(() => readClaim(folder))).toMatchObject({ pid: supervisor.pid });
    await delay(200);
    expect(readChild(folder)).toBeUndefined();
    await disk.empty();
    expect(await over).toEqual([0, null]);
  }
  expect(readExit(folder)).toBe(0);
  expect(await readFile(path.join(root, 'ran'), 'utf8')).toBe('ran\n');
});

// as above
it.runIf(CAN_MOUNT)('takes nothing from a run that lives, and leaves nothing behind', async () => {
  await writeFile(path.join(folder, 'claim'), '1 - x\n');
  await disk.fill();
  const before = await readdir(folder);
  for (let times = 0; times < 3; times++) expect(fence(folder)).toBe(false);
  await rm(path.join(folder, 'claim'));
  await disk.fill();
  expect(() => fence(folder)).toThrow('ENOSPC');
  expect(await readdir(folder)).toEqual(before.filter((name) => name !== 'claim'));
});
