// Regular expressions of rules: RE2's syntax and its linear time, so that no pattern can hold the hub up. Never the engine of the language.

/** True when the pattern is found in the text. */
export type Pattern = (text: string) => boolean;

/** Compiles a pattern, or says in a sentence why it is none. */
export type PatternCompiler = (source: string) => Pattern | { readonly problem: string };

const MAX_PATTERN_LENGTH = 200;
/** Instructions that a pattern may become; their number times the length of the text is what a search takes. */
const MAX_PATTERN_SIZE = 300;
/** So much of a value is searched. */
export const MAX_SEARCHED = 1000;

/** Loads the engine: only where a rule has a pattern, because reading it takes a start of the hub 60 ms. */
export async function loadPatterns(): Promise<PatternCompiler> {
  const { RE2JS } = await import('re2js');
  return (source) => {
    if (source.length > MAX_PATTERN_LENGTH)
      return { problem: `The pattern has ${source.length} characters; at most ${MAX_PATTERN_LENGTH} are taken.` };
    try {
      const compiled = RE2JS.compile(source);
      if (compiled.programSize() > MAX_PATTERN_SIZE)
        return { problem: 'The pattern is too large: repeat fewer things less often.' };
      return (text) => compiled.test(text.slice(0, MAX_SEARCHED));
    } catch (error) {
      return { problem: `The pattern is none that RE2 takes: ${reasonOf(error)}.` };
    }
  };
}

/** What the engine says, short and without the line breaks of the pattern. */
function reasonOf(error: unknown): string {
  const said = error instanceof Error ? error.message : String(error);
  return said
    .replace(/^error parsing regexp:\s*/, '')
    .replace(/\s+/g, ' ')
    .replace(/\.$/, '')
    .slice(0, 120);
}
