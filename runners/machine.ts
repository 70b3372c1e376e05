// What the machine has left: memory, processor and memory pressure, each read from where the system tells it best.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { availableParallelism, freemem, loadavg } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { MachineUsage } from '../core/meter-ports.ts';

const run = promisify(execFile);

/** Measures the machine. `root`: where /proc and /sys are found. */
export async function measureMachine(root = '/'): Promise<MachineUsage> {
  const [free, memoryPressure] = await Promise.all([freeMemory(root), pressure(root)]);
  return {
    freeMemoryBytes: free,
    cpuLoad: (loadavg()[0] ?? 0) / availableParallelism(),
    ...(memoryPressure !== undefined && { memoryPressure }),
  };
}

async function freeMemory(root: string): Promise<number> {
  // on a Mac `freemem` counts only pages that hold nothing at all, of which there are never many
  if (process.platform === 'darwin') return freePages((await run('/usr/bin/vm_stat')).stdout);
  // on Linux it is MemAvailable
  return Math.min(freemem(), await freeInGroups(root));
}

/** Memory that can be had at once, from what `vm_stat` prints. */
export function freePages(text: string): number {
  const pageBytes = Number(/page size of (\d+) bytes/.exec(text)?.[1] ?? 4096);
  const pages = (name: string) => Number(new RegExp(`^Pages ${name}:\\s+(\\d+)\\.`, 'm').exec(text)?.[1] ?? 0);
  return (pages('free') + pages('inactive') + pages('speculative') + pages('purgeable')) * pageBytes;
}

/** What the memory limits of the control groups around this process leave, as in a container; infinite where there are none. */
async function freeInGroups(root: string): Promise<number> {
  const [, own = '/'] = /^0::(\/.*)$/m.exec(await textOf(path.join(root, 'proc/self/cgroup'))) ?? [];
  let least = Number.POSITIVE_INFINITY;
  for (let group = own; ; group = path.dirname(group)) {
    const read = (name: string) => textOf(path.join(root, 'sys/fs/cgroup', group, name));
    const limit = Number.parseInt(await read('memory.max'), 10);
    if (!Number.isNaN(limit)) {
      const used = Number.parseInt(await read('memory.current'), 10) || 0;
      // file cache is given back when memory is asked for
      const cache = Number(/^inactive_file (\d+)$/m.exec(await read('memory.stat'))?.[1] ?? 0);
      least = Math.min(least, Math.max(0, limit - used + cache));
    }
    if (group === '/') return least;
  }
}

async function pressure(root: string): Promise<number | undefined> {
  const [, percent] = /^some avg10=([\d.]+)/m.exec(await textOf(path.join(root, 'proc/pressure/memory'))) ?? [];
  return percent === undefined ? undefined : Number(percent) / 100;
}

async function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}
