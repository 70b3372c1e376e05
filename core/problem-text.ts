// What is wrong with a value that a schema refuses, in a sentence with what is allowed: the same words for arguments and for settings.
import type { z } from 'zod';

/** One problem of the value at `where`, which begins the sentence; it must have been parsed with `reportInput`. */
export function problemText(issue: z.core.$ZodIssue, where: string): string {
  if (issue.code === 'invalid_value') return `${where} must be one of: ${issue.values.map(String).join(', ')}.`;
  if (issue.code === 'invalid_type') return typeText(where, issue);
  if (issue.code === 'invalid_union') {
    const wanted = issue.errors.flat().map((one) => (one.code === 'invalid_type' ? one.expected : undefined));
    return `${where} must be a value of type ${[...new Set(wanted.filter(Boolean))].join(' or ')}.`;
  }
  const isOwn = !/^(?:Too |Invalid )/.test(issue.message);
  if (!isOwn && issue.code === 'too_small') {
    const bound = issue.inclusive === false ? 'more than' : 'at least';
    return `${where} must ${sizeText(bound, Number(issue.minimum), issue.origin)}.`;
  }
  if (!isOwn && issue.code === 'too_big') {
    const bound = issue.inclusive === false ? 'less than' : 'at most';
    return `${where} must ${sizeText(bound, Number(issue.maximum), issue.origin)}.`;
  }
  return `${where}: ${issue.message}.`;
}

function typeText(where: string, { expected, input }: z.core.$ZodIssueInvalidType): string {
  if (input === undefined) return `${where} is missing.`;
  if (expected === 'string' && typeof input === 'object' && input !== null)
    return `${where} must be a string; give it as JSON text.`;
  return `${where} must be ${expected === 'int' ? 'a whole number' : `a value of type ${expected}`}.`;
}

function sizeText(bound: string, size: number, origin: string): string {
  if (origin === 'string') return `have ${bound} ${size} character${size === 1 ? '' : 's'}`;
  if (origin === 'array') return `have ${bound} ${size} entr${size === 1 ? 'y' : 'ies'}`;
  return `be ${bound} ${size}`;
}
