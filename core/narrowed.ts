// An agent as one session may have it: what a rule says of permissions can only make it stricter, because rule files come with a repository.
import type { AgentEntry, PermissionMode } from './agent.ts';

/** How much each mode allows; a higher one allows more. */
const ALLOWS = { plan: 0, dontAsk: 1, default: 2, acceptEdits: 3, bypassPermissions: 4 } as const satisfies Record<
  PermissionMode,
  number
>;

export interface Narrowing {
  readonly permissionMode?: PermissionMode | undefined;
  /** Of the tools that the agent may use without asking, only these. */
  readonly tools?: readonly string[] | undefined;
}

/** The agent with the stricter of two modes, and with the tools that both name. */
export function narrowedAgent<Agent extends AgentEntry>(agent: Agent, { permissionMode, tools }: Narrowing): Agent {
  const isStricter = permissionMode !== undefined && ALLOWS[permissionMode] < ALLOWS[agent.permissionMode];
  return {
    ...agent,
    permissionMode: isStricter ? permissionMode : agent.permissionMode,
    tools: tools ? agent.tools.filter((tool) => tools.includes(tool)) : agent.tools,
  };
}
