// session_config: shows and changes limits and policies while the hub runs.
import { z } from 'zod';
import { knownPath, parseTuning, settingAt, tunable } from '../core/tuning.ts';
import { defineTool } from './define.ts';
import { summary } from './fields.ts';

export const sessionConfig = defineTool({
  name: 'session_config',
  title: 'Show or change limits and policies',
  description:
    'Settings that may be changed while the hub runs: limits, line, retries, delegation, budgets, cleanup. Without arguments it shows those in force. ' +
    'A change is kept over restarts; a lowered limit never stops what runs.',
  effect: 'changes',
  toolset: 'queue',
  input: z.strictObject({
    settings: z
      .array(z.string().min(3).max(300))
      .max(50)
      .optional()
      .describe('Changes as path=value, such as resources.maxConcurrentSessions=5.'),
    reset: z.array(z.string().max(100)).max(50).optional().describe('Paths to set back to what the config files say.'),
    find: z.string().max(100).optional().describe('Show only settings whose path holds this.'),
  }),
  output: z.looseObject({
    summary,
    settings: z.array(
      z.looseObject({ path: z.string(), value: z.unknown(), source: z.enum(['changed', 'config']), says: z.string() }),
    ),
    changed: z.array(z.string()),
  }),
  fails: ['REQUEST_KEY_REUSED', 'WORKSPACE_MISSING', 'STORAGE_FAILED', 'STORAGE_FULL'],
  examples: [{ find: 'maxConcurrentSessions' }],
  async handle({ settings = [], reset = [], find }, { orchestrator, caller, callKey }) {
    const set = Object.fromEntries(settings.map(parseTuning));
    const paths = reset.map(knownPath);
    if (settings.length + reset.length > 0) await orchestrator.tune({ set, reset: paths, requestKey: callKey }, caller.by);
    const changed = [...Object.keys(set), ...paths];
    const isShown = (path: string) => (find === undefined ? changed.length === 0 || changed.includes(path) : path.includes(find));
    const rows = [...tunable()].filter(([path]) => isShown(path));
    return {
      settings: rows.map(([path, says]) => ({
        path,
        value: settingAt(orchestrator.settings.current(), path),
        source: path in orchestrator.ledger.overrides ? ('changed' as const) : ('config' as const),
        says,
      })),
      changed,
    };
  },
  say: ({ settings, changed }) => (changed.length > 0 ? `Changed: ${changed.join(', ')}.` : `${settings.length} settings.`),
  tables: [{ rows: 'settings', columns: { SETTING: 'path', VALUE: 'value', SOURCE: 'source', MEANS: 'says' } }],
});
