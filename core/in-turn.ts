// One after the other: a deed begins when those before it have come to their end, well or not, and what one fails with concerns no other.

export type InTurn = <Answer>(deed: () => Promise<Answer>) => Promise<Answer>;

/** Does deeds one after the other. */
export function oneAfterTheOther(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return (deed) => {
    const mine = last.then(deed);
    last = mine.catch(() => undefined);
    return mine;
  };
}

/** Does deeds with the same key one after the other. `turns` holds those of which the last is not over. */
export async function inTurn<Answer>(
  turns: Map<string, Promise<unknown>>,
  key: string,
  deed: () => Promise<Answer>,
): Promise<Answer> {
  const before = turns.get(key) ?? Promise.resolve();
  const mine = before.then(deed, deed);
  turns.set(key, mine);
  try {
    return await mine;
  } finally {
    if (turns.get(key) === mine) turns.delete(key);
  }
}
