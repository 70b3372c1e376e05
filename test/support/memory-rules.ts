// Rule files that lie in memory.

import { fail } from '../../core/errors.ts';
import type { RuleFiles } from '../../core/rule-ports.ts';

/** Files by name; whoever has the map changes them. */
export function memoryRuleFiles(files: Map<string, string>): RuleFiles {
  return {
    folder: '.scopecraft/prompts',
    list: async () => [...files].map(([name, text]) => ({ name, stamp: text })).sort((a, b) => (a.name < b.name ? -1 : 1)),
    read: async (name) => files.get(name) ?? fail('RULE_INVALID', 'The file is gone.'),
    write: async (name, text) => void files.set(name, text),
    remove: async (name) => void files.delete(name),
  };
}
