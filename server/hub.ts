// The hub as a process: it claims the workspace, lets doors in, and leaves when it is no longer needed or told to.
//
// It owns first (the claim), then recovers (`onOwned`), and only then welcomes doors; those that come in the meantime wait. It ends with
// exit code 0 when another hub owns the workspace, when it was idle, on SIGTERM and SIGINT, for a newer version, and when it was fenced:
// then without touching anything. Where only its socket was lost it asks its keeper for another try.
import type { Socket } from 'node:net';
import { ScopecraftError } from '../core/errors.ts';
import { claimWorkspace, type Lock } from '../storage/embedded/lock.ts';
import { HUB_EXIT, leaveFailure } from './failure.ts';
import { PROTOCOL } from './version.ts';
import { type Hello, receiveArrival, receiveHello, refusalOf, sendRefusal, sendWelcome } from './wire.ts';

/** Most doors at once. */
const MAX_DOORS = 256;
/** How long onStop may take. */
const STOP_MS = 10_000;

/** A door that was let in. From here on the socket carries MCP lines. */
export interface HubConnection {
  readonly socket: Socket;
  readonly hello: Hello;
  /** Values of the wanted environment variables at the door. */
  readonly environment: Readonly<Record<string, string>>;
  /** Calls back once, when the door is gone. */
  onClose(callback: () => void): void;
}

export type StopReason = 'idle' | 'signal' | 'handover';

/** What the hub has to hand once it owns the workspace. */
export interface Ownership {
  /** Number of the claim. */
  readonly epoch: number;
  /** To be asked before each start of a run; false means: start nothing, this process is about to end. */
  stillOwner(): boolean;
}

export interface HubOptions {
  readonly stateDir: string;
  readonly runtimeDir: string;
  readonly version: string;
  /** Names of the environment variables doors are asked for. */
  readonly wants: () => readonly string[];
  /** The workspace is ours: open the journal and recover. Doors are let in when it resolves. */
  readonly onOwned: (ownership: Ownership) => Promise<void>;
  readonly onConnection: (connection: HubConnection) => void;
  /** True while something is queued, running, scheduled or streamed. */
  readonly isBusy: () => boolean;
  /** Leaves after so many milliseconds without a door and not busy; 0 never. */
  readonly idleExitMs: () => number;
  /** The doors are closed; make everything durable. */
  readonly onStop: (reason: StopReason) => Promise<void>;
}

/** Runs the hub to its end. Answers the exit code; when it could not start, the reason is left in `hub.failed`. */
export async function startHub(options: HubOptions): Promise<number> {
  const hub = doorkeeper(options);
  const onSignal = () => hub.end({ reason: 'signal' });
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  let idleTimer: NodeJS.Timeout | undefined;
  let isOwner = false;
  try {
    const lock = await claimWorkspace({
      stateDir: options.stateDir,
      runtimeDir: options.runtimeDir,
      version: options.version,
      protocol: PROTOCOL.max,
      onConnection: (socket) => void hub.receive(socket),
      onFenced: (why) => hub.end({ fenced: why }),
    });
    if (!lock) return HUB_EXIT.done;
    isOwner = true;
    await options.onOwned({ epoch: lock.claim.epoch, stillOwner: lock.stillOwner });
    hub.open(lock);
    idleTimer = watchIdle(options, hub);
    const end = await hub.ended;
    if ('fenced' in end) return end.fenced === 'superseded' ? HUB_EXIT.done : HUB_EXIT.again;
    lock.stopListening();
    hub.closeDoors();
    const isStopped = await withinTime(options.onStop(end.reason), STOP_MS);
    await lock.release(end.handoverTo === undefined ? {} : { handoverTo: end.handoverTo });
    return isStopped ? HUB_EXIT.done : HUB_EXIT.again;
  } catch (error) {
    if (!(error instanceof ScopecraftError)) throw error;
    console.error(`${error.code}: ${error.message}`);
    await leaveFailure(options.stateDir, error);
    // a full disk may have room again; what stands in the way of the claim stays
    return isOwner && (error.code === 'STORAGE_FAILED' || error.code === 'STORAGE_FULL') ? HUB_EXIT.again : HUB_EXIT.hopeless;
  } finally {
    clearInterval(idleTimer);
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
    hub.closeDoors();
  }
}

type End = { readonly reason: StopReason; readonly handoverTo?: string } | { readonly fenced: 'superseded' | 'socket_lost' };

interface Doorkeeper {
  readonly ended: Promise<End>;
  end(how: End): void;
  open(lock: Lock): void;
  receive(socket: Socket): Promise<void>;
  doors(): number;
  closeDoors(): void;
}

function doorkeeper(options: HubOptions): Doorkeeper {
  const doors = new Set<Socket>();
  let end: (how: End) => void = () => {};
  const ended = new Promise<End>((resolve) => {
    end = resolve;
  });
  let open: (lock: Lock) => void = () => {};
  const opened = new Promise<Lock>((resolve) => {
    open = resolve;
  });
  const admit = async (socket: Socket) => {
    const hello = await receiveHello(socket);
    const { claim } = await opened;
    const refusal = doors.size > MAX_DOORS ? tooMany : refusalOf(hello, options.version);
    if (refusal) return sendRefusal(socket, refusal);
    const { nonce, version, protocol, pid, epoch } = claim;
    sendWelcome(socket, { nonce, version, protocol, pid, epoch, wants: options.wants() });
    const arrival = await receiveArrival(socket);
    if ('handover' in arrival) return end({ reason: 'handover', handoverTo: hello.version });
    options.onConnection({ socket, hello, ...arrival, onClose: (callback) => void socket.once('close', callback) });
  };
  return {
    ended,
    end,
    open,
    doors: () => doors.size,
    closeDoors: () => {
      for (const socket of doors) socket.destroySoon();
    },
    receive: async (socket) => {
      doors.add(socket);
      socket.on('error', () => socket.destroy());
      socket.once('close', () => doors.delete(socket));
      // whoever does not keep to the handshake is turned away; contenders only knock
      await admit(socket).catch(() => socket.destroy());
    },
  };
}

const tooMany = {
  code: 'HUB_UNREACHABLE',
  message: `The hub of this workspace has ${MAX_DOORS} doors open already; close some.`,
} as const;

function watchIdle(options: HubOptions, hub: Doorkeeper): NodeJS.Timeout {
  let idleSince = performance.now();
  return setInterval(() => {
    const limitMs = options.idleExitMs();
    if (hub.doors() > 0 || options.isBusy() || limitMs === 0) idleSince = performance.now();
    else if (performance.now() - idleSince >= limitMs) hub.end({ reason: 'idle' });
  }, 250);
}

async function withinTime(deed: Promise<void>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([deed.then(() => true as const), late]);
  } finally {
    clearTimeout(timer);
  }
}
