// The port of the HTTP door: kept in the state folder, because running agents were told it and a new hub must be found there.
import { readFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { fail } from '../core/errors.ts';
import { writeAtomic } from '../storage/atomic-write.ts';
import { errnoOf } from '../storage/errno.ts';

export const HOST = '127.0.0.1';
/** A port is tried so often: that of a hub that was just killed is free within moments. */
const BIND_TRIES = 8;
const BIND_PAUSE_MS = 50;

/** Listens at the kept port, else at a free one that is kept from now on. */
export async function listenAtKeptPort(server: Server, file: string, log: (line: string) => void): Promise<number> {
  const kept = Number(await readFile(file, 'utf8').catch(() => ''));
  if (Number.isInteger(kept) && kept > 0 && kept < 65_536) {
    for (let tries = 1; tries <= BIND_TRIES; tries++) {
      if (await bound(server, kept)) return kept;
      if (tries < BIND_TRIES) await delay(BIND_PAUSE_MS);
    }
    log(`http: port ${kept} is taken by another program; runs that were given it cannot reach this hub.`);
  }
  await bound(server, 0);
  const free = portOf(server);
  await writeAtomic(file, `${free}\n`);
  return free;
}

/** Listens at this address; 0 is any port. Answers the port. Fails with HUB_UNREACHABLE. */
export async function listenAt(server: Server, host: string, port: number): Promise<number> {
  const isBound = await bound(server, port, host).catch((error: unknown) =>
    fail(
      'HUB_UNREACHABLE',
      `"${host}" is no address of this machine at which one can listen (${errnoOf(error) ?? 'unknown error'}).`,
    ),
  );
  if (!isBound) fail('HUB_UNREACHABLE', `Port ${port} is taken by another program; choose another one.`);
  return portOf(server);
}

/** Resolves when the server listens no more and its connections are closed, those that `first` was about after it. */
export async function closedListener(server: Server, first?: Promise<void>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  await first;
  server.closeAllConnections();
  await closed;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The HTTP door has no port.');
  return address.port;
}

/** False when the port is taken. */
function bound(server: Server, port: number, host = HOST): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error) =>
      ['EADDRINUSE', 'EACCES'].includes(errnoOf(error) ?? '') && port !== 0 ? resolve(false) : reject(error);
    server.once('error', onError).listen(port, host, () => {
      server.off('error', onError);
      resolve(true);
    });
  });
}
