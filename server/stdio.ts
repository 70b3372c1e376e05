// The stdio door: carries lines between a client's pipes and a hub, and finds the next hub when one dies.
import type { Duplex, Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { ERRORS, ScopecraftError } from '../core/errors.ts';
import { lineSplitter, MAX_CALL_BYTES } from './lines.ts';
import { answered, type Failure, idAtEdge } from './messages.ts';
import { createMemory, type Memory, MOST_QUICK_DEATHS, QUICK_DEATH_MS } from './replay.ts';

/** Longest line from a hub. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;
/** After the client closed its end, answers under way are still given for so long. */
const FAREWELL_MS = 500;
/** The same for a client that never read an answer: its requests were piped in, and a hub may have to be started for them. */
const PIPED_FAREWELL_MS = 15_000;
/** Pause after a failed try to reach a hub, or after too many that died at once; a new call of the client ends it. */
const RETRY_MS = 1_000;

export interface DoorOptions {
  readonly input: Readable;
  readonly output: Writable;
  /** A connection that carries MCP lines; `returning` after there was one before. Rejects with the sentence for the client. */
  readonly connect: (returning: boolean) => Promise<Duplex>;
  readonly newKey: () => string;
  /** What a person should see, on stderr. */
  readonly onTrouble: (sentence: string) => void;
  /** Ends the door at once. */
  readonly signal: AbortSignal;
}

/** Serves one client until it closes its end or the signal comes. Never rejects. */
export async function runDoor({ input, output, connect, newKey, onTrouble, signal }: DoorOptions): Promise<void> {
  let isClosing = signal.aborted;
  let close = () => {};
  const closed = new Promise<undefined>((resolve) => {
    close = () => {
      isClosing = true;
      resolve(undefined);
    };
  });
  signal.addEventListener('abort', close, { once: true });
  if (isClosing) close();
  let stream: Duplex | undefined;
  let wake = () => {};
  let hasAnswered = false;
  const memory = createMemory({
    toHub: (line) => {
      if (stream && !stream.write(`${line}\n`)) input.pause();
    },
    toClient: (line) => {
      hasAnswered = true;
      if (!output.write(`${line}\n`)) stream?.pause();
    },
    newKey,
  });
  output.on('drain', () => stream?.resume());
  // the client is gone
  output.on('error', close);

  const tooLong = {
    code: 'INVALID_INPUT',
    message: `A message is longer than ${MAX_CALL_BYTES} bytes.`,
    hint: ERRORS.INVALID_INPUT.hint,
  };
  const fromClient = lineSplitter(
    MAX_CALL_BYTES,
    (line) => {
      memory.fromClient(line);
      wake();
    },
    () => {},
    // its client waits for an answer to just this one
    (beginning, end) => output.write(`${answered(idAtEdge(beginning, end) ?? null, tooLong)}\n`),
  );
  input.on('data', fromClient);
  input.on('error', close);
  input.once('close', () => farewell());
  input.once('end', () => farewell());
  const farewell = async () => {
    const until = performance.now() + (hasAnswered ? FAREWELL_MS : PIPED_FAREWELL_MS);
    while (!isClosing && memory.underWay() > 0 && performance.now() < until) await sleep(10);
    close();
  };

  const rest = async () => {
    const call = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const pause = new AbortController();
    await Promise.race([call, closed, sleep(RETRY_MS, undefined, { signal: pause.signal }).catch(() => {})]);
    pause.abort();
  };

  for (let quickDeaths = 0; !isClosing; ) {
    try {
      const connecting = connect(stream !== undefined);
      stream = await Promise.race([connecting, closed]);
      // a connection that comes after the end has nobody to serve
      if (stream === undefined) connecting.then((late) => late.destroy()).catch(() => {});
      else {
        const livedMs = await serve(stream, input, memory, closed);
        quickDeaths = livedMs < QUICK_DEATH_MS ? quickDeaths + 1 : 0;
        // a call under way ends by itself when too many died under it
        if (quickDeaths >= MOST_QUICK_DEATHS && memory.underWay() === 0) await rest();
      }
    } catch (error) {
      const failure = failureOf(error);
      onTrouble(failure.message);
      memory.giveUp(failure);
      await rest();
    }
  }
  stream?.destroy();
  input.destroy();
  signal.removeEventListener('abort', close);
}

/** Carries lines until this hub is gone, or until the door closes; for how many milliseconds it did. */
async function serve(stream: Duplex, input: Readable, memory: Memory, closed: Promise<unknown>): Promise<number> {
  const since = performance.now();
  const gone = new Promise<true>((resolve) => {
    stream.once('close', () => resolve(true));
    if (stream.destroyed) resolve(true);
  });
  stream.on('error', () => stream.destroy());
  stream.on('end', () => stream.destroy());
  stream.on('drain', () => input.resume());
  stream.on(
    'data',
    lineSplitter(MAX_LINE_BYTES, memory.fromHub, () => stream.destroy()),
  );
  memory.hubCame();
  const isGone = await Promise.race([gone, closed]);
  // a half line of a dead hub is dropped with its splitter
  stream.removeAllListeners('data').destroy();
  input.resume();
  const livedMs = performance.now() - since;
  if (isGone) memory.hubWent(livedMs);
  return livedMs;
}

function failureOf(error: unknown): Failure {
  const code = error instanceof ScopecraftError ? error.code : 'HUB_UNREACHABLE';
  return { code, message: error instanceof Error ? error.message : String(error), hint: ERRORS[code].hint };
}
