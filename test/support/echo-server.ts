// A small MCP server on stdio to try clients on: `echo` gives its arguments back, `refuse` fails, `touch` announces a change of a resource.
import { setTimeout as delay } from 'node:timers/promises';
import { Server } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';

const anything = { type: 'object' as const, additionalProperties: true };
const tools = ['echo', 'refuse', 'touch'].map((name) => ({ name, description: `The ${name} tool.`, inputSchema: anything }));

serveStdio(({ era }) => {
  const subscribed = new Set<string>();
  const server = new Server(
    { name: 'echo', version: '1.0.0' },
    { capabilities: { tools: {}, resources: { subscribe: true } }, instructions: 'Echoes.' },
  );
  server.setRequestHandler('tools/list', () => ({ tools }));
  server.setRequestHandler('tools/call', async ({ params }, context) => {
    const given = params.arguments ?? {};
    if (params.name === 'refuse')
      return {
        isError: true,
        content: [{ type: 'text', text: JSON.stringify({ code: 'REFUSED', message: 'It said no.', ...given }) }],
      };
    const uri = String(given.uri);
    if (params.name === 'touch' && (era === 'modern' || subscribed.has(uri))) await server.sendResourceUpdated({ uri });
    const token = context.mcpReq._meta?.progressToken;
    if (token !== undefined) {
      await context.mcpReq.notify({
        method: 'notifications/progress',
        params: { progressToken: token, progress: 1, message: 'half way' },
      });
      // clients drop a progress that they read together with the result
      await delay(300);
    }
    const structuredContent = { ...given, toolUseId: context.mcpReq._meta?.['claudecode/toolUseId'] };
    return { content: [{ type: 'text', text: JSON.stringify(structuredContent) }], structuredContent };
  });
  server.setRequestHandler('resources/list', () => ({ resources: [{ uri: 'echo://one', name: 'one' }] }));
  server.setRequestHandler('resources/read', ({ params }) => ({
    contents: [{ uri: params.uri, text: `the text of ${params.uri}` }],
  }));
  server.setRequestHandler('resources/subscribe', ({ params }) => {
    subscribed.add(params.uri);
    return {};
  });
  server.setRequestHandler('resources/unsubscribe', ({ params }) => {
    subscribed.delete(params.uri);
    return {};
  });
  return server;
});
