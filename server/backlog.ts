// What a client on the hub's socket may pile up. One that sends without reading is not read from either until it has taken what waits for it, and
// is cut off when that grows past all measure; so is one that sends a line without an end.
import type { Socket } from 'node:net';
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio';

/** So much may wait for a client before no more is taken from it. */
const PAUSE_BYTES = 1024 * 1024;
/** So much may wait for it at most; told changes add up though nothing is taken from it. */
const MOST_BYTES = 32 * 1024 * 1024;
const PERIOD_MS = 2_000;
/** Longest line, with what came behind it; doors send no longer ones. */
const MOST_UNREAD_BYTES = 6 * 1024 * 1024;

/** MCP lines on this connection, which is closed with the transport. */
export function boundedTransport(socket: Socket): StdioServerTransport {
  boundBacklog(socket);
  const transport = new StdioServerTransport(socket, socket, { maxBufferSize: MOST_UNREAD_BYTES });
  const close = transport.close.bind(transport);
  transport.close = async () => {
    await close();
    socket.destroySoon();
  };
  return transport;
}

/** Keeps what waits for this client bounded until the connection is closed. */
function boundBacklog(socket: Socket): void {
  const look = () => {
    if (socket.writableLength > MOST_BYTES) socket.destroy();
    else if (socket.writableLength > PAUSE_BYTES) socket.pause();
  };
  socket.on('data', look);
  socket.on('drain', () => socket.resume());
  const timer = setInterval(look, PERIOD_MS).unref();
  socket.once('close', () => clearInterval(timer));
}
