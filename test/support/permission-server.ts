// A stand-in for the hub's MCP door, with the one tool that decides about permissions, over plain HTTP as Claude Code speaks it.
import { createServer, type IncomingMessage } from 'node:http';
import { z } from 'zod';

const Request = z.looseObject({
  id: z.union([z.string(), z.number()]).optional(),
  method: z.string(),
  params: z.looseObject({ arguments: z.unknown().optional() }).optional(),
});

export interface PermissionServer {
  readonly url: string;
  /** What was asked so far. */
  readonly asked: unknown[];
  close(): Promise<void>;
}

/** Starts it on a free port of 127.0.0.1. Every use is answered with `verdict`. */
export async function startPermissionServer(verdict: object): Promise<PermissionServer> {
  const asked: unknown[] = [];
  const resultOf = ({ method, params }: z.infer<typeof Request>): unknown => {
    if (method === 'initialize')
      return { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'stand-in', version: '1' } };
    if (method === 'tools/list') return { tools: [{ name: 'request_permission', inputSchema: { type: 'object' } }] };
    if (method !== 'tools/call') return undefined;
    asked.push(params?.arguments);
    return { content: [{ type: 'text', text: JSON.stringify(verdict) }] };
  };
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      if (request.method !== 'POST') return response.writeHead(405).end();
      const message = Request.parse(JSON.parse(body));
      if (message.id === undefined) return response.writeHead(202).end();
      const result = resultOf(message);
      const answer = result === undefined ? { error: { code: -32601, message: 'There is no such method.' } } : { result };
      return response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ jsonrpc: '2.0', id: message.id, ...answer }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');
  return {
    url: `http://127.0.0.1:${address.port}/mcp`,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}
