// Starts a session as any MCP client would, waits for it without polling, and prints its result and what it did.
//
//   npx tsx examples/start-and-wait.ts WORKSPACE TASK [AGENT]
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { z } from 'zod';

const [workspace = '.', taskId = 'greeting', agent = 'demo'] = process.argv.slice(2);

// an agent gets its variables (PATH, keys) from the client that starts the server, so ours are handed on
const env = Object.fromEntries(
  Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
);
const client = new Client({ name: 'start-and-wait', version: '1.0.0' });
await client.connect(new StdioClientTransport({ command: 'scopecraft-orchestrator', args: ['--workspace', workspace], env }));

const Session = z.looseObject({ id: z.string(), status: z.string(), summary: z.string(), result: z.string().optional() });
const Waited = z.looseObject({ sessions: z.array(Session), timedOut: z.boolean(), cursor: z.string() });
const Logs = z.looseObject({ entries: z.array(z.looseObject({ kind: z.string(), text: z.string() })) });

try {
  const { id, summary } = Session.parse(await call('session_start', { taskId, agent }));
  process.stdout.write(`${summary}\n`);

  let waited = Waited.parse(await call('session_wait', { sessionIds: [id] }));
  while (waited.timedOut) waited = Waited.parse(await call('session_wait', { sessionIds: [id], after: waited.cursor }));
  for (const session of waited.sessions) process.stdout.write(`${session.summary}\n${session.result ?? ''}\n`);

  const { entries } = Logs.parse(await call('session_logs', { sessionId: id }));
  for (const { kind, text } of entries) process.stdout.write(`  ${kind.padEnd(12)} ${text.trim().replaceAll('\n', ' ')}\n`);
} finally {
  // the session would go on without us
  await client.close();
}

async function call(name: string, args: Record<string, unknown>): Promise<unknown> {
  const { isError, content, structuredContent } = await client.callTool({ name, arguments: args });
  if (!isError) return structuredContent;
  const [first] = content;
  throw new Error(first?.type === 'text' ? first.text : `${name} failed`);
}
