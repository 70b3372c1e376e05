// Who calls over HTTP, as the token says: a run of ours, a client with a scope, or a guest of one session.
import path from 'node:path';
import type { Scope, ShareRole } from '../core/access.ts';
import { runFolder } from '../runners/run-folder.ts';
import type { Peer } from './peer.ts';
import type { RunIdentity } from './token.ts';

export type HttpCaller =
  | ({ readonly kind: 'run' } & RunIdentity)
  | { readonly kind: 'client'; readonly scope: Scope }
  | {
      readonly kind: 'guest';
      readonly sessionId: string;
      readonly shareId: string;
      readonly role: ShareRole;
      readonly name: string;
    };

/** One word for everybody who has this token. */
export function callerKey(caller: HttpCaller): string {
  if (caller.kind === 'run') return `${caller.sessionId}/${caller.run}`;
  return caller.kind === 'client' ? `client/${caller.scope}` : `guest/${caller.sessionId}/${caller.shareId}`;
}

/** Where it is kept what the next hub must know of the MCP sessions of this caller. */
export function memoryFolder(stateDir: string, caller: HttpCaller): string {
  if (caller.kind === 'run') return path.join(runFolder(stateDir, caller.sessionId, caller.run), 'mcp');
  if (caller.kind === 'client') return path.join(stateDir, 'mcp', caller.scope);
  return path.join(stateDir, 'sessions', caller.sessionId, 'mcp', caller.shareId);
}

/** Who calls, as the MCP server of its connection knows it. */
export function peerOfCaller(caller: HttpCaller): Omit<Peer, 'environment'> {
  if (caller.kind === 'run') return { kind: 'session', session: { sessionId: caller.sessionId, run: caller.run } };
  return caller.kind === 'client' ? { kind: 'client', scope: caller.scope } : { kind: 'guest', guest: caller };
}
