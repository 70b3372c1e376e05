// Looks once a second at what is open over HTTP: an answer whose token is good no more is ended, and a connection whose client does not read. Of
// connections there are only so many, since each takes a file of the hub's.
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const PERIOD_MS = 1_000;

export interface HttpWatch {
  /** Watches an answer until it is done. `isGood` tells whether its caller may still have it. */
  add(response: ServerResponse, isGood: () => Promise<boolean>): void;
  /** Watches a connection until it is closed; one too many is closed at once, whoever it is from. */
  addConnection(socket: Socket): void;
  /** How many answers are under way, and how many connections are open. */
  answers(): number;
  connections(): number;
  close(): void;
}

/** What a client has taken so far, and since when it has taken nothing more of what waits for it. */
interface Taken {
  bytes: number;
  since: number;
}

export function watchHttp(stalledMs: number, mostConnections: () => number): HttpWatch {
  const answers = new Map<ServerResponse, () => Promise<boolean>>();
  const connections = new Map<Socket, Taken>();
  let timer: NodeJS.Timeout | undefined;

  const look = () => {
    const now = performance.now();
    for (const [socket, taken] of connections) {
      const bytes = socket.bytesWritten - socket.writableLength;
      if (socket.writableLength === 0 || bytes > taken.bytes) connections.set(socket, { bytes, since: now });
      else if (now - taken.since >= stalledMs) socket.destroy();
    }
    for (const [response, isGood] of answers)
      isGood()
        .catch(() => false)
        .then((good) => good || response.destroy());
  };
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
  };
  return {
    add(response, isGood) {
      answers.set(response, isGood);
      response.once('close', () => answers.delete(response));
    },
    addConnection(socket) {
      if (connections.size >= mostConnections()) return void socket.destroy();
      connections.set(socket, { bytes: 0, since: performance.now() });
      socket.once('close', () => {
        connections.delete(socket);
        if (connections.size === 0) stop();
      });
      timer ??= setInterval(look, PERIOD_MS).unref();
    },
    answers: () => answers.size,
    connections: () => connections.size,
    close: stop,
  };
}
