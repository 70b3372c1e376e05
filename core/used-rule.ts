// Which rule said what a session was told first, in which version, and how it was chosen where chance had a part in it.
import { z } from 'zod';

/** The chances of rules that were equal, and what they were drawn with: the same chances and seed give the same choice. */
export const Chances = z.object({
  seed: z.string().describe('What the choice was drawn with.'),
  of: z.record(z.string(), z.number()).describe('Rule id -> how likely it was to be chosen, from 0 to 1.'),
});
export type Chances = z.infer<typeof Chances>;

export const UsedRule = z.object({
  id: z.string(),
  version: z.string().describe('Hash of the template: another one when somebody edits it.'),
  chances: Chances.optional().describe('Where rules that were equal were chosen from by what they had achieved.'),
});
export type UsedRule = z.infer<typeof UsedRule>;
