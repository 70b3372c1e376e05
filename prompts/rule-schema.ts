// What the front matter of a rule file may say. Keys of channelcoder's prompt files are taken as far as they mean something here.
import { z } from 'zod';
import { isRecord } from '../core/json.ts';
import { Priority } from '../core/priority.ts';
import { MOMENTS, RULE_KINDS, type RuleArgument } from '../core/rules.ts';
import { SessionDefaults } from '../core/session-defaults.ts';

export const RULE_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const ARGUMENT_NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,39}$/;

const argument = z.strictObject({
  name: z.string().regex(ARGUMENT_NAME, 'it must be a word of letters, digits, - and _'),
  description: z.string().max(300).optional(),
  required: z.boolean().default(false),
});
const text = z.string().max(64 * 1024);

/** Keys that channelcoder has too, and keys of its own that mean nothing to a session that we start. */
const CHANNELCODER = {
  systemPrompt: text.optional().describe('Said before the text of the rule.'),
  appendSystemPrompt: text.optional().describe('Said before the text of the rule.'),
  allowedTools: SessionDefaults.shape.tools.describe('Another name for `tools`.'),
  disallowedTools: z.array(z.string()).optional().describe('Read and not applied.'),
  mcpConfig: z.string().optional().describe('Read and not applied.'),
  permissionPromptTool: z.string().optional().describe('Read and not applied.'),
  input: z.unknown().optional().describe('A mapping of names: arguments of the template.'),
  output: z.unknown().optional().describe('A JSON Schema of an object: the same as `resultSchema`.'),
  session: z.strictObject({ required: z.boolean().optional() }).optional().describe('Read and not applied.'),
};

export const RuleFields = z.strictObject({
  id: z
    .string()
    .regex(RULE_ID, 'it must be a word of letters, digits, - and _')
    .optional()
    .describe('Default: the name of the file.'),
  name: z.string().min(1).max(100).optional().describe('What people call it. Default: the id.'),
  description: z.string().max(500).optional().describe('When to use it, in a sentence.'),
  kind: z
    .enum(RULE_KINDS)
    .default('prompt')
    .describe('prompt: chosen by its conditions. session: a named set of defaults, used where it is asked for.'),
  enabled: z.boolean().default(true).describe('false: it is not chosen.'),
  priority: z
    .union([z.number().min(-1_000_000).max(1_000_000), Priority.exclude(['urgent'])])
    .default(0)
    .describe('A number: of several rules that match, the highest goes first. A word: the priority of the sessions.'),
  moments: z
    .array(z.enum(MOMENTS))
    .min(1)
    .default(['start'])
    .describe(
      'start: the first prompt. middle: suggestions for a session at work. continue: another run. review: looking at its work.',
    ),
  conditions: z.unknown().optional().describe('A list of conditions, all of which must hold.'),
  promptTemplate: text.optional().describe('The template, in place of the text below the front matter.'),
  arguments: z.array(argument).max(50).optional().describe('What a caller may give, for {{args.<name>}}.'),
  ...SessionDefaults.shape,
  resultSchema: z
    .union([SessionDefaults.shape.resultSchema, z.record(z.string(), z.json())])
    .optional()
    .describe('JSON Schema of the data the session is to end with.'),
  ...CHANNELCODER,
});
export type RuleFields = z.infer<typeof RuleFields>;

/** The defaults that the keys add up to. */
export function defaultsOf(fields: RuleFields): SessionDefaults {
  const { agent, type, model, worktree, permissionMode, timeoutSeconds, maxCostUsd, label } = fields;
  const sessionPriority = fields.sessionPriority ?? (typeof fields.priority === 'string' ? fields.priority : undefined);
  const schema = fields.resultSchema ?? (isSchema(fields.output) ? fields.output : undefined);
  const resultSchema = schema === undefined || typeof schema === 'string' ? schema : JSON.stringify(schema);
  const tools = fields.tools ?? fields.allowedTools;
  const all = {
    agent,
    type,
    model,
    sessionPriority,
    worktree,
    permissionMode,
    tools,
    resultSchema,
    timeoutSeconds,
    maxCostUsd,
    label,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** The arguments that the keys declare. */
export function argumentsOf({ arguments: declared = [], input }: RuleFields): readonly RuleArgument[] {
  const names = isRecord(input) ? Object.keys(input).filter((name) => ARGUMENT_NAME.test(name)) : [];
  const named = names.filter((name) => !declared.some((one) => one.name === name));
  return [...declared, ...named.map((name) => ({ name, required: false }))];
}

/** What the author should know: keys that are read and not applied. */
export function notesOf({ disallowedTools, mcpConfig, permissionPromptTool, session, output }: RuleFields): readonly string[] {
  const idle = Object.entries({ disallowedTools, mcpConfig, permissionPromptTool, session })
    .filter(([, value]) => value !== undefined)
    .map(([key]) => key);
  if (output !== undefined && !isSchema(output)) idle.push('output');
  return idle.length === 0 ? [] : [`Not applied to sessions that this server starts: ${idle.join(', ')}.`];
}

function isSchema(value: unknown): value is Record<string, unknown> {
  return isRecord(value) && value.type === 'object';
}
