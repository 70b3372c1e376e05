// The handshake on the hub's socket, as the hub sees it: one JSON object a line, and after it the raw MCP lines.
//
//   door → hub   { "scopecraft": 1, "hello": { protocolMin, protocolMax, version, kind, returning? } }
//   hub → door   { "scopecraft": 1, "welcome": { nonce, version, protocol, pid, epoch, wants: ["ANTHROPIC_API_KEY", …] } }
//             or { "scopecraft": 1, "refuse": { code, message } }, and the connection is closed
//   door → hub   { "environment": { only the wanted names that are set } }
//             or { "handover": true }: the door is newer; the hub finishes and leaves
//
// The nonce in the welcome is the one in the hub's claim file, which only its user can read: a door tells no secret before it saw it.
import type { Duplex } from 'node:stream';
import { z } from 'zod';
import { readLine } from './lines.ts';
import { compareVersions, PROTOCOL } from './version.ts';

const word = z.string().max(256);

export const Hello = z.looseObject({
  protocolMin: z.number().int(),
  protocolMax: z.number().int(),
  version: word,
  kind: z.enum(['door', 'cli', 'serve']),
  /** True for a door that was let in before and lost its hub. */
  returning: z.boolean().optional(),
});
export type Hello = z.infer<typeof Hello>;

const HelloLine = z.looseObject({ scopecraft: z.literal(1), hello: Hello });

const Arrival = z.union([
  z.strictObject({ environment: z.record(word, z.string().max(128 * 1024)) }),
  z.strictObject({ handover: z.literal(true) }),
]);
type Arrival = z.infer<typeof Arrival>;

export interface Welcome {
  readonly nonce: string;
  readonly version: string;
  readonly protocol: number;
  readonly pid: number;
  readonly epoch: number;
  /** Names of the environment variables the agents of this workspace may get. */
  readonly wants: readonly string[];
}

export interface Refusal {
  readonly code: 'HUB_VERSION' | 'HUB_UNREACHABLE';
  readonly message: string;
}

const HELLO = { bytes: 16 * 1024, ms: 5_000 } as const;
const ARRIVAL = { bytes: 1024 * 1024, ms: 5_000 } as const;

/** Who is at the door. Rejects when it says anything but a hello. */
export async function receiveHello(socket: Duplex): Promise<Hello> {
  return HelloLine.parse(JSON.parse(await readLine(socket, HELLO))).hello;
}

/** What the door brings after it was welcomed. */
export async function receiveArrival(socket: Duplex): Promise<Arrival> {
  return Arrival.parse(JSON.parse(await readLine(socket, ARRIVAL)));
}

export function sendWelcome(socket: Duplex, welcome: Welcome): void {
  socket.write(`${JSON.stringify({ scopecraft: 1, welcome })}\n`);
}

export function sendRefusal(socket: Duplex, refuse: Refusal): void {
  socket.end(`${JSON.stringify({ scopecraft: 1, refuse })}\n`);
}

/** Why a hub of this version turns the door away, or undefined. A newer door is let in, to ask for a handover; there is never a downgrade. */
export function refusalOf(hello: Hello, version: string): Refusal | undefined {
  const speaks = hello.protocolMin <= PROTOCOL.max && hello.protocolMax >= PROTOCOL.min;
  const age = compareVersions(hello.version, version);
  // a door that worked before its hub was replaced goes on as long as both speak the same
  if (age > 0 || (speaks && (age === 0 || hello.returning === true))) return undefined;
  const message = `The hub of this workspace runs version ${version}, this program is ${hello.version}: update it and start it again.`;
  return { code: 'HUB_VERSION', message };
}
