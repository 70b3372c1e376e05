// rule_list: the prompt rules of the workspace, and the files that were skipped.
import { z } from 'zod';
import { MOMENTS, RULE_KINDS } from '../core/rules.ts';
import { defineTool } from './define.ts';
import { cursor, limit, nextCursor, summary, total } from './fields.ts';
import { fittingPage } from './page.ts';

const PROBLEMS_SHOWN = 20;

export const ruleList = defineTool({
  name: 'rule_list',
  title: 'List prompt rules',
  description:
    'Prompt rules and session templates: those of .scopecraft/prompts and those built in, with priority, moments and version; and the files that were skipped, with line and column.',
  effect: 'reads',
  toolset: 'prompts',
  input: z.strictObject({
    kind: z.enum(RULE_KINDS).optional().describe('Only prompts, or only session templates.'),
    enabled: z.boolean().optional().describe('Only those that are enabled, or are not.'),
    cursor,
    limit: limit(100, 30),
  }),
  output: z.looseObject({
    summary,
    rules: z.array(
      z.looseObject({
        rule: z.string().describe('Id, as session_start and rule_set want it.'),
        name: z.string(),
        kind: z.enum(RULE_KINDS),
        enabled: z.boolean(),
        priority: z.number(),
        specificity: z.number().int(),
        moments: z.array(z.enum(MOMENTS)),
        version: z.string(),
        file: z.string().describe('Path below the workspace, or `built in`.'),
        description: z.string().optional(),
        arguments: z.array(z.string()).optional(),
        notes: z.array(z.string()).optional(),
      }),
    ),
    problems: z
      .array(z.looseObject({ file: z.string(), line: z.number().int(), column: z.number().int(), message: z.string() }))
      .describe('What is wrong in files that were skipped; the first of them.'),
    problemCount: z.number().int().describe('How many problems there are in all.'),
    total,
    nextCursor,
  }),
  fails: ['CURSOR_INVALID', 'WORKSPACE_MISSING'],
  examples: [{}, { kind: 'session' }],
  async handle({ kind, enabled, cursor, limit }, { orchestrator }) {
    await orchestrator.rules.refresh();
    const all = orchestrator.rules
      .list()
      .filter((rule) => (kind === undefined || rule.kind === kind) && (enabled === undefined || rule.enabled === enabled));
    const { rows, nextCursor } = fittingPage(all, { cursor, limit, keyOf: ({ id }) => id }, (rule) => ({
      rule: rule.id,
      name: rule.name,
      kind: rule.kind,
      enabled: rule.enabled,
      priority: rule.priority,
      specificity: rule.specificity,
      moments: [...rule.moments],
      version: rule.version,
      file: rule.file ?? 'built in',
      description: rule.description,
      arguments: rule.arguments.length > 0 ? rule.arguments.map(({ name }) => name) : undefined,
      notes: rule.notes.length > 0 ? [...rule.notes] : undefined,
    }));
    const problems = orchestrator.rules.problems();
    return {
      rules: [...rows],
      problems: problems.slice(0, PROBLEMS_SHOWN).map((one) => ({ ...one })),
      problemCount: problems.length,
      total: all.length,
      nextCursor,
    };
  },
  say: ({ rules, problemCount, total }) =>
    `${rules.length} of ${total} rule${total === 1 ? '' : 's'}${problemCount > 0 ? `; ${problemCount} problem${problemCount === 1 ? '' : 's'} in files that were skipped` : ''}.`,
  tables: [
    {
      rows: 'rules',
      columns: {
        RULE: 'rule',
        KIND: 'kind',
        ENABLED: 'enabled',
        PRIORITY: 'priority',
        MOMENTS: 'moments',
        VERSION: 'version',
        FILE: 'file',
        NAME: 'name',
      },
    },
    { title: 'Skipped:', rows: 'problems', columns: { FILE: 'file', LINE: 'line', COLUMN: 'column', WHY: 'message' } },
  ],
});
