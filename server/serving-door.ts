// `sc serve`: a connection that speaks no MCP. It says at which address clients are to be served over HTTP, and as long as it is open they are.
//
//   door → hub   { "serve": { host?, port?, behindTls?, hosts?, origins? } }      what is not said comes from the settings
//   hub → door   { "serving": { url } }  or  { "refuse": { code, message } }, and the connection is closed
import type { Duplex } from 'node:stream';
import { z } from 'zod';
import type { Config } from '../core/config.ts';
import { ScopecraftError } from '../core/errors.ts';
import type { HttpDoor } from './http.ts';
import type { ServedAddress } from './http-address.ts';
import { readLine } from './lines.ts';

const Ask = z.looseObject({
  serve: z.looseObject({
    host: z.string().max(256).optional(),
    port: z.number().int().min(0).max(65_535).optional(),
    behindTls: z.boolean().optional(),
    hosts: z.array(z.string().max(256)).max(100).optional(),
    origins: z.array(z.string().max(256)).max(100).optional(),
  }),
});

type AddressSettings = Pick<Config['server']['http'], 'host' | 'port' | 'behindTls' | 'hosts' | 'origins'>;

const ASK = { bytes: 64 * 1024, ms: 5_000 } as const;

export interface ServingDoor {
  readonly socket: Duplex;
  readonly environment: Readonly<Record<string, string>>;
  readonly http: HttpDoor;
  readonly settings: () => Config['server']['http'];
}

/** Serves until the connection is closed. Never rejects. */
export async function serveWhileOpen({ socket, environment, http, settings }: ServingDoor): Promise<void> {
  let isOpen = !socket.destroyed;
  const over = new Promise<void>((resolve) => {
    const end = () => {
      isOpen = false;
      resolve();
    };
    socket.once('close', end);
    socket.once('end', end);
    if (!isOpen) resolve();
  });
  try {
    const { serve } = Ask.parse(JSON.parse(await readLine(socket, ASK)));
    socket.resume();
    const served = await http.admit(addressOf(wished(settings(), serve), environment));
    socket.write(`${JSON.stringify({ scopecraft: 1, serving: { url: served.url } })}\n`);
    if (isOpen) await over;
    await served.close();
    socket.end();
  } catch (error) {
    const refuse =
      error instanceof ScopecraftError
        ? { code: error.code, message: error.message }
        : { code: 'INVALID_INPUT', message: 'This is no wish to serve.' };
    socket.end(`${JSON.stringify({ scopecraft: 1, refuse })}\n`);
  }
}

function wished(
  given: AddressSettings,
  { host, port, behindTls, hosts, origins }: z.infer<typeof Ask>['serve'],
): AddressSettings {
  return {
    host: host ?? given.host,
    port: port ?? given.port,
    behindTls: behindTls ?? given.behindTls,
    hosts: [...given.hosts, ...(hosts ?? [])],
    origins: [...given.origins, ...(origins ?? [])],
  };
}

/** The address that settings, or flags over them, name. */
export function addressOf(
  { host, port, behindTls, hosts, origins }: AddressSettings,
  environment: Readonly<Record<string, string>>,
): ServedAddress {
  return { host, port, rules: { hosts, origins, isBehindTls: behindTls }, environment };
}
