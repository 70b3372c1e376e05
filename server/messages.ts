// JSON-RPC messages as a door handles them: taken apart without a schema, and the few it makes itself.

/** Messages in one batch, as clients of 2025-03-26 may send. */
export const MAX_BATCH = 16;
/** How deep JSON may be nested. */
const MAX_DEPTH = 64;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SUBSCRIPTION_ID = 'io.modelcontextprotocol/subscriptionId';

/** What a call is answered with that cannot be done. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** The message in a line, or undefined when it is no JSON object. */
export function parseMessage(line: string): object | undefined {
  try {
    const message: unknown = JSON.parse(line);
    return typeof message === 'object' && message !== null && !Array.isArray(message) ? message : undefined;
  } catch {
    return undefined;
  }
}

/** True when the text is JSON that is nested no deeper than anything a tool takes. Looks at the text, since deep values overflow the stack of those who walk them. */
export function isShallow(json: string): boolean {
  let depth = 0;
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) at = endOfString(json, at);
    else if (code === 0x7b || code === 0x5b) {
      if (++depth > MAX_DEPTH) return false;
    } else if (code === 0x7d || code === 0x5d) depth--;
  }
  return true;
}

/** Where the string ends that begins at this quote; the end of the text where it does not. */
function endOfString(json: string, from: number): number {
  for (let end = json.indexOf('"', from + 1); end !== -1; end = json.indexOf('"', end + 1)) {
    let escapes = 0;
    while (json.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return json.length;
}

/** The messages in a line as lines of their own: those of a batch, where it is no longer than a batch may be, else the line as it is. */
export function messagesIn(line: string): readonly string[] {
  if (!/^\s*\[/.test(line) || !isShallow(line)) return [line];
  try {
    const batch: unknown = JSON.parse(line);
    const isBatch = Array.isArray(batch) && batch.length > 0 && batch.length <= MAX_BATCH;
    if (isBatch && batch.every((one) => typeof one === 'object' && one !== null && !Array.isArray(one)))
      return batch.map((one) => JSON.stringify(one));
  } catch {
    // the hub says what is wrong with it
  }
  return [line];
}

/** One field of what came as JSON, or undefined. */
export function part(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

/** An id as a key of a map: 1 and "1" are two ids. */
export function keyOf(id: unknown): string {
  return JSON.stringify(id) ?? '';
}

/** The resources a subscription is about, of either era. */
export function urisOf(message: object): string[] {
  const params = part(message, 'params');
  const listened = part(part(params, 'notifications'), 'resourceSubscriptions');
  const uris: unknown[] = Array.isArray(listened) ? listened : [part(params, 'uri')];
  return uris.filter((uri) => typeof uri === 'string');
}

/** The id of the `subscriptions/listen` request a notification belongs to. */
export function subscriptionOf(message: object): unknown {
  return part(part(part(message, 'params'), '_meta'), SUBSCRIPTION_ID);
}

/** Says that a resource changed; to the subscription, where there is one. */
export function updated(uri: string, subscription: unknown): string {
  const meta = subscription === undefined ? {} : { _meta: { [SUBSCRIPTION_ID]: subscription } };
  return JSON.stringify({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri, ...meta } });
}

export function cancelled(requestId: unknown, reason: string): string {
  return JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId, reason } });
}

/** The id of a request of which only the edges are known: clients write it first, or last. Undefined for anything else. */
export function idAtEdge(beginning: string, end: string): unknown {
  const [whole, first] = /^\{(?:"jsonrpc":"2\.0",)?(?:"id":(\d{1,15}|"[\w.:-]{1,100}"),)?"method":"/.exec(beginning) ?? [];
  if (whole === undefined) return undefined;
  // one brace behind it: it is of the message itself
  const id = first ?? /,"id":(\d{1,15}|"[\w.:-]{1,100}")\}$/.exec(end)?.[1];
  return id === undefined ? undefined : JSON.parse(id);
}

/** An error answer; the code of the product's own table stands in `data`. */
export function answered(id: unknown, { code, message, hint }: Failure): string {
  return JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32000, message, data: { code, hint } } });
}
