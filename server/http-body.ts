// What came in the body of an HTTP request: JSON that is not too deep, and how much it asks for at once. Touches nothing but the request it is given.
import { type HttpRefusal, refusalBody } from './http-guard.ts';
import { weightOf } from './http-limits.ts';
import { isShallow } from './messages.ts';

/** The body, undefined where there is none, and its weight for the gate; or the answer that says why it is not taken. */
export async function bodyOf(request: Request) {
  const text = await request.text();
  const body = text === '' ? undefined : parsed(text);
  if (body === INVALID)
    return {
      refused: refused({ status: 400, message: 'The body must be JSON, nested no deeper than what a tool takes.' }, -32700),
    };
  const weight = weightOf(request.method, body);
  return 'status' in weight ? { refused: refused(weight, -32600) } : { body, weight };
}

/** The refusal as an answer; `code` is of JSON-RPC. */
export function refused({ status, message, headers = {} }: HttpRefusal, code?: number): Response {
  return new Response(refusalBody(message, code), { status, headers: { 'content-type': 'application/json', ...headers } });
}

const INVALID = Symbol('invalid');

function parsed(text: string): unknown {
  if (!isShallow(text)) return INVALID;
  try {
    return JSON.parse(text);
  } catch {
    return INVALID;
  }
}
