// The peer over HTTP: an MCP server made of the SDK alone, with one tool that gives its argument back. Prints its address.
import { createServer } from 'node:http';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';

const handler = createMcpHandler(() => {
  const server = new McpServer({ name: 'echo', version: '1.0.0' });
  server.registerTool(
    'echo',
    { description: 'Gives its argument back.', inputSchema: z.object({ text: z.string() }) },
    async ({ text }) => ({ structuredContent: { text }, content: [{ type: 'text', text: JSON.stringify({ text }) }] }),
  );
  return server;
});
const answer = toNodeHandler(handler);
const server = createServer((request, response) => {
  const { method = 'GET', url = '/mcp', headers } = request;
  void answer({ method, url, headers, [Symbol.asyncIterator]: () => request[Symbol.asyncIterator]() }, response);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(
    `${JSON.stringify({ url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/mcp` })}\n`,
  );
});
