// Checks a call's arguments and says every problem at once, each with what is allowed.
import type { z } from 'zod';
import { fail, nearest } from '../core/errors.ts';

/** The arguments as the schema wants them. Fails with INVALID_INPUT, naming every problem. */
export function checked<Schema extends z.ZodObject>(schema: Schema, args: unknown): z.output<Schema> {
  const parsed = schema.safeParse(args ?? {}, { reportInput: true });
  if (parsed.success) return parsed.data;
  const known = Object.keys(schema.shape);
  const problems = parsed.error.issues.map((issue) => problemText(issue, known));
  return fail('INVALID_INPUT', problems.join(' '), problems.length > 1 ? { problems } : {});
}

/** One problem in a sentence that names the place and what is allowed. */
function problemText(issue: z.core.$ZodIssue, known: readonly string[]): string {
  const place = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => strangeText(place, key, known)).join(' ');
  const where = place ? `"${place}"` : 'The arguments';
  if (issue.code === 'invalid_value') return `${where} must be one of: ${issue.values.map(String).join(', ')}.`;
  if (issue.code === 'invalid_type') return typeText(where, issue);
  if (issue.code === 'invalid_union') {
    const wanted = issue.errors.flat().map((one) => (one.code === 'invalid_type' ? one.expected : undefined));
    return `${where} must be a value of type ${[...new Set(wanted.filter(Boolean))].join(' or ')}.`;
  }
  const isOwn = !/^(?:Too |Invalid )/.test(issue.message);
  if (!isOwn && issue.code === 'too_small') return `${where} must ${sizeText('at least', Number(issue.minimum), issue.origin)}.`;
  if (!isOwn && issue.code === 'too_big') return `${where} must ${sizeText('at most', Number(issue.maximum), issue.origin)}.`;
  return `${where}: ${issue.message}.`;
}

function typeText(where: string, { expected, input }: z.core.$ZodIssueInvalidType): string {
  if (input === undefined) return `${where} is missing.`;
  if (expected === 'string' && typeof input === 'object' && input !== null)
    return `${where} must be a string; give it as JSON text.`;
  return `${where} must be ${expected === 'int' ? 'a whole number' : `a value of type ${expected}`}.`;
}

function sizeText(bound: 'at least' | 'at most', size: number, origin: string): string {
  if (origin === 'string') return `have ${bound} ${size} character${size === 1 ? '' : 's'}`;
  if (origin === 'array') return `have ${bound} ${size} entr${size === 1 ? 'y' : 'ies'}`;
  return `be ${bound} ${size}`;
}

function strangeText(place: string, key: string, known: readonly string[]): string {
  const name = `${place ? `${place}.` : ''}${key}`;
  const near = place ? undefined : (known.find((one) => isPartOf(key, one)) ?? nearest(key, known));
  return `Unknown argument "${name}".${near ? ` Did you mean "${near}"?` : place ? '' : ` Known are: ${known.join(', ')}.`}`;
}

/** True where a name begins or ends with the other one: `id` and `session` are parts of `sessionIds`. */
function isPartOf(key: string, name: string): boolean {
  const [part, whole] = [key, name].map((word) => word.toLowerCase().replace(/s$/, ''));
  return part !== undefined && part.length > 1 && whole !== undefined && (whole.startsWith(part) || whole.endsWith(part));
}
