// The data a session is to end with: its JSON Schema, given as text, and whether what the agent said fits it.
import { z } from 'zod';
import type { AgentResult } from './ending.ts';
import { fail } from './errors.ts';

/** Longest schema in characters. */
export const MAX_SCHEMA_LENGTH = 20_000;
/** Longest regular expression in a schema, in characters. */
const MAX_PATTERN_LENGTH = 200;
const MOST_PROBLEMS = 5;

const Schema = z.record(z.string(), z.json());

/** Reads a schema. Fails with INVALID_INPUT where it is no JSON, no JSON Schema of an object, or uses what is not supported. */
export function schemaOf(text: string): z.ZodType {
  const parsed = Schema.safeParse(jsonOf(text));
  if (!parsed.success) return fail('INVALID_INPUT', 'The resultSchema is no JSON object; give a JSON Schema as text.');
  if (parsed.data.type !== 'object')
    return fail('INVALID_INPUT', 'The resultSchema must describe an object: its `type` must be "object".');
  if (hasLongPattern(parsed.data))
    return fail('INVALID_INPUT', `A \`pattern\` in the resultSchema is longer than ${MAX_PATTERN_LENGTH} characters.`);
  try {
    return z.fromJSONSchema(parsed.data);
  } catch (error) {
    return fail('INVALID_INPUT', 'The resultSchema uses what is not supported.', {
      problem: error instanceof Error ? error.message : String(error),
    });
  }
}

/** The data of a result, or why there is none that fits, in words. Agents that report none may say it as the JSON of their whole answer. */
export function dataOf(
  schema: string,
  result: AgentResult | undefined,
): { readonly data: z.core.util.JSONType } | { readonly problem: string } {
  const given = result?.data ?? jsonOf(withoutFence(result?.text ?? ''));
  if (given === undefined) return { problem: 'it gave no structured result' };
  const checked = schemaOf(schema).safeParse(given);
  const data = z.json().safeParse(given);
  if (checked.success && data.success) return { data: data.data };
  const issues = checked.success ? [] : checked.error.issues;
  const told = issues.slice(0, MOST_PROBLEMS).map(({ path, message }) => `${path.join('.') || 'the whole'}: ${message}`);
  const more = issues.length - told.length;
  return { problem: `its structured result does not fit: ${told.join('; ')}${more > 0 ? `; and ${more} more` : ''}` };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Agents like to put JSON between fences. */
function withoutFence(text: string): string {
  return /^\s*```(?:json)?\s*\n([\s\S]*?)\n```\s*$/.exec(text)?.[1] ?? text;
}

function hasLongPattern(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(
    ([key, inner]) =>
      (key === 'pattern' && typeof inner === 'string' && inner.length > MAX_PATTERN_LENGTH) || hasLongPattern(inner),
  );
}
