// The key that says of a call that is done again that it is the same one.
import { part } from './messages.ts';

export const REQUEST_KEY = 'scopecraft/requestKey';

interface Keyed {
  readonly params?: { readonly [name: string]: unknown } | undefined;
}

/** The call with this key, where it has none of its own. */
export function withKey<Call extends Keyed>(call: Call, key: string): Call {
  return withMeta(call, { [REQUEST_KEY]: key, ...metaOf(call) });
}

/** The call of somebody who is told nothing while it is worked on. */
export function withoutProgress<Call extends Keyed>(call: Call): Call {
  const { progressToken, ...meta } = metaOf(call);
  return progressToken === undefined ? call : withMeta(call, meta);
}

function withMeta<Call extends Keyed>(call: Call, meta: object): Call {
  return { ...call, params: { ...call.params, _meta: meta } };
}

function metaOf({ params }: Keyed): { readonly [name: string]: unknown } {
  const meta = part(params, '_meta');
  return typeof meta === 'object' && meta !== null ? { ...meta } : {};
}
