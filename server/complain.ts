// How faults that were survived come to the hub's log: what failed, and where.

/** Given the name of a part, returns a handler that logs its errors. */
export function complainTo(log: (line: string) => void): (what: string) => (error: unknown) => void {
  return (what) => (error) => log(`${what}: ${error instanceof Error ? error.stack : String(error)}`);
}
