// What the core needs to know of the machine and of what runs use of it. The implementation is in runners/.

/** What one run's process tree uses now. */
export interface RunUsage {
  /** Proportional set size where the kernel tells it, else resident set size, in bytes. */
  readonly memoryBytes: number;
  /** Processor time over wall time since the sample before; 1 is one core. */
  readonly cpu: number;
  readonly processes: number;
}

/** What the machine has left now. */
export interface MachineUsage {
  readonly freeMemoryBytes: number;
  /** Load of the last minute over the number of cores. */
  readonly cpuLoad: number;
  /** Share of the last ten seconds, 0 to 1, in which some process waited for memory, where the kernel tells it. */
  readonly memoryPressure?: number | undefined;
}

/** Measures what runs use, all of them with one look at the process table. */
export interface Meter {
  /** Runs by session id; those that are gone are missing from the answer. */
  sample(
    runs: readonly { readonly sessionId: string; readonly run: number }[],
  ): Promise<{ readonly machine: MachineUsage; readonly runs: ReadonlyMap<string, RunUsage> }>;
}
