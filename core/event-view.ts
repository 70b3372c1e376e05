// What callers see of an event: its shape, and how it is made of what is recorded. Long texts are cut here, and hidden characters taken out.
import { z } from 'zod';
import { type StoredEvent, sessionOf } from './events.ts';
import { seen } from './hidden-text.ts';
import { oneLine } from './history.ts';
import { iso, time } from './time.ts';

/** Fields of events that may be long. */
const LONG_TEXTS = ['prompt', 'text', 'resultSchema'];

export const EventView = z.looseObject({
  seq: z.number().int(),
  at: time,
  name: z.string(),
  sessionId: z.string().optional(),
  data: z.record(z.string(), z.unknown()),
});
export type EventView = z.infer<typeof EventView>;

/** An event as a caller sees it; long texts are cut. */
export function eventView(event: StoredEvent): EventView {
  // the sessions of a cleared line may be thousands; what is behind it names each
  const { sessionId: _sessionId, sessionIds: _sessionIds, digest: _digest, ...data }: Record<string, unknown> = event.data;
  const texts = Object.entries(data).map(([key, value]) => [
    key,
    LONG_TEXTS.includes(key) && typeof value === 'string' ? oneLine(value, 200) : value,
  ]);
  const told = 'result' in event.data ? event.data.result : undefined;
  // its data is long too, and shown with the session
  const result = told && { result: { ...told, text: oneLine(told.text, 200), data: undefined } };
  const asked = 'request' in event.data ? event.data.request : undefined;
  const request = asked && {
    request: { ...asked, text: oneLine(asked.text, 200), input: asked.input && oneLine(asked.input, 200) },
  };
  return seen({
    seq: event.seq,
    at: iso(event.at),
    name: event.name,
    sessionId: sessionOf(event),
    data: { ...Object.fromEntries(texts), ...result, ...request },
  });
}
