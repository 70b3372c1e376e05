// How the built-in agent calls tools of the hub that runs it: plain JSON-RPC over HTTP, each request for itself, as protocol 2026-07-28 has it.
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';

const REVISION = '2026-07-28';
/** For so long a hub that is away is waited for. */
const PATIENCE_MS = 60_000;
const PAUSE_MS = 200;

const Answer = z.looseObject({
  result: z
    .looseObject({
      isError: z.boolean().optional(),
      content: z.array(z.looseObject({ text: z.string().optional() })).default([]),
      structuredContent: z.unknown().optional(),
    })
    .optional(),
  error: z.looseObject({ message: z.string() }).optional(),
});
const TimedOut = z.looseObject({ timedOut: z.literal(true) });

export interface HubCalls {
  /** The answer of a tool as text, JSON where it went well. `session_wait` is repeated until it has something to tell. */
  call(tool: string, input: unknown): Promise<{ readonly text: string; readonly isError: boolean }>;
}

/** Calls to the hub at `url`. Without an address every call is answered with an error. */
export function createHubCalls(url: string | undefined, token: string | undefined): HubCalls {
  return {
    async call(tool, input) {
      if (url === undefined || token === undefined)
        return { text: 'This run was not given the address of a hub.', isError: true };
      for (;;) {
        const answer = Answer.parse(await answerOf(url, token, tool, input));
        const {
          isError = false,
          structuredContent,
          content,
        } = answer.result ?? { isError: true, content: [{ text: answer.error?.message ?? 'There was no answer.' }] };
        const isOver = tool !== 'session_wait' || !TimedOut.safeParse(structuredContent).success;
        if (isOver)
          return {
            text:
              structuredContent === undefined
                ? content.map(({ text = '' }) => text).join('\n')
                : JSON.stringify(structuredContent),
            isError,
          };
      }
    },
  };
}

/** One call; sent again, with the same key, when the hub went away under it. */
async function answerOf(url: string, token: string, name: string, input: unknown): Promise<unknown> {
  const id = randomUUID();
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': REVISION,
    'io.modelcontextprotocol/clientInfo': { name: 'demo-agent', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
    'scopecraft/requestKey': id,
  };
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': REVISION,
    'mcp-method': 'tools/call',
    'mcp-name': name,
  };
  const body = JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: input, _meta } });
  let until = performance.now() + PATIENCE_MS;
  for (;;) {
    const sentAt = performance.now();
    try {
      const response = await fetch(url, { method: 'POST', headers, body });
      const text = await response.text();
      if (response.status !== 503) return JSON.parse(text);
    } catch (error) {
      // it was there, and took its time: an answer of a person may take long
      if (performance.now() - sentAt > PATIENCE_MS) until = performance.now() + PATIENCE_MS;
      if (performance.now() > until)
        return { error: { message: `The hub does not answer: ${error instanceof Error ? error.message : String(error)}` } };
    }
    await delay(PAUSE_MS);
  }
}
