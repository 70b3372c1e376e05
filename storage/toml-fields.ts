// Reads the simple lines of TOML that old task files hold between `+++`: `key = "value"`. Anything else in them is left out.

/** A longer one is left out: matching takes quadratic time on hostile lines. */
const LONGEST_LINE = 4096;
const PAIR = /^[ \t]*(?:([A-Za-z0-9_-]+)|"([^"\\]*)")[ \t]*=[ \t]*(.*)$/;
const STRING = /^(?:"((?:[^"\\]|\\.)*)"|'([^']*)')[ \t]*(?:#.*)?$/;

/** The keys above the first table, with strings, numbers, booleans and one-line lists of strings as values. */
export function tomlFields(source: string): Readonly<Record<string, unknown>> {
  const fields = new Map<string, unknown>();
  for (const line of source.split('\n')) {
    if (/^[ \t]*\[/.test(line)) break;
    const pair = line.length > LONGEST_LINE ? null : PAIR.exec(line);
    const value = pair && readValue((pair[3] ?? '').trimEnd());
    if (pair && value !== undefined) fields.set(pair[1] ?? pair[2] ?? '', value);
  }
  return Object.fromEntries(fields);
}

function readValue(source: string): unknown {
  const string = STRING.exec(source);
  if (string) return string[2] ?? unescaped(string[1] ?? '');
  const bare = source.replace(/[ \t]*#.*$/, '');
  if (bare === 'true' || bare === 'false') return bare === 'true';
  if (/^[+-]?\d+(?:\.\d+)?$/.test(bare)) return Number(bare);
  if (/^\d{4}-\d{2}-\d{2}/.test(bare)) return bare;
  if (!/^\[.*\]$/.test(bare)) return undefined;
  return [...bare.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'/g)].map((match) => match[2] ?? unescaped(match[1] ?? ''));
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, letter: string) => ({ n: '\n', t: '\t', r: '\r' })[letter] ?? letter);
}
