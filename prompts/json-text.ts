// Reads JSON strictly and tells where everything in it lies, so that what is wrong can be told by its place and one value be changed in its own
// place. Knows nothing of rules.

export interface JsonNode {
  readonly value: unknown;
  /** From here to there it stands in the text, in characters. */
  readonly start: number;
  readonly end: number;
  /** What is in an object or a list, by key or by place. */
  readonly parts: ReadonlyMap<string | number, JsonPart>;
}

export interface JsonPart {
  /** Where its key begins; in a list it itself. */
  readonly keyAt: number;
  readonly node: JsonNode;
}

export interface JsonFault {
  readonly at: number;
  readonly message: string;
}

/** How deep lists and objects may lie in each other. */
const MAX_DEPTH = 120;
const BLANKS = /[ \t\r\n]*/y;
const TOKEN =
  /[{}[\],:]|"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null/y;
const NONE: ReadonlyMap<string | number, JsonPart> = new Map();

/** What the text is, or where it stops being JSON. */
export function readJson(text: string): { readonly node: JsonNode } | { readonly fault: JsonFault } {
  let next = 0;
  let fault: JsonFault | undefined;
  const complain = (message: string): undefined => {
    fault ??= { at: Math.min(next, text.length), message: next >= text.length ? 'The JSON ends too early.' : message };
  };
  /** The next word without taking it; empty where there is none. */
  const seen = (): string => {
    BLANKS.lastIndex = next;
    next += BLANKS.exec(text)?.[0].length ?? 0;
    TOKEN.lastIndex = next;
    return TOKEN.exec(text)?.[0] ?? '';
  };
  const takes = (word: string): boolean => {
    const isThere = seen() === word;
    if (isThere) next += word.length;
    return isThere;
  };
  const value = (depth: number): JsonNode | undefined => {
    const word = seen();
    if (depth > MAX_DEPTH) return complain('The JSON nests too deeply.');
    if (word === '{' || word === '[') return collection(word === '{', depth);
    if (word === '' || '}],:'.includes(word)) return complain('Here a JSON value is due.');
    const start = next;
    next += word.length;
    return { value: JSON.parse(word), start, end: next, parts: NONE };
  };
  const key = (): string | undefined => {
    const word = seen();
    if (!word.startsWith('"')) return complain('Here a key in double quotes is due.');
    next += word.length;
    return takes(':') ? String(JSON.parse(word)) : complain('Here a colon is due.');
  };
  const collection = (isObject: boolean, depth: number): JsonNode | undefined => {
    const start = next;
    const close = isObject ? '}' : ']';
    const parts = new Map<string | number, JsonPart>();
    next += 1;
    for (let isFirst = true; !(isFirst && takes(close)); isFirst = false) {
      seen();
      const keyAt = next;
      const name = isObject ? key() : parts.size;
      if (name === undefined) return undefined;
      if (parts.has(name)) {
        next = keyAt;
        return complain('This key stands here twice.');
      }
      const node = value(depth + 1);
      if (!node) return undefined;
      parts.set(name, { keyAt, node });
      if (takes(close)) break;
      if (!takes(',')) return complain(`Here a comma or "${close}" is due.`);
    }
    const values = [...parts].map(([name, { node }]) => [name, node.value] as const);
    return { value: isObject ? Object.fromEntries(values) : values.map(([, one]) => one), start, end: next, parts };
  };

  const node = value(0);
  if (node && (seen() !== '' || next < text.length)) complain('Behind the JSON nothing may stand.');
  return node && !fault ? { node } : { fault: fault ?? { at: 0, message: 'This is no JSON.' } };
}
