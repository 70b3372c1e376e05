// Which tools are listed, and callable, by whom, and as MCP lists them.
import { z } from 'zod';
import { ALIASES } from '../tools/aliases.ts';
import { EFFECTS, type Tool } from '../tools/define.ts';
import { TOOLS, toolNamed } from '../tools/index.ts';

/** Which groups of tools are listed, and whether the old names are. */
export interface Listed {
  readonly toolsets: readonly string[];
  readonly legacy: boolean;
}

export interface Listing {
  readonly ofOthers: readonly ListedTool[];
  readonly ofSessions: readonly ListedTool[];
}

/** What a run may do: put others to work, steer them, answer them, ask, and read. */
export const SESSION_TOOLS: readonly string[] = [
  'session_start',
  'session_run',
  'session_wait',
  'session_get',
  'session_logs',
  'session_list',
  'session_prompt',
  'session_cancel',
  'session_ask',
  'request_list',
  'request_answer',
  'queue_status',
  'task_list',
];

/** Runs have their own tools, and some that nobody else has; by any of their names. */
export function mayCall(isSession: boolean, name: string): boolean {
  const tool = toolNamed(name)?.tool;
  return isSession ? SESSION_TOOLS.includes(tool?.name ?? name) : tool?.toolset !== 'session';
}

/** The tools as MCP lists them; made once, so that every connection gets the same bytes. */
export function listing({ toolsets, legacy }: Listed): Listing {
  const isShown = ({ toolset }: Tool) => toolset !== 'session' && (toolsets.includes('all') || toolsets.includes(toolset));
  const old = legacy ? ALIASES.flatMap(({ name }) => listedAs(name)) : [];
  return {
    ofOthers: [...TOOLS.filter(isShown).flatMap(({ name }) => listedAs(name)), ...old],
    ofSessions: TOOLS.filter(({ name }) => SESSION_TOOLS.includes(name)).flatMap(({ name }) => listedAs(name)),
  };
}

type ListedTool = ReturnType<typeof listedAs>[number];

function listedAs(name: string) {
  const found = toolNamed(name);
  return found
    ? [
        {
          name,
          title: found.tool.title,
          description: found.tool.description,
          inputSchema: inputSchema(found.tool),
          annotations: EFFECTS[found.tool.effect],
        },
      ]
    : [];
}

/** The JSON schema of a tool's arguments: the contract on the wire. */
export function inputSchema(tool: Tool) {
  const { $schema: _schema, ...schema } = z.toJSONSchema(tool.input, { io: 'input' });
  return InputSchema.parse(schema);
}

const InputSchema = z.looseObject({
  type: z.literal('object'),
  properties: z.record(z.string(), z.json()).optional(),
  required: z.array(z.string()).optional(),
});
