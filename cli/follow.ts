// Following sessions in a terminal: their log as it grows, or how they stand until they have settled.

import { z } from 'zod';
import type { HubConnection } from '../client/hub-connection.ts';
import { isSettled, SessionStatus } from '../core/session.ts';
import { logUri } from '../core/views.ts';
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
const Waited = z.looseObject({
  sessions: z.array(z.looseObject({ id: z.string(), status: SessionStatus })),
  timedOut: z.boolean(),
  cursor: z.string(),
});

/** How long to rest when nothing is told; updates wake earlier. */
const REST_MS = 15_000;

/** Gives each entry of the session's log to `print`, those that are there and those that come, until the session has settled. */
export async function followLog(
  client: HubConnection,
  sessionId: string,
  print: (entry: Entry) => void,
  from?: Readonly<Record<string, unknown>>,
): Promise<void> {
  let wake = () => {};
  let isStale = false;
  await client.watch(logUri(sessionId), () => {
    isStale = true;
    wake();
  });
  let query = from ?? { after: '0:0.0' };
  for (;;) {
    isStale = false;
    const page = Page.parse(await client.call('session_logs', { sessionId, limit: 500, ...query }));
    for (const entry of page.entries) print(entry);
    if (page.nextCursor !== undefined) query = { ...query, after: page.nextCursor, tail: undefined };
    if (page.more || isStale) continue;
    if (isSettled(page)) return;
    await new Promise<void>((resolve) => {
      wake = resolve;
      setTimeout(resolve, REST_MS).unref();
    });
  }
}

/** Waits until the sessions have settled (`all`) or one has (`any`), telling `progress` how they stand about every second. */
export async function waitUntilSettled(
  client: HubConnection,
  input: Readonly<Record<string, unknown>>,
  progress: (line: string) => void,
): Promise<Readonly<Record<string, unknown>>> {
  const since = performance.now();
  let stand = 'waiting';
  const beat = setInterval(() => progress(`${stand} (${durationOf(performance.now() - since)})`), 1000);
  try {
    for (;;) {
      const answer = await client.call('session_wait', { ...input, timeoutSeconds: 30 });
      const { sessions, timedOut } = Waited.parse(answer);
      stand = sessions.map(({ id, status }) => `${id} ${status}`).join(', ');
      if (!timedOut) return answer;
    }
  } finally {
    clearInterval(beat);
    progress('');
  }
}

/** One entry of a log as a person reads it. */
export function entryLine({ at, kind, tool, text }: Entry): string {
  const time = at === undefined ? '        ' : new Date(at).toLocaleTimeString('en-GB');
  const head = tool === undefined ? kind : `${kind} ${tool}`;
  return `${time}  ${head.padEnd(20)}  ${safe(text)
    .trimEnd()
    .replaceAll('\n', `\n${' '.repeat(32)}`)}`;
}
