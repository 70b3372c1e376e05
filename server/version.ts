// Versions: of this program and of the language spoken on the hub's socket.

/** Versions of the handshake and of what follows it that this program speaks. */
export const PROTOCOL = { min: 1, max: 1 } as const;

/** Below 0 when `a` is the older version, 0 when they are equal, as semver has it: numbers by value, a pre-release before its release. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parts(a), parts(b)];
  for (let at = 0; at < 3; at++) {
    const difference = (left.numbers[at] ?? 0) - (right.numbers[at] ?? 0);
    if (difference !== 0) return difference;
  }
  if (left.stage.length === 0 || right.stage.length === 0) return right.stage.length - left.stage.length;
  for (let at = 0; at < Math.max(left.stage.length, right.stage.length); at++) {
    const difference = compareStage(left.stage[at], right.stage[at]);
    if (difference !== 0) return difference;
  }
  return 0;
}

function parts(version: string): { numbers: number[]; stage: string[] } {
  const [release = '', ...stage] = (version.replace(/^v/, '').split('+')[0] ?? '').split('-');
  const numbers = release.split('.').map((word) => Number.parseInt(word, 10) || 0);
  return {
    numbers,
    stage: stage
      .join('-')
      .split('.')
      .filter((word) => word !== ''),
  };
}

function compareStage(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? -1 : 1;
  const [aIsNumber, bIsNumber] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (aIsNumber && bIsNumber) return Number(a) - Number(b);
  if (aIsNumber !== bIsNumber) return aIsNumber ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}
