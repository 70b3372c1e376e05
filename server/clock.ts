// The machine's time and randomness, as the core wants them handed in.
import { randomBytes, randomUUID } from 'node:crypto';
import type { Clock, Ids } from '../core/ports.ts';

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
/** Longest delay a Node.js timer takes. */
const LONGEST_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  after(ms, callback) {
    let timer: NodeJS.Timeout;
    const arm = (left: number) => {
      timer = setTimeout(() => (left > LONGEST_MS ? arm(left - LONGEST_MS) : callback()), Math.min(left, LONGEST_MS)).unref();
    };
    arm(Math.max(0, ms));
    return () => clearTimeout(timer);
  },
};

export const randomIds: Ids = {
  base32: (length) => [...randomBytes(length)].map((byte) => BASE32[byte % 32]).join(''),
  uuid: () => randomUUID(),
  random: () => Math.random(),
};
