// Checks a call's arguments and says every problem at once, each with what is allowed.
import type { z } from 'zod';
import { fail, nearest } from '../core/errors.ts';

/** The arguments as the schema wants them. Fails with INVALID_INPUT, naming every problem. */
export function checked<Schema extends z.ZodObject>(schema: Schema, args: unknown): z.output<Schema> {
  const parsed = schema.safeParse(args ?? {});
  if (parsed.success) return parsed.data;
  const known = Object.keys(schema.shape);
  const problems = parsed.error.issues.map((issue) => problemText(issue, known));
  return fail('INVALID_INPUT', problems.join(' '), { problems });
}

/** One problem in a sentence that names the place and what is allowed. */
function problemText(issue: z.core.$ZodIssue, known: readonly string[]): string {
  const place = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys
      .map((key) => {
        const near = nearest(key, known);
        return `Unknown argument "${place ? `${place}.` : ''}${key}".${near ? ` Did you mean "${near}"?` : ` Known are: ${known.join(', ')}.`}`;
      })
      .join(' ');
  }
  const where = place ? `"${place}"` : 'The arguments';
  if (issue.code === 'invalid_value') return `${where} must be one of: ${issue.values.map(String).join(', ')}.`;
  if (issue.code === 'invalid_type')
    return `${where} must be ${issue.expected === 'int' ? 'a whole number' : `a value of type ${issue.expected}`}.`;
  return `${where}: ${issue.message}.`;
}
