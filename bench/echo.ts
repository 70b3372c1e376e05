// The peer: an MCP server on stdio made of the SDK alone, with one tool that gives its argument back.
import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';

serveStdio(
  () => {
    const server = new McpServer({ name: 'echo', version: '1.0.0' });
    server.registerTool(
      'echo',
      { description: 'Gives its argument back.', inputSchema: z.object({ text: z.string() }) },
      async ({ text }) => ({ structuredContent: { text }, content: [{ type: 'text', text: JSON.stringify({ text }) }] }),
    );
    return server;
  },
  { legacy: 'serve' },
);
