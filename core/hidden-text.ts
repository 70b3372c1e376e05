// Text as an agent may read it: without what steers a terminal, and without what a person would not see but a model would.
//
// Control strings (OSC, DCS and the like) are taken out whole, because what they hold was never meant to be read; of a line that was
// overwritten in place every part stays. Marks of writing direction, tags, variation selectors beyond the usual two and characters
// without width are taken out; a single joiner between two characters stays, since some scripts and emoji need it.

const ESCAPES = new RegExp(
  [
    // CSI, also by its one-character form
    '(?:\\u001b\\[|\\u009b)[0-?]*[ -/]*[@-~]?',
    // OSC, DCS, SOS, PM, APC up to their end, or to the end of the line where they have none
    '(?:\\u001b[\\]PX^_]|[\\u009d\\u0090\\u0098\\u009e\\u009f])[^\\u0007\\u001b\\u009c\\n]*(?:\\u0007|\\u001b\\\\|\\u009c)?',
    // two-character escapes
    '\\u001b[ -/]*[0-~]?',
  ].join('|'),
  'g',
);
const RETURN = /\r+(?!\n)/g;
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
/** Direction marks, invisible operators, the byte order mark, fillers, marks between lines, of layout, shorthand and music, tags, more variation selectors. */
const HIDDEN =
  '\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b\\u200e\\u200f\\u202a-\\u202e\\u2060-\\u206f\\u3164\\ufeff\\uffa0\\ufff0-\\ufffb\\u{13430}-\\u{1343f}\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}';
const JOINING = '\\u200c\\u200d\\ufe00-\\ufe0f';
const UNSEEN = new RegExp(`[${HIDDEN}]`, 'gu');
const JOINERS = new RegExp(`[${JOINING}]{2,}`, 'gu');
/** What any of the above is about. */
const SUSPECT = new RegExp(`[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u2028\\u2029${HIDDEN}${JOINING}]`, 'u');

/** The text without escapes, controls but tab and line feed, and hidden characters. */
export function seenText(text: string): string {
  if (!SUSPECT.test(text)) return text;
  return text
    .replace(ESCAPES, '')
    .replace(RETURN, '\n')
    .replace(CONTROLS, '')
    .replace(/[\u2028\u2029]/g, '\n')
    .replace(UNSEEN, '')
    .replace(JOINERS, (run) => (run === '\ufe0f\u200d' ? run : ''));
}

/** The same for every text in a value. */
export function seen<Value>(value: Value): Value {
  return mapped(value, seenText);
}

/** A copy of the value with every text in it changed, but in the fields that are to stay as they are. */
export function mapped<Value>(value: Value, change: (text: string) => string, staying?: readonly string[]): Value;
export function mapped(value: unknown, change: (text: string) => string, staying: readonly string[] = []): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((item: unknown) => mapped(item, change, staying));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, staying.includes(key) ? item : mapped(item, change, staying)]),
  );
}
