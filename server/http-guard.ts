// What every HTTP request must pass before anything of it is read: a local name, no foreign page behind it, the one path, and a token
// of a run that is active. The answers say what is wrong and never repeat what was sent, because that may hold a token.
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  isJsonContentType,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  validateHostHeader,
  validateOriginHeader,
} from '@modelcontextprotocol/server';
import type { RunIdentity } from './token.ts';

export const MCP_PATH = '/mcp';
export const MODERN_REVISION = '2026-07-28';
/** Most bytes of one request. */
export const MAX_BODY_BYTES = 1024 * 1024;
/** How deep JSON may be nested. */
const MAX_DEPTH = 64;

/** Why a request is turned away. */
export interface HttpRefusal {
  readonly status: number;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Whose request this is, or why it is turned away. `identify` answers undefined for a token that is not, or no longer, good. */
export function admitted(
  { method = '', url = '', headers }: IncomingMessage,
  identify: (token: string) => RunIdentity | undefined,
): RunIdentity | HttpRefusal {
  if (!validateHostHeader(headers.host, localhostAllowedHostnames()).ok)
    return { status: 403, message: 'This server answers only to 127.0.0.1 and localhost.' };
  if (!validateOriginHeader(headers.origin, localhostAllowedOrigins()).ok)
    return { status: 403, message: 'This server does not answer to pages of other origins.' };
  const [path, query] = url.split('?', 2);
  if (path !== MCP_PATH) return { status: 404, message: `There is only ${MCP_PATH}.` };
  if (query !== undefined)
    return { status: 400, message: 'Nothing may stand behind the path; the token belongs into the Authorization header.' };
  const token = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  if (token === undefined) return unauthorized('A bearer token is required: the one its run was given.', '');
  const identity = identify(token);
  if (!identity) return unauthorized('This token is not valid, or its run has ended.', ', error="invalid_token"');
  if (!['POST', 'GET', 'DELETE'].includes(method))
    return { status: 405, message: 'Only POST, GET and DELETE are served.', headers: { allow: 'POST, GET, DELETE' } };
  if (method !== 'POST' && headers['mcp-protocol-version'] === MODERN_REVISION)
    return { status: 405, message: 'In this era only POST is served.', headers: { allow: 'POST' } };
  if (method === 'POST' && !isJsonContentType(headers['content-type'] ?? null))
    return { status: 415, message: 'The content type must be application/json.' };
  if (Number(headers['content-length'] ?? 0) > MAX_BODY_BYTES) return tooLarge;
  return identity;
}

export const tooLarge: HttpRefusal = {
  status: 413,
  message: `A request may have at most ${MAX_BODY_BYTES} bytes.`,
  headers: { connection: 'close' },
};

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

/** The refusal as a JSON-RPC error without an id. */
export function refusalBody(message: string, code = -32000): string {
  return JSON.stringify({ jsonrpc: '2.0', error: { code, message }, id: null });
}

export function refuse(response: ServerResponse, { status, message, headers = {} }: HttpRefusal): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(refusalBody(message));
}

function unauthorized(message: string, error: string): HttpRefusal {
  return { status: 401, message, headers: { 'www-authenticate': `Bearer realm="scopecraft"${error}` } };
}
