// A deed that looks at the world and that many ask for at once: those who come while it is under way share the next one, which begins after they asked.

/** Makes the shared deed of a deed. */
export function sharedDeed<Result>(deed: () => Promise<Result>): () => Promise<Result> {
  let underway: Promise<Result> | undefined;
  let next: Promise<Result> | undefined;
  const begin = (): Promise<Result> => {
    next = undefined;
    underway = deed().finally(() => {
      underway = undefined;
    });
    return underway;
  };
  return () => {
    if (!underway) return begin();
    next ??= underway.then(begin, begin);
    return next;
  };
}
