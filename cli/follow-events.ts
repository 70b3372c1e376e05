// Following the ledger in a terminal: the newest events, then each one as it comes.
import { z } from 'zod';
import type { HubConnection } from '../client/hub-connection.ts';
import { wordsOf } from './render.ts';

const Why = z.looseObject({ cause: z.looseObject({ kind: z.string() }).optional(), reason: z.string().optional() });
const Event = z.looseObject({
  seq: z.number(),
  at: z.string(),
  name: z.string(),
  sessionId: z.string().optional(),
  data: Why.optional(),
});
export type FollowedEvent = z.infer<typeof Event>;
const Page = z.looseObject({ events: z.array(Event), nextCursor: z.string().optional() });

/** How long to rest when nothing is told; updates wake earlier. */
const REST_MS = 15_000;

/** Gives each event that the query of event_list matches to `print`: the newest, then those that come. Ends with the program. */
export async function followEvents(
  client: HubConnection,
  query: Readonly<Record<string, unknown>>,
  print: (event: FollowedEvent) => void,
): Promise<never> {
  let wake = () => {};
  let isStale = false;
  await client.watch('events://recent', () => {
    isStale = true;
    wake();
  });
  for (let after = query.after; ; ) {
    isStale = false;
    const { events, nextCursor } = Page.parse(await client.call('event_list', { ...query, after }));
    for (const event of events) print(event);
    // before the first event there is nothing to go on from but the beginning
    after = nextCursor ?? '0';
    if (isStale || events.length > 0) continue;
    await new Promise<void>((resolve) => {
      wake = resolve;
      setTimeout(resolve, REST_MS).unref();
    });
  }
}

/** One event as a person reads it. */
export function eventLine({ seq, at, name, sessionId = '', data }: FollowedEvent): string {
  const { cause, reason } = data ?? {};
  const why = cause?.kind === 'done' ? '' : wordsOf('cause', cause ?? reason);
  const head = `${String(seq).padStart(7)}  ${new Date(at).toLocaleTimeString('en-GB')}  ${name.padEnd(20)}  ${sessionId}`;
  return `${head.trimEnd()}  ${why.replace(/\s+/g, ' ')}`.trimEnd();
}
