// How much one caller may have open and ask for over HTTP, and the answer to whoever wants more.
import type { Config } from '../core/config.ts';
import type { HttpCaller } from './http-caller.ts';
import type { HttpRefusal } from './http-guard.ts';
import { tooMany } from './http-guard.ts';
import { MAX_BATCH, part } from './messages.ts';

/** What one token may have open at once, and how quickly it may call. */
export interface CallerLimits {
  /** Requests in all, streams included. */
  readonly requests: number;
  readonly subscriptions: number;
  /** Calls that block until something happens. */
  readonly waits: number;
  readonly callsPerSecond: number;
}

/** Of a run, or of a guest. */
export const OWN_LIMITS: CallerLimits = { requests: 64, subscriptions: 64, waits: 64, callsPerSecond: 500 };

/** A caller that was quiet may make so many seconds' calls at once. */
const BURST_SECONDS = 4;
/** Resources in one subscription. */
export const MAX_URIS = 100;

const BLOCKING: readonly unknown[] = ['session_wait', 'session_run', 'session_ask', 'session_prompt'];

/** What a request is about, as far as limits know it. */
export interface Weight {
  readonly messages: number;
  readonly waits: number;
  readonly subscriptions: number;
}

/** The weight of a body, or why it is refused. A GET has none and is a subscription. */
export function weightOf(method: string, body: unknown): Weight | HttpRefusal {
  const messages: readonly unknown[] = Array.isArray(body) ? body : body === undefined ? [] : [body];
  if (messages.length > MAX_BATCH) return { status: 400, message: `A batch may have at most ${MAX_BATCH} messages.` };
  const count = (is: (message: unknown) => boolean) => messages.filter(is).length;
  return {
    messages: messages.length,
    waits: count((message) => BLOCKING.includes(part(part(message, 'params'), 'name'))),
    subscriptions: (method === 'GET' ? 1 : 0) + count((message) => part(message, 'method') === 'subscriptions/listen'),
  };
}

export interface Gate {
  /** Lets a request in, and answers what ends its stay; or why it is turned away. */
  enter(key: string, weight: Weight, limits: CallerLimits): (() => void) | HttpRefusal;
}

interface Stay {
  requests: number;
  subscriptions: number;
  waits: number;
  /** Calls that may be made at once, and when that was reckoned. */
  calls: number;
  at: number;
}

export function createGate(now: () => number): Gate {
  const stays = new Map<string, Stay>();
  /** Whoever has nothing open and was quiet long enough is as one who never came. */
  const forget = (at: number) => {
    for (const [key, stay] of stays) if (stay.requests === 0 && at - stay.at > 1000 * BURST_SECONDS) stays.delete(key);
  };
  return {
    enter(key, { messages, waits, subscriptions }, limits) {
      const at = now();
      const burst = limits.callsPerSecond * BURST_SECONDS;
      const known = stays.get(key);
      if (!known) forget(at);
      const stay = known ?? { requests: 0, subscriptions: 0, waits: 0, calls: burst, at };
      stays.set(key, stay);
      stay.calls = Math.min(burst, stay.calls + ((at - stay.at) / 1000) * limits.callsPerSecond);
      stay.at = at;
      if (stay.requests + 1 > limits.requests)
        return tooMany(`At most ${limits.requests} requests with this token may be open at once.`);
      if (stay.subscriptions + subscriptions > limits.subscriptions)
        return tooMany(`At most ${limits.subscriptions} subscriptions with this token may be open at once.`);
      if (stay.waits + waits > limits.waits) return tooMany(`At most ${limits.waits} calls with this token may wait at once.`);
      if (stay.calls < messages) return tooMany(`At most ${limits.callsPerSecond} calls a second may be made with this token.`);
      stay.calls -= messages;
      stay.requests += 1;
      stay.waits += waits;
      stay.subscriptions += subscriptions;
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        stay.requests -= 1;
        stay.waits -= waits;
        stay.subscriptions -= subscriptions;
      };
    },
  };
}

const MAX_GUEST_REQUESTS = 16;

/** How much this caller may ask for at once. */
export function limitsOf(caller: HttpCaller, settings: Config['server']['http']): CallerLimits {
  if (caller.kind === 'run') return OWN_LIMITS;
  if (caller.kind === 'guest') return { ...OWN_LIMITS, requests: MAX_GUEST_REQUESTS };
  const { maxSubscriptions: subscriptions, maxWaits: waits, callsPerSecond } = settings;
  return { requests: subscriptions + 2 * waits, subscriptions, waits, callsPerSecond };
}
