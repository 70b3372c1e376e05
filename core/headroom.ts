// Whether the machine has room for one more session: pure judgement of one reading against the settings.
//
// A resource becomes short when its reading passes the limit, and is enough again only when the reading is a tenth on the good side of it:
// otherwise a reading that trembles around the limit would be a fact every two seconds.
import type { Config } from './config.ts';
import type { MachineUsage } from './meter-ports.ts';
import { bytesOf, sizeText } from './size.ts';

export const RESOURCE_TYPES = ['free_memory', 'cpu_load', 'memory_pressure'] as const;
export type ResourceType = (typeof RESOURCE_TYPES)[number];

export interface Reading {
  readonly resourceType: ResourceType;
  /** Bytes free, load per core, or share of time, as `resourceType` says. */
  readonly currentUsage: number;
  readonly limit: number;
  /** Why sessions wait when it is short, in words. */
  readonly reason: string;
}

const MARGIN = 0.1;

/** What the machine is short of. `before`: what it was short of at the last reading. */
export function shortages(
  machine: MachineUsage,
  resources: Config['resources'],
  before: ReadonlySet<ResourceType>,
): readonly ResourceType[] {
  const short = readings(machine, resources).filter(({ resourceType, currentUsage, limit }) => {
    if (limit === 0) return false;
    const slack = before.has(resourceType) ? limit * MARGIN : 0;
    return resourceType === 'free_memory' ? currentUsage < limit + slack : currentUsage > limit - slack;
  });
  return short.map(({ resourceType }) => resourceType);
}

/** What was measured, each against its limit; a limit of 0 is none. */
export function readings(
  { freeMemoryBytes, cpuLoad, memoryPressure }: MachineUsage,
  resources: Config['resources'],
): readonly Reading[] {
  const least = bytesOf(resources.minFreeMemory);
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  const bound = (limit: number, text: string) => (limit === 0 ? '' : `, ${text}`);
  const free: Reading = {
    resourceType: 'free_memory',
    currentUsage: freeMemoryBytes,
    limit: least,
    reason: `${sizeText(freeMemoryBytes)} of memory are free${bound(least, `${sizeText(least)} must stay free`)}`,
  };
  const load: Reading = {
    resourceType: 'cpu_load',
    currentUsage: cpuLoad,
    limit: resources.maxCpuLoad,
    reason: `the load is ${cpuLoad.toFixed(1)} per core${bound(resources.maxCpuLoad, `at most ${resources.maxCpuLoad} to start`)}`,
  };
  if (memoryPressure === undefined) return [free, load];
  const limit = resources.maxMemoryPressure;
  const pressure: Reading = {
    resourceType: 'memory_pressure',
    currentUsage: memoryPressure,
    limit,
    reason: `programs stood waiting for memory ${percent(memoryPressure)} of the time${bound(limit, `at most ${percent(limit)} to start`)}`,
  };
  return [free, load, pressure];
}
