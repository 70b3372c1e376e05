// The data a session is to end with: its JSON Schema, given as text, and whether what the agent said fits it.
import { z } from 'zod';
import type { AgentResult } from './ending.ts';
import { fail } from './errors.ts';
import { parsedJson } from './json.ts';
import { isTooDeep, strictSchema } from './schema-strict.ts';

/** Longest schema in characters. */
export const MAX_SCHEMA_LENGTH = 20_000;
/** Longest data that is kept, as JSON, in characters. */
export const MAX_DATA_LENGTH = 100_000;
const MOST_PROBLEMS = 5;
const PROBLEM_LENGTH = 200;
const FENCE = '```';

const Schema = z.record(z.string(), z.unknown());

/** Reads a schema. Fails with INVALID_INPUT where it is no JSON, no JSON Schema of an object, or uses what is not supported. */
export function schemaOf(text: string): z.ZodType {
  const parsed = Schema.safeParse(parsedJson(text));
  if (!parsed.success) return fail('INVALID_INPUT', 'The resultSchema is no JSON object; give a JSON Schema as text.');
  if (parsed.data.type !== 'object')
    return fail('INVALID_INPUT', 'The resultSchema must describe an object: its `type` must be "object".');
  const strict = strictSchema(parsed.data);
  try {
    // a registry of its own: the common one would keep every schema for ever
    return z.fromJSONSchema(strict, { registry: z.registry() });
  } catch (error) {
    return fail('INVALID_INPUT', 'The resultSchema uses what is not supported.', {
      problem: String(error),
    });
  }
}

/** The data of a result, or why there is none that fits, in words. Agents that report none may say it as the JSON of their whole answer. */
export function dataOf(
  schema: string,
  result: AgentResult | undefined,
): { readonly data: z.core.util.JSONType } | { readonly problem: string } {
  const given = result?.data ?? parsedJson(withoutFence(result?.text ?? ''));
  if (given === undefined) return { problem: 'it gave no structured result' };
  if (isTooDeep(given)) return { problem: 'its structured result has too many levels' };
  const { length } = JSON.stringify(given);
  if (length > MAX_DATA_LENGTH)
    return { problem: `its structured result has ${length} characters; at most ${MAX_DATA_LENGTH} are kept` };
  const checked = schemaOf(schema).safeParse(given);
  if (checked.success) return { data: z.json().parse(given) };
  const told = checked.error.issues
    .slice(0, MOST_PROBLEMS)
    .map(({ path, message }) => `${path.join('.') || 'the whole'}: ${message}`.slice(0, PROBLEM_LENGTH));
  const more = checked.error.issues.length - told.length;
  return { problem: `its structured result does not fit: ${told.join('; ')}${more > 0 ? `; and ${more} more` : ''}` };
}

/** Agents like to put JSON between fences. */
function withoutFence(text: string): string {
  const trimmed = text.trim();
  const start = trimmed.indexOf('\n');
  const word = trimmed.slice(FENCE.length, start).trim();
  const isFenced = trimmed.startsWith(FENCE) && trimmed.endsWith(`\n${FENCE}`) && (word === '' || word === 'json');
  return isFenced ? trimmed.slice(start, -FENCE.length) : trimmed;
}
