// MCP lines on the hub's socket, and how much a client there may pile up. One that sends without reading is not read from either until it has taken
// what waits for it, and is cut off when that grows past all measure; so is one that sends a line without an end. What is no message, or too many
// in one line, is answered with what is wrong; a short batch is taken apart, and each message in it answered by itself.
import type { Socket } from 'node:net';
import { type JSONRPCMessage, serializeMessage, type Transport } from '@modelcontextprotocol/server';
import { INVALID_REQUEST, messageOf, NO_MESSAGE, PARSE_ERROR, TOO_DEEP } from './json-rpc.ts';
import { lineSplitter } from './lines.ts';
import { isShallow, MAX_BATCH, part } from './messages.ts';

/** So much may wait for a client before no more is taken from it. */
const PAUSE_BYTES = 1024 * 1024;
/** So much may wait for it at most; told changes add up though nothing is taken from it. */
const MOST_BYTES = 32 * 1024 * 1024;
const PERIOD_MS = 2_000;
/** Longest line; doors send no longer ones. */
const MOST_LINE_BYTES = 6 * 1024 * 1024;

/** Why a message is not worked on, as JSON-RPC tells it. */
export interface MessageProblem {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

/** MCP lines on this connection, which is closed with the transport. `problemOf` may refuse a message that is one. */
export function boundedTransport(
  socket: Socket,
  problemOf: (message: JSONRPCMessage) => MessageProblem | undefined = () => undefined,
): Transport {
  boundBacklog(socket);
  let isClosed = false;
  const refuse = (error: MessageProblem, id: unknown = null) =>
    void socket.write(`${JSON.stringify({ jsonrpc: '2.0', id, error })}\n`);
  const take = (value: unknown) => {
    const message = messageOf(value);
    if (!message) return refuse({ code: INVALID_REQUEST, message: NO_MESSAGE }, idOfRequest(value));
    const problem = problemOf(message);
    if (problem) refuse(problem, idOfRequest(value));
    else transport.onmessage?.(message);
  };
  const takeLine = (line: string) => {
    const values = valuesIn(line);
    if ('code' in values) refuse(values);
    else for (const value of values) take(value);
  };
  const read = lineSplitter(MOST_LINE_BYTES, takeLine, () => socket.destroy());
  const transport: Transport = {
    async start() {
      socket.on('data', read);
      socket.on('error', (error) => transport.onerror?.(error));
      for (const event of ['end', 'close']) socket.once(event, () => void transport.close());
      if (socket.destroyed || socket.readableEnded) setImmediate(() => void transport.close());
    },
    async send(message) {
      if (isClosed) throw new Error('The connection is closed.');
      // what is said in one turn goes out in one piece: many calls are answered by one write of the journal
      if (socket.writableCorked === 0) {
        socket.cork();
        process.nextTick(() => socket.uncork());
      }
      socket.write(serializeMessage(message));
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      socket.off('data', read);
      socket.destroySoon();
      transport.onclose?.();
    },
  };
  return transport;
}

/** The values in a line, each to be a message; or why none is looked at. */
function valuesIn(line: string): readonly unknown[] | MessageProblem {
  if (!isShallow(line)) return { code: PARSE_ERROR, message: TOO_DEEP };
  try {
    const value: unknown = JSON.parse(line);
    if (!Array.isArray(value)) return [value];
    if (value.length > 0 && value.length <= MAX_BATCH) return value;
    return { code: INVALID_REQUEST, message: `A batch may have at most ${MAX_BATCH} messages, and at least one.` };
  } catch {
    return { code: PARSE_ERROR, message: 'This line is no JSON.' };
  }
}

/** The id of what was meant as a request; that of an answer is none of ours. */
function idOfRequest(value: unknown): string | number | null {
  const id = typeof part(value, 'method') === 'string' ? part(value, 'id') : null;
  return typeof id === 'string' || typeof id === 'number' ? id : null;
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
