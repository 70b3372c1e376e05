// JSON-RPC as whoever works on messages needs it: what is one, and what is said of what is none. The door, which loads no SDK, has messages.ts.
import { type JSONRPCMessage, parseJSONRPCMessage } from '@modelcontextprotocol/server';

export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;
export const INTERNAL_ERROR = -32603;
/** Any other reason of ours. */
export const REFUSED = -32000;

export const TOO_DEEP = 'A message may be nested no deeper than what a tool takes.';
export const NO_MESSAGE = 'This is no JSON-RPC message.';
/** The answer to a call that was cancelled; its client waits for nothing any more. */
export const CANCELLED = { code: REFUSED, message: 'The call was cancelled.' };

/** The value as a message; undefined where it is none. */
export function messageOf(value: unknown): JSONRPCMessage | undefined {
  try {
    return parseJSONRPCMessage(value);
  } catch {
    return undefined;
  }
}
