// Which tools are listed, and callable, by whom, and as MCP lists them.
import { z } from 'zod';
import { includes, type Scope, type ShareRole, scopeOf, toolsOfRole } from '../core/access.ts';
import { ALIASES } from '../tools/aliases.ts';
import { EFFECTS, type Tool } from '../tools/define.ts';
import { TOOLS, toolNamed } from '../tools/index.ts';

/** Which groups of tools are listed besides `core`, and whether the old names are. */
export interface Listed {
  readonly toolsets: readonly string[];
  readonly legacy: boolean;
}

export interface Listing {
  /** What is listed for this peer. */
  of(peer: ListedPeer): ListedTool[];
}

/** Of a peer, what decides about its tools. */
export interface ListedPeer {
  readonly kind: string;
  readonly scope?: Scope;
  readonly guest?: { readonly role: ShareRole };
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

/** Why this peer may not call the tool, by any of its names; undefined when it may, or when there is no such tool. */
export function refusalOf(peer: ListedPeer, name: string): string | undefined {
  const tool = toolNamed(name)?.tool;
  const known = tool?.name ?? name;
  if (peer.kind === 'session') {
    if (SESSION_TOOLS.includes(known)) return undefined;
    return `The tool "${name}" is not for sessions. They have: ${SESSION_TOOLS.join(', ')}.`;
  }
  if (peer.guest) {
    const own = toolsOfRole(peer.guest.role);
    return own.includes(known) ? undefined : `The tool "${name}" is not for guests of a session. They have: ${own.join(', ')}.`;
  }
  if (tool?.toolset === 'session') return `The tool "${name}" is not for callers that are no session.`;
  const needed = tool && scopeOf(tool);
  if (peer.scope === undefined || needed === undefined || includes(peer.scope, needed)) return undefined;
  return `The tool "${name}" needs a token with the scope ${needed}; this one has ${peer.scope}.`;
}

/** The tools as MCP lists them; made once, so that every connection gets the same bytes. */
export function listing({ toolsets, legacy }: Listed): Listing {
  const isShown = ({ toolset }: Tool) =>
    toolset === 'core' || (toolset !== 'session' && (toolsets.includes('all') || toolsets.includes(toolset)));
  const old = legacy ? ALIASES.flatMap(({ name }) => listedAs(name)) : [];
  const ofOthers = [...TOOLS.filter(isShown).flatMap(({ name }) => listedAs(name)), ...old];
  const all = TOOLS.flatMap(({ name }) => listedAs(name));
  return {
    of(peer) {
      const listed = peer.kind === 'session' || peer.guest ? all : ofOthers;
      return listed.filter(({ name }) => refusalOf(peer, name) === undefined);
    },
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
