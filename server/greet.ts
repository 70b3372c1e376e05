// The handshake as the door and the CLI see it; server/wire.ts tells the protocol. By hand and without zod: doors must start quickly.
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ERRORS, fail, ScopecraftError } from '../core/errors.ts';
import { type Claim, isStopped, type Place } from '../storage/embedded/claim.ts';
import { chosen } from './config.ts';
import { readLine } from './lines.ts';
import { part } from './messages.ts';
import { compareVersions, PROTOCOL } from './version.ts';
import type { Hello, Welcome } from './wire.ts';

/** A hub that takes longer than this to answer is looked at. */
const PATIENCE_MS = 300;

export interface Guest {
  readonly version: string;
  readonly kind: Hello['kind'];
  /** True when this guest was let in before and lost its hub. */
  readonly returning?: boolean | undefined;
  /** All variables set here; only the wanted ones are told. */
  readonly environment: Readonly<Record<string, string>>;
  /** False: only to a hub that is there, and as it is: an older one is not asked to make room. */
  readonly start?: boolean;
}

/** Greets the hub on a fresh connection. Answers its welcome, `handover` when it was asked to make room for this newer version, or
 * `closed` when it went away meanwhile. Fails with HUB_VERSION or HUB_UNREACHABLE. */
export async function greet(
  socket: Socket,
  claim: Claim,
  here: Place,
  guest: Guest,
  ms: number,
): Promise<Welcome | 'handover' | 'closed'> {
  const { version, kind, returning } = guest;
  const hello: Hello = { protocolMin: PROTOCOL.min, protocolMax: PROTOCOL.max, version, kind, returning };
  socket.write(`${JSON.stringify({ scopecraft: 1, hello })}\n`);
  const answer = await answerOf(socket, claim, here, ms);
  if (answer === undefined) return 'closed';
  const refusal = part(answer, 'refuse');
  if (refusal)
    fail(part(refusal, 'code') === 'HUB_VERSION' ? 'HUB_VERSION' : 'HUB_UNREACHABLE', String(part(refusal, 'message')));
  const welcome = part(answer, 'welcome');
  if (!isWelcome(welcome)) fail('HUB_UNREACHABLE', `What listens on ${claim.socket} is no hub of this program.`);
  if (welcome.nonce !== claim.nonce) fail('HUB_UNREACHABLE', `What listens on ${claim.socket} is not the hub of this workspace.`);
  if (guest.start !== false && compareVersions(version, welcome.version) > 0) {
    socket.write(`${JSON.stringify({ handover: true })}\n`);
    return 'handover';
  }
  socket.write(`${JSON.stringify({ environment: chosen(guest.environment, welcome.wants) })}\n`);
  return welcome;
}

/** The hub's first line, or undefined when it closed. Fails when the hub is stopped or stays silent. */
async function answerOf(socket: Socket, claim: Claim, here: Place, ms: number): Promise<unknown> {
  const watch = new AbortController();
  try {
    const line = await Promise.race([readLine(socket, { bytes: 64 * 1024, ms }), stoppedHub(claim, here, watch.signal)]);
    const answer: unknown = JSON.parse(line);
    if (part(answer, 'scopecraft') === 1) return answer;
    return fail('HUB_UNREACHABLE', `What listens on ${claim.socket} is no hub of this program.`);
  } catch (error) {
    if (error instanceof ScopecraftError) throw error;
    if (socket.destroyed || socket.readableEnded) return undefined;
    return fail(
      'HUB_UNREACHABLE',
      `The hub of this workspace (pid ${claim.pid}) takes connections but does not answer. ${ERRORS.HUB_UNREACHABLE.hint}`,
    );
  } finally {
    watch.abort();
  }
}

/** Never answers; fails when the hub's process is found stopped twice. */
async function stoppedHub(claim: Claim, here: Place, signal: AbortSignal): Promise<never> {
  let seen = 0;
  for (;;) {
    await sleep(PATIENCE_MS, undefined, { signal });
    seen = isStopped(claim, here) ? seen + 1 : 0;
    if (seen === 2)
      fail('HUB_UNREACHABLE', `The hub of this workspace (pid ${claim.pid}) is stopped; run \`kill -CONT ${claim.pid}\`.`);
  }
}

function isWelcome(value: unknown): value is Welcome {
  const wants = part(value, 'wants');
  return typeof part(value, 'nonce') === 'string' && typeof part(value, 'version') === 'string' && Array.isArray(wants);
}
