// Who goes first: the words for priority.
import { z } from 'zod';

/** From last to first; `urgent` is kept for system operations. */
export const PRIORITIES = ['lowest', 'low', 'medium', 'high', 'highest', 'urgent'] as const;
export const Priority = z.enum(PRIORITIES);
export type Priority = z.infer<typeof Priority>;

/** 0 (lowest) … 5 (urgent); a higher rank goes first. */
export function rankOf(priority: Priority): number {
  return PRIORITIES.indexOf(priority);
}
