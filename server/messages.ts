// JSON-RPC messages as a door handles them: taken apart without a schema, and the few it makes itself.

/** Messages in one batch, as clients of 2025-03-26 may send. */
export const MAX_BATCH = 16;
/** How deep JSON may be nested. */
const MAX_DEPTH = 64;
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
  let isInString = false;
  for (let at = 0; at < json.length; at++) {
    const character = json[at];
    if (isInString) {
      if (character === '\\') at++;
      else if (character === '"') isInString = false;
    } else if (character === '"') isInString = true;
    else if (character === '{' || character === '[') {
      if (++depth > MAX_DEPTH) return false;
    } else if (character === '}' || character === ']') depth--;
  }
  return true;
}

/** The messages in a line as lines of their own: those of a batch, where it is no longer than a batch may be, else the line as it is. */
export function messagesIn(line: string): readonly string[] {
  if (!/^\s*\[/.test(line) || !isShallow(line)) return [line];
  try {
    const batch: unknown = JSON.parse(line);
    if (Array.isArray(batch) && batch.length > 0 && batch.length <= MAX_BATCH) return batch.map((one) => JSON.stringify(one));
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

/** An error answer; the code of the product's own table stands in `data`. */
export function answered(id: unknown, { code, message, hint }: Failure): string {
  return JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32000, message, data: { code, hint } } });
}
