// Times as callers write them and as they are shown: ISO 8601 outside, milliseconds since the epoch inside.
import { z } from 'zod';
import { fail } from './errors.ts';

/** A time in an answer. */
export const time = z.string().describe('ISO 8601.');

/** A time in milliseconds as ISO 8601. */
export function iso(at: number): string {
  return new Date(at).toISOString();
}

/** A time given by a caller, in milliseconds since the epoch. Fails with INVALID_INPUT. */
export function timeOf(text: string): number {
  const at = Date.parse(text);
  return Number.isNaN(at) ? fail('INVALID_INPUT', `"${text}" is not a time; give ISO 8601 such as ${iso(0)}.`) : at;
}
