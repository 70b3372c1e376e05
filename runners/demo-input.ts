// What the built-in agent is told: stream-json user messages on standard input, read as Claude Code reads them.
import type { Readable } from 'node:stream';
import { z } from 'zod';

export interface Told {
  readonly text: string;
  readonly uuid: string | undefined;
}

export interface DemoInput {
  /** The oldest message that was not taken yet; waits for one. Undefined at the end of input. */
  next(): Promise<Told | undefined>;
  /** The same without waiting. */
  take(): Told | undefined;
}

const Text = z.looseObject({ type: z.literal('text'), text: z.string() });
const UserLine = z.looseObject({
  type: z.literal('user'),
  uuid: z.string().optional(),
  message: z.looseObject({ content: z.union([z.string(), z.array(z.union([Text, z.looseObject({ type: z.string() })]))]) }),
});
const Interrupt = z.looseObject({
  type: z.literal('control_request'),
  request_id: z.string(),
  request: z.looseObject({ subtype: z.literal('interrupt') }),
});

/** Reads the stream to its end. A line that is not JSON ends the process. */
export function openDemoInput(stream: Readable, onInterrupt: (requestId: string) => void): DemoInput {
  const waiting: Told[] = [];
  let hasEnded = false;
  let wake = () => {};
  let partial = '';

  stream.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = `${partial}${chunk}`.split('\n');
    partial = lines.pop() ?? '';
    for (const line of lines) hear(line);
    wake();
  });
  stream.once('end', () => {
    hear(partial);
    hasEnded = true;
    wake();
  });

  function hear(line: string): void {
    if (line === '') return;
    const said = jsonOrEnd(line);
    const { data: told } = UserLine.safeParse(said);
    if (told) waiting.push({ text: textOf(told.message.content), uuid: told.uuid });
    const { data: interrupt } = Interrupt.safeParse(said);
    if (interrupt) onInterrupt(interrupt.request_id);
  }

  return {
    async next() {
      while (waiting.length === 0 && !hasEnded) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return waiting.shift();
    },
    take: () => waiting.shift(),
  };
}

function textOf(content: z.infer<typeof UserLine>['message']['content']): string {
  if (typeof content === 'string') return content;
  return content.flatMap((block) => Text.safeParse(block).data?.text ?? []).join('\n');
}

function jsonOrEnd(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    process.stderr.write(`Error parsing streaming input line: ${line.slice(0, 200)}: ${String(error)}\n`);
    return process.exit(1);
  }
}
