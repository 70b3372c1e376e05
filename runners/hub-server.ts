// What Claude Code calls the MCP server of its hub.

export const HUB_SERVER = 'scopecraft';

/** All its tools. */
export const HUB_TOOLS = `mcp__${HUB_SERVER}`;
