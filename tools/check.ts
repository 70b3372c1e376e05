// Checks a call's arguments and says every problem at once, each with what is allowed.
import type { z } from 'zod';
import { fail, nearest } from '../core/errors.ts';
import { problemText } from '../core/problem-text.ts';

/** The arguments as the schema wants them. Fails with INVALID_INPUT, naming every problem. */
export function checked<Schema extends z.ZodObject>(schema: Schema, args: unknown): z.output<Schema> {
  const parsed = schema.safeParse(args ?? {}, { reportInput: true });
  if (parsed.success) return parsed.data;
  const known = Object.keys(schema.shape);
  const problems = parsed.error.issues.map((issue) => argumentProblem(issue, known));
  return fail('INVALID_INPUT', problems.join(' '), problems.length > 1 ? { problems } : {});
}

/** One problem in a sentence that names the place and what is allowed. */
function argumentProblem(issue: z.core.$ZodIssue, known: readonly string[]): string {
  const place = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => strangeText(place, key, known)).join(' ');
  return problemText(issue, place ? `"${place}"` : 'The arguments');
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
