// Words for a POSIX shell.

/** The word as the shell will read it back, whatever is in it. */
export function shellWord(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
