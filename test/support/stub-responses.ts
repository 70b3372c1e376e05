// A stand-in for the API of OpenAI (Responses) on loopback, so that the real Codex runs with no network and no account. What the model does is
// a list of steps; each gets the text of the last tool result.
import { createServer } from 'node:http';
import { z } from 'zod';

/** A tool call, or the final words. */
export type ResponseStep =
  | { readonly name: string; readonly namespace: string; readonly args: object }
  | { readonly say: string };

export interface StubResponses {
  readonly url: string;
  /** Names of the tools that were listed to the model, by namespace; '' for those without. */
  tools(): Readonly<Record<string, readonly string[]>>;
  /** The results the model was told, in order. */
  results(): readonly string[];
  close(): Promise<void>;
}

const Asked = z.looseObject({
  tools: z
    .array(
      z.looseObject({
        type: z.string(),
        name: z.string().default(''),
        tools: z.array(z.looseObject({ name: z.string() })).optional(),
      }),
    )
    .default([]),
  input: z.array(z.looseObject({ type: z.string().optional(), output: z.unknown().optional() })).default([]),
});

/** Starts the stub on a free port of 127.0.0.1. */
export async function startStubResponses(steps: readonly ((last: string) => ResponseStep)[]): Promise<StubResponses> {
  let asked: z.infer<typeof Asked> | undefined;
  const results = () =>
    (asked?.input ?? []).filter(({ type }) => type === 'function_call_output').map(({ output }) => textOf(output));
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.once('end', () => {
      if (request.method !== 'POST' || !request.url?.endsWith('/responses')) return void response.writeHead(404).end('{}');
      asked = Asked.parse(JSON.parse(Buffer.concat(chunks).toString()));
      const step = steps[results().length]?.(results().at(-1) ?? '') ?? { say: 'There is no further step.' };
      const id = `resp_${results().length}`;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (const event of [
        { type: 'response.created', response: { id } },
        { type: 'response.output_item.done', output_index: 0, item: itemOf(step, id) },
        { type: 'response.completed', response: { id, usage: USAGE } },
      ])
        response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The stub has no port.');
  return {
    url: `http://127.0.0.1:${address.port}/v1`,
    tools: () =>
      Object.fromEntries(
        (asked?.tools ?? []).flatMap(({ name, tools }) => (tools ? [[name, tools.map((tool) => tool.name)]] : [])),
      ),
    results,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const USAGE = { input_tokens: 1, input_tokens_details: null, output_tokens: 1, output_tokens_details: null, total_tokens: 2 };

function itemOf(step: ResponseStep, id: string): object {
  if ('say' in step)
    return { type: 'message', role: 'assistant', id: `m_${id}`, content: [{ type: 'output_text', text: step.say }] };
  const { name, namespace, args } = step;
  return { type: 'function_call', id: `f_${id}`, call_id: `c_${id}`, name, namespace, arguments: JSON.stringify(args) };
}

/** The text of a tool result, which is a text or a list of parts. */
function textOf(output: unknown): string {
  const parts = z.array(z.looseObject({ text: z.string().default('') })).safeParse(output).data;
  return parts ? parts.map(({ text }) => text).join('') : typeof output === 'string' ? output : JSON.stringify(output);
}
