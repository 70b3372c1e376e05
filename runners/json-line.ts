// The JSON in a line that an agent wrote.
import { parsedJson } from '../core/json.ts';

/** Deeper than anybody nests on purpose, and less deep than what is worked through by functions that call themselves can bear. */
const MOST_LEVELS = 200;

/** Undefined for a line that is no JSON object, or is nested deeper than 200 levels. */
export function jsonOf(line: string): unknown {
  const value = line.startsWith('{') ? parsedJson(line) : undefined;
  return isTooDeep(value) ? undefined : value;
}

function isTooDeep(value: unknown): boolean {
  let level = [value];
  for (let levels = 0; level.length > 0; levels += 1) {
    if (levels > MOST_LEVELS) return true;
    level = level.flatMap((item) => (typeof item === 'object' && item !== null ? Object.values(item) : []));
  }
  return false;
}
