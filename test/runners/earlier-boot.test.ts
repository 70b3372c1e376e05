// A run of an earlier boot of the machine: whoever has its process numbers now, it is no run of ours.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isAlive } from '../../runners/process.ts';
import { readChild, readClaim } from '../../runners/run-folder.ts';
import { ending, eventually, openRig, type Rig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig({ resultGraceMs: 100 });
});
afterAll(() => rig.close());

/** Writes another boot into a file of the form `pid boot start`. */
async function bootedSince(file: string): Promise<void> {
  const [pid, , ...start] = (await readFile(file, 'utf8')).split(' ');
  await writeFile(file, [pid, '01234567-89ab-4cde-8f01-23456789abcd', ...start].join(' '));
}

/** Whether supervisor and agent live, by what the run's folder says of them. */
const living = () =>
  [readClaim, readChild].map((read) => {
    const found = read(rig.folder('earlier'));
    return found !== undefined && found !== 'fenced' && isAlive(found);
  });

// only Linux names its boots
describe.runIf(process.platform === 'linux')('a run of an earlier boot', () => {
  it('is lost, also when processes of just these numbers and start times live', async () => {
    await rig.runner.start(rig.spec('earlier', '@@say begun\n@@hang'));
    await eventually(() => readChild(rig.folder('earlier')));
    expect(living()).toEqual([true, true]);
    for (const name of ['claim', 'child']) await bootedSince(path.join(rig.folder('earlier'), name));
    expect(living()).toEqual([false, false]);
    const found = await rig.runner.adopt('earlier', 1);
    expect(found && (await ending(found))).toMatchObject({ exit: 'lost' });
  });
});
