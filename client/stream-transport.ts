// The MCP client's transport over two streams that carry lines: one JSON-RPC message a line.
import type { Readable, Writable } from 'node:stream';
import { deserializeMessage, serializeMessage, type Transport } from '@modelcontextprotocol/client';
import { lineSplitter } from '../server/lines.ts';

const LONGEST_LINE_BYTES = 64 * 1024 * 1024;

export interface LineStreams {
  /** What the hub says; closed when nothing more will come. */
  readonly input: Readable;
  readonly output: Writable;
  /** Lets go of both; `input` must close thereupon. */
  readonly end: () => void;
}

/** Carries messages over streams that lead to a hub by which we were welcomed. */
export function streamTransport({ input, output, end }: LineStreams): Transport {
  const transport: Transport = {
    async start() {
      const tooLong = () => transport.onerror?.(new Error('The hub sent a line that is too long.'));
      input.on(
        'data',
        lineSplitter(LONGEST_LINE_BYTES, (line) => transport.onmessage?.(deserializeMessage(line)), tooLong),
      );
      input.on('error', (error) => transport.onerror?.(error));
      input.on('close', () => transport.onclose?.());
    },
    send: (message) =>
      new Promise((resolve, reject) => {
        output.write(serializeMessage(message), (error) => (error ? reject(error) : resolve()));
      }),
    async close() {
      end();
    },
  };
  return transport;
}
