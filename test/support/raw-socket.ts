// The hub's socket without a door: the handshake done, then lines as the test wants them.
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { z } from 'zod';
import { lineSplitter } from '../../server/lines.ts';
import type { Workspace } from './workspace.ts';

const Claim = z.looseObject({ socket: z.string(), version: z.string() });

export interface RawSocket {
  readonly socket: Socket;
  /** Every line that came since the handshake. */
  readonly lines: string[];
  send(line: string): boolean;
  close(): void;
}

/** A connection that the hub has let in. */
export async function openRawSocket(workspace: Workspace): Promise<RawSocket> {
  const file = path.join(workspace.path, '.scopecraft', 'state', 'hub.json');
  const claim = Claim.parse(JSON.parse(await readFile(file, 'utf8')));
  const socket = connect(claim.socket);
  const lines: string[] = [];
  let welcomed = () => {};
  const welcome = new Promise<void>((resolve) => {
    welcomed = resolve;
  });
  socket.on('error', () => {});
  socket.on(
    'data',
    lineSplitter(
      1e9,
      (line) => (line.includes('"welcome"') && lines.length === 0 ? welcomed() : lines.push(line)),
      () => {},
    ),
  );
  const hello = { protocolMin: 1, protocolMax: 1, version: claim.version, kind: 'door' };
  socket.write(`${JSON.stringify({ scopecraft: 1, hello })}\n`);
  await welcome;
  socket.write(`${JSON.stringify({ environment: {} })}\n`);
  return { socket, lines, send: (line) => socket.write(`${line}\n`), close: () => void socket.destroy() };
}
