// What a door remembers of a conversation, so that it can go on with another hub and its client notices nothing. Lines in, lines out; no I/O.
//
// The memory is `away` (no hub), `greeting` (a new hub is told the legacy `initialize` again, everything else waits) or `open`. A hub that
// comes gets, in this order: `initialize` and `notifications/initialized`, the legacy subscriptions, then every request that was not
// answered, with its old id. The answers to what was only repeated are swallowed: repeated requests carry ids of ours, and a repeated
// `subscriptions/listen`, whose id its notifications quote, has one acknowledgement swallowed. Since an update may have been missed in
// between, every subscribed resource is then said to be updated once.
import { ERRORS } from '../core/errors.ts';
import {
  answered,
  cancelled,
  type Failure,
  isShallow,
  keyOf,
  messagesIn,
  parseMessage,
  part,
  subscriptionOf,
  updated,
  urisOf,
} from './messages.ts';
import { REQUEST_KEY } from './request-key.ts';

/** A request that was sent this often to a hub that died at once is not sent again: it may be what kills it. */
export const MOST_QUICK_DEATHS = 5;
/** A hub that is gone sooner died at once. */
export const QUICK_DEATH_MS = 2_000;
const OUR_ID = 'scopecraft:replay:';

export interface MemoryOptions {
  readonly toHub: (line: string) => void;
  readonly toClient: (line: string) => void;
  /** A fresh key for a call that has none. */
  readonly newKey: () => string;
}

export interface Memory {
  /** A line the client said; a short batch is taken apart, since every call is kept and answered by itself. */
  fromClient(line: string): void;
  /** A line the hub said. */
  fromHub(line: string): void;
  /** A hub is there. */
  hubCame(): void;
  /** The hub is gone, after so many milliseconds. */
  hubWent(afterMs: number): void;
  /** Answers every call under way with this error; subscriptions stay. */
  giveUp(error: Failure): void;
  /** How many calls are under way, subscriptions not counted. */
  underWay(): number;
}

interface Pending {
  readonly id: unknown;
  readonly method: string;
  readonly line: string;
  /** With `resources/subscribe` and `unsubscribe`: what about. With `subscriptions/listen`: all it listens to. */
  readonly uris: readonly string[];
  isAcknowledged: boolean;
  swallowAcknowledgement: boolean;
  quickDeaths: number;
}

