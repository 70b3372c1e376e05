// The MCP client's transport over the hub's socket: one JSON-RPC message a line.
import type { Socket } from 'node:net';
import { deserializeMessage, serializeMessage, type Transport } from '@modelcontextprotocol/client';
import { lineSplitter } from '../server/lines.ts';

const LONGEST_LINE_BYTES = 64 * 1024 * 1024;

/** Carries messages over a socket that was welcomed. */
export function socketTransport(socket: Socket): Transport {
  const transport: Transport = {
    async start() {
      const tooLong = () => transport.onerror?.(new Error('The hub sent a line that is too long.'));
      socket.on(
        'data',
        lineSplitter(LONGEST_LINE_BYTES, (line) => transport.onmessage?.(deserializeMessage(line)), tooLong),
      );
      socket.on('error', (error) => transport.onerror?.(error));
      socket.on('close', () => transport.onclose?.());
    },
    send: (message) =>
      new Promise((resolve, reject) => {
        socket.write(serializeMessage(message), (error) => (error ? reject(error) : resolve()));
      }),
    async close() {
      socket.destroySoon();
    },
  };
  return transport;
}
