// What every HTTP request must pass before anything of it is read: a name of ours, no foreign page behind it, the one path, and a token.
// The answers say what is wrong and never repeat what was sent, because that may hold a token.
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  isJsonContentType,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  validateHostHeader,
  validateOriginHeader,
} from '@modelcontextprotocol/server';

export const MCP_PATH = '/mcp';
export const MODERN_REVISION = '2026-07-28';
/** Most bytes of one request. */
export const MAX_BODY_BYTES = 1024 * 1024;
export const HEALTH_PATH = '/healthz';

/** Why a request is turned away. */
export interface HttpRefusal {
  readonly status: number;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What one listener asks of the addresses in a request. */
export interface AddressRules {
  /** Names by which it may be called, besides those of this machine. */
  readonly hosts: readonly string[];
  /** Host names of pages that may call it, besides those of this machine. */
  readonly origins: readonly string[];
  /** True: a proxy that speaks TLS stands in front, and says so with each request. */
  readonly isBehindTls: boolean;
}

export const LOCAL: AddressRules = { hosts: [], origins: [], isBehindTls: false };

/** Why a request is turned away whoever sends it, by its addresses alone. */
export function misaddressed(
  { headers }: IncomingMessage,
  { hosts, origins, isBehindTls }: AddressRules,
): HttpRefusal | undefined {
  if (!validateHostHeader(headers.host, [...localhostAllowedHostnames(), ...hosts]).ok)
    return { status: 403, message: `This server answers only to ${['127.0.0.1', 'localhost', ...hosts].join(', ')}.` };
  if (!validateOriginHeader(headers.origin, [...localhostAllowedOrigins(), ...origins]).ok)
    return { status: 403, message: 'This server does not answer to pages of other origins.' };
  if (isBehindTls && headers['x-forwarded-proto'] !== 'https')
    return { status: 403, message: 'Only what came over TLS is answered here; the proxy says so with X-Forwarded-Proto: https.' };
  return undefined;
}

/** The token of a request that has the right form, or why it is turned away. */
export function tokenOf({ method = '', url = '', headers }: IncomingMessage): { readonly token: string } | HttpRefusal {
  const [path, query] = url.split('?', 2);
  if (path !== MCP_PATH) return { status: 404, message: `There is only ${MCP_PATH}.` };
  if (query !== undefined)
    return { status: 400, message: 'Nothing may stand behind the path; the token belongs into the Authorization header.' };
  const token = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  if (token === undefined)
    return unauthorized('A bearer token is required: that of a run, of a share, or one that `sc serve` names.', '');
  if (!['POST', 'GET', 'DELETE'].includes(method))
    return { status: 405, message: 'Only POST, GET and DELETE are served.', headers: { allow: 'POST, GET, DELETE' } };
  if (method !== 'POST' && headers['mcp-protocol-version'] === MODERN_REVISION)
    return { status: 405, message: 'In this era only POST is served.', headers: { allow: 'POST' } };
  if (method === 'POST' && !isJsonContentType(headers['content-type'] ?? null))
    return { status: 415, message: 'The content type must be application/json.' };
  if (Number(headers['content-length'] ?? 0) > MAX_BODY_BYTES) return tooLarge;
  return { token };
}

export const badToken = unauthorized(
  'This token is not valid: its run has ended, its share has expired, or a new one took its place.',
  ', error="invalid_token"',
);

const tooLarge: HttpRefusal = {
  status: 413,
  message: `A request may have at most ${MAX_BODY_BYTES} bytes.`,
  headers: { connection: 'close' },
};

export function tooMany(message: string): HttpRefusal {
  return { status: 429, message, headers: { 'retry-after': '1' } };
}

/** The refusal as a JSON-RPC error without an id. */
export function refusalBody(message: string, code = -32000): string {
  return JSON.stringify({ jsonrpc: '2.0', error: { code, message }, id: null });
}

export function refuse(response: ServerResponse, { status, message, headers = {} }: HttpRefusal): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(refusalBody(message));
}

export function unauthorized(message: string, error: string): HttpRefusal {
  return { status: 401, message, headers: { 'www-authenticate': `Bearer realm="scopecraft"${error}` } };
}

/** Says that the hub lives, to whoever asks; nothing else. */
export function healthy({ method }: IncomingMessage, response: ServerResponse, isReady: boolean): void {
  if (method !== 'GET' && method !== 'HEAD')
    return void refuse(response, { status: 405, message: 'Only GET is served here.', headers: { allow: 'GET, HEAD' } });
  response.writeHead(isReady ? 200 : 503, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify({ status: isReady ? 'ok' : 'starting' }));
}
