// `npm run tokens`: what the list of tools costs a model, per tool and in all, counted with the tokenizer of a current model (o200k).
// Other models count a little differently; the budget leaves room for that.
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { INSTRUCTIONS } from '../server/instructions.ts';
import { listing } from '../server/listing.ts';
import { TOOLS } from '../tools/index.ts';

/** Most that the tools which are listed by default may take of a model's context. */
export const TOKEN_BUDGET = 6000;

export interface TokenReport {
  /** By name, the dearest first. */
  readonly tools: readonly { readonly name: string; readonly tokens: number }[];
  readonly total: number;
}

/** Tokens of the tools as these toolsets list them to a client. */
export function tokensOf(toolsets: readonly string[]): TokenReport {
  const listed = listing({ toolsets, legacy: false }).of({ kind: 'door' });
  const tools = listed.map((tool) => ({ name: tool.name, tokens: countTokens(JSON.stringify(tool)) }));
  return { tools: tools.toSorted((a, b) => b.tokens - a.tokens), total: countTokens(JSON.stringify(listed)) };
}

/** The report as a person reads it. */
export function tokenText(): string {
  const [usual, all] = [tokensOf(['core']), tokensOf(['all'])];
  const shown = new Set(usual.tools.map(({ name }) => name));
  const rows = all.tools.map(
    ({ name, tokens }) => `${String(tokens).padStart(6)}  ${name}${shown.has(name) ? '' : '  (not listed by default)'}`,
  );
  return [
    ...rows,
    `${String(usual.total).padStart(6)}  the ${usual.tools.length} tools listed by default, of at most ${TOKEN_BUDGET}`,
    `${String(all.total).padStart(6)}  all ${all.tools.length} of ${TOOLS.length}; those of sessions alone are not for clients`,
    `${String(countTokens(INSTRUCTIONS)).padStart(6)}  the instructions`,
  ].join('\n');
}
