// The settings about the hub and its doors, `server`. Declares them; each door reads its own.
import { z } from 'zod';
import { count } from './setting.ts';

export const Server = z
  .strictObject({
    idleExitMs: count(0, 30 * 86_400_000)
      .default(15 * 60_000)
      .describe('The hub leaves after so many milliseconds with no door open and nothing queued or running. 0 means never.'),
    legacyTools: z.boolean().default(false).describe('List the old `autonomous_*` names too. They can always be called.'),
    toolsets: z
      .array(z.enum(['core', 'queue', 'prompts', 'admin', 'all']))
      .default([])
      .describe('Groups of tools that are listed besides `core`, which always is.'),
    http: z
      .strictObject({
        enabled: z
          .boolean()
          .default(false)
          .describe('Clients with a token are served over HTTP whenever a hub runs. `sc serve --http` serves them without it.'),
        host: z.string().min(1).default('127.0.0.1').describe('Address to listen at.'),
        port: count(0, 65_535).default(0).describe('Port to listen at. 0: on loopback the one that runs use, else any.'),
        behindTls: z
          .boolean()
          .default(false)
          .describe('A proxy that speaks TLS stands in front; without one only addresses of this machine are listened at.'),
        hosts: z.array(z.string().min(1)).default([]).describe('Names by which it may be called, besides those of this machine.'),
        origins: z
          .array(z.string().min(1))
          .default([])
          .describe('Host names of web pages that may call it, besides those of this machine.'),
        maxConnections: count(1, 100_000).default(1_024).describe('How many connections are served at once.'),
        maxSubscriptions: count(1, 100_000).default(512).describe('How many subscriptions one token may have open.'),
        maxWaits: count(1, 100_000).default(256).describe('How many calls with one token may wait for something at once.'),
        callsPerSecond: count(1, 100_000)
          .default(500)
          .describe('How many calls a second one token may make; after a pause four times as many at once.'),
      })
      .prefault({})
      .describe('The HTTP door for clients; runs have it always.'),
  })
  .prefault({});
