// What a peer of the hub is: what it sees of the orchestrator, which resources it may read, and what its deeds are recorded under.
import type { Scope } from '../core/access.ts';
import { type Guest, guestOf } from '../core/guest.ts';
import type { Orchestrator } from '../core/orchestrator.ts';
import { scopedTo } from '../core/scope.ts';
import type { Resource } from '../resources/define.ts';
import { RESOURCES } from '../resources/index.ts';
import { readResource } from './reading.ts';
import type { RunIdentity } from './token.ts';

/** Who is at the other end, and the environment values that came with the connection. */
export interface Peer {
  readonly kind: 'door' | 'cli' | 'session' | 'client' | 'guest';
  readonly environment: Readonly<Record<string, string>>;
  /** With `session`: the run whose token the caller has. */
  readonly session?: RunIdentity;
  /** With `client`: what its token is good for. */
  readonly scope?: Scope;
  /** With `guest`: the session that was shared. */
  readonly guest?: Guest;
  /** Calls back when the peer first asks to be told of changes; left out where that is not known. */
  readonly whenListening?: (begin: () => void) => void;
}

const NAME_LENGTH = 80;

/** One word for everybody who may do the same as this peer, and for nobody else. */
export function keyOfPeer({ kind, session, guest, scope }: Peer): string {
  if (session) return `${kind} ${session.sessionId}/${session.run}`;
  return guest ? `${kind} ${guest.sessionId}/${guest.shareId}` : [kind, scope].filter(Boolean).join(' ');
}

/** A session sees and touches what came of it, a guest the one session that was shared, everybody else all. */
export function seenBy(whole: Orchestrator, { session, guest }: Peer): Orchestrator {
  if (session) return scopedTo(whole, session.sessionId);
  return guest ? guestOf(whole, guest) : whole;
}

export function resourcesOf({ guest }: Peer): readonly Resource[] {
  return guest ? RESOURCES.filter(({ uriTemplate }) => uriTemplate.startsWith('session://')) : RESOURCES;
}

/** Fails where this peer may not read the resource. */
export async function expectReadable(whole: Orchestrator, peer: Peer, uri: string): Promise<void> {
  await readResource(seenBy(whole, peer), resourcesOf(peer), uri);
}

/** Who did it, in words. What a client says about itself is shown, and never taken for who it is. */
export function nameOf(peer: Peer, client: { readonly name: string; readonly version?: string | undefined } | undefined): string {
  const said = plain([client?.name ?? 'a client', client?.version].filter(Boolean).join(' '));
  if (peer.session) return `session ${peer.session.sessionId}`;
  if (peer.guest) return `guest ${plain(peer.guest.name)} (share ${peer.guest.shareId}, ${said})`;
  if (peer.kind === 'client') return `${said} (over HTTP, ${peer.scope})`;
  return peer.kind === 'cli' ? 'sc' : said;
}

function plain(text: string): string {
  return text
    .replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, NAME_LENGTH);
}
