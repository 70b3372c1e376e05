// Following sessions in a terminal: their log as it grows, or how they stand until they have settled.

import { z } from 'zod';
import type { HubConnection } from '../client/hub-connection.ts';
import { isSettled, SessionStatus } from '../core/session.ts';
import { logUri, sessionUri } from '../core/views.ts';
import { Asked } from './asks.ts';
import { durationOf, safe } from './render.ts';

const Entry = z.looseObject({
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
const Asking = z.looseObject({ requests: z.array(Asked).default([]) });
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
}

/** Gives each entry of the session's log, those that are there and those that come, and what it asks meanwhile, until the session has settled. */
export async function followLog(
  client: HubConnection,
  sessionId: string,
  { print, ask }: Listener,
  from?: Readonly<Record<string, unknown>>,
): Promise<void> {
  let wake = () => {};
  let isStale = false;
  const asked = new Set<string>();
  for (const uri of [logUri(sessionId), ...(ask ? [sessionUri(sessionId)] : [])])
    await client.watch(uri, () => {
      isStale = true;
      wake();
    });
  let query = from ?? { after: '0:0.0' };
  for (;;) {
    isStale = false;
    const page = Page.parse(await client.call('session_logs', { sessionId, limit: 500, ...query }));
    for (const entry of page.entries) print(entry);
    if (ask && page.status === 'waiting')
      for (const request of await requestsOf(client, sessionId)) {
        if (!asked.has(request.requestId)) ask(request);
        asked.add(request.requestId);
      }
    if (page.nextCursor !== undefined) query = { ...query, after: page.nextCursor, tail: undefined };
    if (page.more || isStale) continue;
    if (isSettled(page)) return;
    await new Promise<void>((resolve) => {
      wake = resolve;
      setTimeout(resolve, REST_MS).unref();
    });
  }
}

async function requestsOf(client: HubConnection, sessionId: string): Promise<readonly Asked[]> {
  return Asking.parse(await client.call('session_get', { sessionId })).requests;
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
