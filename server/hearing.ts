// Tells the client of one connection what changed: lists, and the resources it asked to hear of.
import { type McpRequestContext, ProtocolError, type Server } from '@modelcontextprotocol/server';
import type { Peer } from './peer.ts';
import { INVALID_PARAMS } from './teaching.ts';
import type { Updates } from './updates.ts';

export interface HearingParts {
  readonly server: Server;
  readonly peer: Peer;
  readonly context: McpRequestContext;
  readonly updates: Updates | undefined;
}

/** What a client of the older era subscribes to; others say it as they begin to listen. */
export interface Hearing {
  /** Fails with INVALID_PARAMS where that would be too many. */
  expectRoom(uri: string): void;
  subscribe(uri: string): void;
  unsubscribe(uri: string): void;
  close(): void;
}

/** Most resources one connection of the older era may subscribe to. */
const MAX_SUBSCRIBED = 1_000;

export function openHearing({ server, peer, context: { era, requestInfo }, updates }: HearingParts): Hearing {
  const subscribed = new Set<string>();
  // a modern server over HTTP lives for one request; who listens there is told by the HTTP door
  const isBrief = era === 'modern' && requestInfo !== undefined;
  const heard = isBrief ? undefined : updates;
  const listChanged = {
    // what a run or a guest may read does not grow by what others start
    resources: () => (peer.session || peer.guest ? undefined : server.sendResourceListChanged()),
    prompts: () => server.sendPromptListChanged(),
    tools: () => server.sendToolListChanged(),
  };
  // nothing is looked for on behalf of who has not asked to be told
  let endLists = () => {};
  let endResources: (() => void) | undefined;
  let isClosed = false;
  const hearLists = () => {
    if (heard && !isClosed) endLists = heard.subscribeLists((list) => void listChanged[list]()?.catch(() => undefined));
  };
  const hearResources = () => {
    if (!heard || isClosed) return;
    endResources ??= heard.subscribe((uri) => {
      if (era === 'modern' || subscribed.has(uri)) server.sendResourceUpdated({ uri }).catch(() => undefined);
    });
  };
  const { whenListening = (begin: () => void) => begin() } = peer;
  if (era === 'legacy') hearLists();
  else
    whenListening(() => {
      hearLists();
      hearResources();
    });

  return {
    expectRoom(uri) {
      if (subscribed.size >= MAX_SUBSCRIBED && !subscribed.has(uri))
        throw new ProtocolError(INVALID_PARAMS, `At most ${MAX_SUBSCRIBED} resources can be subscribed to on one connection.`);
    },
    subscribe(uri) {
      hearResources();
      subscribed.add(uri);
    },
    unsubscribe(uri) {
      subscribed.delete(uri);
      if (subscribed.size > 0) return;
      endResources?.();
      endResources = undefined;
    },
    close() {
      isClosed = true;
      endLists();
      endResources?.();
    },
  };
}
