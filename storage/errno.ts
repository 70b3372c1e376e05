// The system's word for what went wrong in a call: ENOENT, EEXIST and so on.

/** The system error code an error carries, or undefined when it carries none. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
