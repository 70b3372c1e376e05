// JSON-RPC messages as a door handles them: taken apart without a schema, and the few it makes itself.

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
