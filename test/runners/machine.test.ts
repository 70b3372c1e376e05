import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePages, measureMachine } from '../../runners/machine.ts';

const MB = 1024 ** 2;
let root: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'machine-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe('the machine', () => {
  // only Linux has control groups
  it.runIf(process.platform === 'linux')(
    'has what the control groups around it leave, and the pressure the kernel tells',
    async () => {
      const full = path.join(root, 'machine');
      const files = {
        'proc/self/cgroup': '5:cpu:/\n0::/outer/inner\n',
        'proc/pressure/memory':
          'some avg10=12.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=1.00 avg60=0.00 avg300=0.00 total=0\n',
        'sys/fs/cgroup/outer/inner/memory.max': 'max\n',
        'sys/fs/cgroup/outer/memory.max': `${100 * MB}\n`,
        'sys/fs/cgroup/outer/memory.current': `${90 * MB}\n`,
        'sys/fs/cgroup/outer/memory.stat': `anon 1\ninactive_file ${20 * MB}\n`,
      };
      for (const [name, text] of Object.entries(files)) {
        await mkdir(path.dirname(path.join(full, name)), { recursive: true });
        await writeFile(path.join(full, name), text);
      }
      expect(await measureMachine(full)).toMatchObject({ freeMemoryBytes: 30 * MB, memoryPressure: 0.125 });
      const bare = await measureMachine(path.join(root, 'nothing'));
      expect(bare.freeMemoryBytes).toBeGreaterThan(30 * MB);
      expect('memoryPressure' in bare).toBe(false);
    },
  );

  it('has on a Mac what can be had at once', () => {
    const text =
      'Mach Virtual Memory Statistics: (page size of 16384 bytes)\nPages free:       100.\nPages active:     900.\nPages inactive:   50.\nPages speculative:  7.\nPages purgeable:  3.\n';
    expect(freePages(text)).toBe(160 * 16384);
    expect(freePages('')).toBe(0);
  });
});
