// Following sessions in a terminal: their log as it grows, or how they stand until they have settled.

import { z } from 'zod';
import type { HubConnection } from '../client/hub-connection.ts';
import { isSettled, SessionStatus } from '../core/session.ts';
import { logUri, sessionUri } from '../core/views.ts';
import { Asked } from './asks.ts';
import { durationOf, safe } from './render.ts';

export const Entry = z.looseObject({
  seq: z.string(),
  at: z.string().optional(),
  kind: z.string(),
  tool: z.string().optional(),
  text: z.string(),
});
export type Entry = z.infer<typeof Entry>;
const Page = z.looseObject({
  status: SessionStatus,
  entries: z.array(Entry),
  nextCursor: z.string().optional(),
  more: z.boolean(),
});
export const Standing = z.looseObject({ status: SessionStatus, requests: z.array(Asked).default([]) });
export type Standing = z.infer<typeof Standing>;
const Facts = z.looseObject({ events: z.array(z.looseObject({ seq: z.number() })) });
const Waited = z.looseObject({
  sessions: z.array(z.looseObject({ id: z.string(), status: SessionStatus })),
  timedOut: z.boolean(),
});
const Started = z.looseObject({ id: z.string(), status: SessionStatus, notes: z.array(z.string()).default([]) });

/** How long to rest when nothing is told; updates wake earlier. */
const REST_MS = 15_000;
/** How long one call waits at most. */
const ROUND_SECONDS = 30;

/** Where what a followed session says, and what it asks, goes. */
export interface Listener {
  readonly print: (entry: Entry) => void;
  /** Called once with each request. */
  readonly ask?: (request: Asked) => void;
  /** Called each time it comes to stand at its prompt, or at what only its terminal tells. */
  readonly stand?: (session: Standing) => void;
}

/** What is followed. */
export interface Following {
  /** Arguments of session_logs; without a place in it the log is read from its beginning. */
  readonly query?: Readonly<Record<string, unknown>>;
  /** True: it ends, and tells nothing of it, where the session waits for somebody. */
  readonly endsWaiting?: boolean;
}

/**
 * Gives each entry of the session's log, those that are there and those that come, and what it waits for meanwhile, until the session has settled.
 * Answers how it ended.
 */
export async function followLog(
  client: HubConnection,
  sessionId: string,
  { print, ask, stand }: Listener,
  { query: from = {}, endsWaiting = false }: Following = {},
): Promise<'settled' | 'waiting'> {
  let wake = () => {};
  let isStale = false;
  const asked = new Set<string>();
  let stood: number | undefined;
  for (const uri of [logUri(sessionId), sessionUri(sessionId)])
    await client.watch(uri, () => {
      isStale = true;
      wake();
    });
  const isPlaced = from.tail !== undefined || from.after !== undefined;
  let query: Readonly<Record<string, unknown>> = isPlaced ? from : { ...from, after: '0:0.0' };
  for (;;) {
    isStale = false;
    const page = Page.parse(await client.call('session_logs', { sessionId, limit: 500, ...query }));
    for (const entry of page.entries) print(entry);
    if (page.status === 'waiting' && !endsWaiting) {
      const session = Standing.parse(await client.call('session_get', { sessionId }));
      for (const request of session.requests) {
        if (!asked.has(request.requestId)) ask?.(request);
        asked.add(request.requestId);
      }
      if (session.status === 'waiting' && session.requests.length === 0) {
        const since = await waitsSince(client, sessionId);
        if (since !== stood) stand?.(session);
        stood = since;
      }
    }
    if (page.nextCursor !== undefined) query = { ...query, after: page.nextCursor, tail: undefined };
    if (page.more || isStale) continue;
    if (isSettled(page)) return 'settled';
    if (endsWaiting && page.status === 'waiting') return 'waiting';
    await new Promise<void>((resolve) => {
      wake = resolve;
      setTimeout(resolve, REST_MS).unref();
    });
  }
}

/** Number of the fact that it waits; it may have gone on in between and stand there again. */
async function waitsSince(client: HubConnection, sessionId: string): Promise<number | undefined> {
  const answer = await client.call('event_list', { sessionId, types: ['session.waiting'], limit: 1 });
  return Facts.parse(answer).events.at(-1)?.seq;
}

/** What was waited for: the answer of the tool, and how the sessions in it stand. */
export interface Awaited {
  readonly answer: Readonly<Record<string, unknown>>;
  readonly sessions: readonly { readonly id: string; readonly status: SessionStatus }[];
  readonly timedOut: boolean;
}

/**
 * Calls session_wait until what it is told to wait for has come, or the time is over, for which there is no limit here where none is given.
 * Tells `progress` how the sessions stand about every second.
 */
export async function waitUntilSettled(
  client: HubConnection,
  input: Readonly<Record<string, unknown>>,
  progress: (line: string) => void,
): Promise<Awaited> {
  const since = performance.now();
  const mostSeconds = typeof input.timeoutSeconds === 'number' ? input.timeoutSeconds : Number.POSITIVE_INFINITY;
  let leftSeconds = mostSeconds;
  let stand = 'waiting';
  const beat = setInterval(() => progress(`${stand} (${durationOf(performance.now() - since)})`), 1000);
  try {
    for (;;) {
      const answer = await client.call('session_wait', { ...input, timeoutSeconds: Math.min(ROUND_SECONDS, leftSeconds) });
      const { sessions, timedOut } = Waited.parse(answer);
      stand = sessions.map(({ id, status }) => `${id} ${status}`).join(', ');
      leftSeconds = mostSeconds - (performance.now() - since) / 1000;
      if (!timedOut || leftSeconds <= 0) return { answer, sessions, timedOut };
    }
  } finally {
    clearInterval(beat);
    progress('');
  }
}

/** Starts a session and waits until it has settled or asks, or the time is over; answers as session_run does. */
export async function runUntilSettled(
  client: HubConnection,
  input: Readonly<Record<string, unknown>>,
  progress: (line: string) => void,
): Promise<Awaited> {
  const { timeoutSeconds } = input;
  // a time that is none is refused before anything is started
  const first = { ...input, timeoutSeconds: typeof timeoutSeconds === 'number' ? Math.min(0, timeoutSeconds) : 0 };
  const { id, notes } = Started.parse(await client.call('session_run', first));
  const { timedOut } = await waitUntilSettled(client, { sessionIds: [id], timeoutSeconds }, progress);
  const session = Started.parse(await client.call('session_get', { sessionId: id }));
  const said = [...new Set([...notes, ...session.notes])];
  const answer = { ...session, notes: said.length > 0 ? said : undefined, timedOut };
  return { answer, sessions: [session], timedOut };
}

/** One entry of a log as a person reads it. */
export function entryLine({ at, kind, tool, text }: Entry): string {
  const time = at === undefined ? '        ' : new Date(at).toLocaleTimeString('en-GB');
  const head = tool === undefined ? kind : `${kind} ${tool}`;
  return `${time}  ${head.padEnd(20)}  ${safe(text)
    .trimEnd()
    .replaceAll('\n', `\n${' '.repeat(32)}`)}`;
}
