// The MCP client's transport over two streams that carry lines: one JSON-RPC message a line.
import type { Readable, Writable } from 'node:stream';
import { deserializeMessage, serializeMessage, type Transport } from '@modelcontextprotocol/client';
import { fail } from '../core/errors.ts';
import { lineSplitter, MAX_CALL_BYTES } from '../server/lines.ts';

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
    async send(message) {
      const line = serializeMessage(message);
      // a hub cuts off who sends more
      if (Buffer.byteLength(line) > MAX_CALL_BYTES) fail('INVALID_INPUT', `A message is longer than ${MAX_CALL_BYTES} bytes.`);
      await new Promise<void>((resolve, reject) => {
        output.write(line, (error) => (error ? reject(error) : resolve()));
      });
    },
    async close() {
      end();
    },
  };
  return transport;
}
