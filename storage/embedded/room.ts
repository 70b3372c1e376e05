// Space on the disk of the state folder: how much is free, and a ballast file that is given up when there is none, so that ends and cancels
// can still be recorded.
//
// There is a problem while the ballast is gone or less than the asked space is free. The disk is looked at every few seconds, and more often while
// there is a problem. When next to nothing is free the ballast is given up without being asked for: supervisors must be able to write down how
// their runs ended. It is made again as soon as there is space for it twice.
import { randomBytes } from 'node:crypto';
import { statfsSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../core/errors.ts';
import type { Clock, Environments, Room } from '../../core/ports.ts';
import { sizeText } from '../../core/size.ts';
import { writeAtomic } from '../atomic-write.ts';
import { storageError } from './storage-error.ts';

/** Size of the ballast: some thousand events. */
export const BALLAST_BYTES = 1024 * 1024;
/** With less than that free, runs could not even write down that they ended. */
const LEAST_BYTES = BALLAST_BYTES / 4;
const LOOK_MS = 2_000;
const PROBLEM_LOOK_MS = 1_000;

export interface RoomOptions {
  /** The ballast, such as `<state>/ballast`. */
  readonly file: string;
  /** So many bytes must be free; 0 asks for none. */
  readonly minFreeBytes: () => number;
  readonly clock: Clock;
  /** Told when a problem comes, and when it ends. */
  readonly onChange: (problem: string | undefined) => void;
  /** Free bytes on the disk of a path; tests say something else. */
  readonly freeBytes?: (path: string) => Promise<number>;
}

export interface OpenRoom extends Room {
  /** Looks no more. */
  close(): void;
}

/** Makes the ballast if there is space for it, and begins to look. The folder must be there. */
export async function openRoom({ file, minFreeBytes, clock, onChange, freeBytes = freeOn }: RoomOptions): Promise<OpenRoom> {
  let hasBallast = (await stat(file).catch(() => undefined))?.size === BALLAST_BYTES;
  let problem: string | undefined;
  let looking: Promise<void> | undefined;
  let giving: Promise<void> | undefined;
  let disarm = () => {};
  let isClosed = false;

  const tell = (now: string | undefined) => {
    const before = problem;
    problem = now;
    if ((before === undefined) !== (now === undefined)) onChange(now);
  };
  const lookNow = async () => {
    await giving;
    const least = minFreeBytes();
    const free = await freeBytes(file).catch(() => Number.POSITIVE_INFINITY);
    if (!hasBallast && free >= 2 * BALLAST_BYTES) hasBallast = await made(file);
    if (hasBallast && free < LEAST_BYTES) {
      hasBallast = false;
      await rm(file, { force: true });
    }
    if (!hasBallast) tell(`The disk of the state folder is full: ${sizeText(free)} are free.`);
    else if (free < least)
      tell(
        `The disk of the state folder has only ${sizeText(free)} free; at least ${sizeText(least)} must be (storage.minFreeDisk).`,
      );
    else tell(undefined);
  };
  const look = async () => {
    looking ??= lookNow().finally(() => {
      looking = undefined;
    });
    await looking;
    return problem;
  };
  const arm = () => {
    disarm = clock.after(problem === undefined ? LOOK_MS : PROBLEM_LOOK_MS, () => {
      void look().finally(() => {
        if (!isClosed) arm();
      });
    });
  };

  await look();
  arm();
  return {
    problem: () => problem,
    look,
    async giveReserve() {
      giving ??= rm(file, { force: true }).finally(() => {
        giving = undefined;
      });
      hasBallast = false;
      const isNew = problem === undefined;
      tell('The disk of the state folder is full.');
      await giving;
      if (!isNew || isClosed) return;
      // from now on it is looked at more often
      disarm();
      arm();
    },
    close() {
      isClosed = true;
      disarm();
    },
  };
}

/** The same, but nothing is kept for a new session while there is no room. Fails with STORAGE_FULL, also when the disk turns out to be full. */
export function whileThereIsRoom(environments: Environments, room: Room): Environments {
  return {
    ...environments,
    async keep(sessionId, env) {
      const problem = await room.look();
      if (problem !== undefined) fail('STORAGE_FULL', problem);
      try {
        await environments.keep(sessionId, env);
      } catch (error) {
        throw storageError(error, `the environment of ${sessionId}`);
      }
    },
  };
}

/** Writes the ballast; of random bytes, which no file system can make smaller. False when there is no space for it. */
async function made(file: string): Promise<boolean> {
  return writeAtomic(file, randomBytes(BALLAST_BYTES)).then(
    () => true,
    () => false,
  );
}

/** Asked before each start: a pass through the pool of threads would cost many times the call. */
async function freeOn(file: string): Promise<number> {
  const { bavail, bsize } = statfsSync(path.dirname(file));
  return bavail * bsize;
}
