// How faults that were survived come to the hub's log: what failed, and where.

/** Makes for each thing that may fail what is told of its faults. */
export function complainTo(log: (line: string) => void): (what: string) => (error: unknown) => void {
  return (what) => (error) => log(`${what}: ${error instanceof Error ? error.stack : String(error)}`);
}
