// A kind of setting that several groups have. For the files of settings alone.
import { z } from 'zod';

/** A whole number within bounds, both included. */
export const count = (least: number, most: number) => z.number().int().min(least).max(most);