/** An empty memory of one client. */
export function createMemory({ toHub, toClient, newKey }: MemoryOptions): Memory {
  let state: 'away' | 'greeting' | 'open' = 'away';
  let generation = 0;
  let replays = 0;
  let initialize: { readonly message: object; isAnswered: boolean } | undefined;
  let initialized: string | undefined;
  const held: string[] = [];
  const pending = new Map<string, Pending>();
  const subscriptions = new Map<string, object>();
  const asked = new Map<string, { readonly id: unknown; readonly generation: number }>();

  const send = (line: string) => {
    if (state === 'open') toHub(line);
    else held.push(line);
  };
  const isListen = (request: Pending) => request.method === 'subscriptions/listen' && request.isAcknowledged;

  function requestFromClient(message: object, id: unknown, method: string, line: string): void {
    const keyed = method === 'tools/call' ? withKey(message, newKey) : undefined;
    const sent = keyed === undefined ? line : JSON.stringify(keyed);
    if (method === 'initialize') initialize = { message, isAnswered: false };
    const uris = urisOf(message);
    if (method === 'resources/unsubscribe') for (const uri of uris) subscriptions.delete(uri);
    const request = { id, method, line: sent, uris, isAcknowledged: false, swallowAcknowledgement: false, quickDeaths: 0 };
    pending.set(keyOf(id), request);
    // requests need not be held back: whatever is pending is sent when a hub is there
    if (state === 'open') toHub(sent);
  }

  function notificationFromClient(message: object, method: string, line: string): void {
    if (method === 'notifications/initialized') initialized = line;
    if (method === 'notifications/cancelled') pending.delete(keyOf(part(part(message, 'params'), 'requestId')));
    if (state === 'open') toHub(line);
    // a cancelled call is not sent to the next hub, and a new hub is told of the initialization anyway
    else if (method !== 'notifications/initialized' && method !== 'notifications/cancelled') held.push(line);
  }

  function answerFromClient(message: object, id: unknown): void {
    const question = asked.get(keyOf(id));
    asked.delete(keyOf(id));
    // the hub that asked is gone, and so is its question
    if (question?.generation !== generation || state !== 'open') return;
    toHub(JSON.stringify({ ...message, id: question.id }));
  }

  // each hub counts its own questions from the beginning; the client must be able to tell them apart
  const shownId = (id: unknown) => (generation === 1 ? id : `${generation}:${String(id)}`);

  function requestFromHub(message: object, id: unknown, line: string): void {
    const shown = shownId(id);
    asked.set(keyOf(shown), { id, generation });
    toClient(shown === id ? line : JSON.stringify({ ...message, id: shown }));
  }

  function answerFromHub(message: object, id: unknown, line: string): void {
    if (typeof id === 'string' && id.startsWith(OUR_ID)) {
      if (state === 'greeting' && id.endsWith(':initialize')) resume();
      return;
    }
    const request = pending.get(keyOf(id));
    if (!request) {
      if (id === null || id === undefined) toClient(line);
      return;
    }
    pending.delete(keyOf(id));
    if (request.method === 'initialize' && initialize) initialize.isAnswered = 'result' in message;
    if (request.method === 'resources/subscribe' && 'result' in message) {
      for (const uri of request.uris) subscriptions.set(uri, JSON.parse(request.line));
    }
    // behind the answer to a subscription that was under way
    if (request.method === 'resources/unsubscribe') for (const uri of request.uris) subscriptions.delete(uri);
    toClient(line);
  }

  function notificationFromHub(message: object, method: string, line: string): void {
    if (method === 'notifications/cancelled') {
      const shown = shownId(part(part(message, 'params'), 'requestId'));
      asked.delete(keyOf(shown));
      toClient(cancelled(shown, 'No longer asked.'));
      return;
    }
    const request =
      method === 'notifications/subscriptions/acknowledged' ? pending.get(keyOf(subscriptionOf(message))) : undefined;
    if (!request?.swallowAcknowledgement) {
      if (request) request.isAcknowledged = true;
      toClient(line);
      return;
    }
    request.swallowAcknowledgement = false;
    for (const uri of request.uris) toClient(updated(uri, request.id));
  }

  function resume(): void {
    state = 'open';
    const opening = [...pending.values()].filter((request) => request.method === 'initialize');
    for (const request of opening) toHub(request.line);
    if (initialized !== undefined) toHub(initialized);
    for (const message of subscriptions.values()) toHub(JSON.stringify({ ...message, id: `${OUR_ID}${++replays}` }));
    for (const request of pending.values()) {
      if (request.method === 'initialize') continue;
      request.swallowAcknowledgement = isListen(request);
      toHub(request.line);
    }
    for (const line of held.splice(0)) toHub(line);
    if (generation > 1) for (const uri of subscriptions.keys()) toClient(updated(uri, undefined));
  }

  function messageFromClient(line: string): void {
    // what is nested too deeply could not be written down again
    const message = isShallow(line) ? parseMessage(line) : undefined;
    const [id, method] = [part(message, 'id'), part(message, 'method')];
    // what is no JSON-RPC message, the hub complains about
    if (message === undefined || !['method', 'result', 'error'].some((name) => name in message)) send(line);
    else if (typeof method !== 'string') answerFromClient(message, id);
    else if (id === undefined) notificationFromClient(message, method, line);
    else requestFromClient(message, id, method, line);
  }

  return {
    fromClient(line) {
      for (const one of messagesIn(line)) messageFromClient(one);
    },
    fromHub(line) {
      const message = parseMessage(line);
      const [id, method] = [part(message, 'id'), part(message, 'method')];
      if (message === undefined) toClient(line);
      else if (typeof method !== 'string') answerFromHub(message, id, line);
      else if (id === undefined) notificationFromHub(message, method, line);
      else requestFromHub(message, id, line);
    },
    hubCame() {
      generation += 1;
      if (!initialize?.isAnswered) return resume();
      state = 'greeting';
      toHub(JSON.stringify({ ...initialize.message, id: `${OUR_ID}${++replays}:initialize` }));
    },
    hubWent(afterMs) {
      state = 'away';
      for (const id of asked.keys()) toClient(cancelled(JSON.parse(id), 'The hub that asked is gone.'));
      asked.clear();
      for (const request of pending.values()) {
        request.quickDeaths = afterMs < QUICK_DEATH_MS ? request.quickDeaths + 1 : 0;
        if (request.quickDeaths < MOST_QUICK_DEATHS || isListen(request)) continue;
        pending.delete(keyOf(request.id));
        toClient(answered(request.id, deadly));
      }
    },
    giveUp(error) {
      for (const request of pending.values()) {
        if (isListen(request)) continue;
        pending.delete(keyOf(request.id));
        toClient(answered(request.id, error));
      }
    },
    underWay: () => [...pending.values()].filter((request) => request.method !== 'subscriptions/listen').length,
  };
}

const deadly = {
  code: 'INTERNAL',
  message: `The hub died ${MOST_QUICK_DEATHS} times under this call; what it asked for may have been done all the same.`,
  hint: ERRORS.INTERNAL.hint,
};

/** The call with a key of its own, so that sending it twice is one call; undefined when it has one. */
function withKey(message: object, newKey: () => string): object | undefined {
  const params = part(message, 'params');
  if (typeof params !== 'object' || params === null) return undefined;
  const meta = part(params, '_meta');
  if (part(meta, REQUEST_KEY) !== undefined || part(meta, 'claudecode/toolUseId') !== undefined) return undefined;
  return { ...message, params: { ...params, _meta: { ...(typeof meta === 'object' ? meta : {}), [REQUEST_KEY]: newKey() } } };
}
