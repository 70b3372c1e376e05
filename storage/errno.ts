// The system's word for what went wrong in a call: ENOENT, EEXIST and so on.

/** The system error code an error carries, or undefined when it carries none. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** What the deed answers, or `otherwise` where the system refuses it with this code. Throws any other error. */
export function unless<Result, Otherwise>(code: string, otherwise: Otherwise, deed: () => Result): Result | Otherwise {
  try {
    return deed();
  } catch (error) {
    if (errnoOf(error) !== code) throw error;
    return otherwise;
  }
}
