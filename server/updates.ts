// Tells connections which resources changed, and which lists: in a moment, then at most once per second and URI, and a last time when it is quiet again.
// Whoever waits for an answer goes first: what many calls at once make stale is told when they are answered.
import type { Orchestrator } from '../core/orchestrator.ts';
import type { Resource } from '../resources/define.ts';

const PERIOD_MS = 1000;
/** A moment: what becomes stale within it is told together. */
const MOMENT_MS = 25;

/** The lists that may change while a client is connected. */
export const LISTS = ['tools', 'prompts', 'resources'] as const;
export type List = (typeof LISTS)[number];

export interface Updates {
  /** Calls back with each stale URI; the returned function ends it. */
  subscribe(sink: (uri: string) => void): () => void;
  /** Calls back with each list that changed; the returned function ends it. */
  subscribeLists(sink: (list: List) => void): () => void;
  /** Says that a list changed. */
  listChanged(list: List): void;
}

export function createUpdates(orchestrator: Orchestrator, resources: readonly Resource[]): Updates {
  const uris = emitter<string>();
  const lists = emitter<List>();

  orchestrator.ledger.subscribe((event) => {
    // each session is two resources
    if (event.name === 'session.queued' || event.name === 'session.removed') lists.say('resources');
    if (uris.isHeard()) for (const uri of resources.flatMap((resource) => resource.stale(event, orchestrator))) uris.say(uri);
  });

  orchestrator.rules.onChange(() => lists.say('prompts'));

  return { subscribe: uris.subscribe, subscribeLists: lists.subscribe, listChanged: lists.say };
}

/** Passes words on, each at most once in a period. */
function emitter<Word>() {
  const sinks = new Set<(word: Word) => void>();
  const resting = new Map<Word, { again: boolean }>();
  let words: Word[] = [];
  const tell = () => {
    const told = words;
    words = [];
    for (const word of told) for (const sink of sinks) sink(word);
  };
  const emit = (word: Word) => {
    const rest = { again: false };
    resting.set(word, rest);
    setTimeout(() => {
      resting.delete(word);
      if (rest.again) emit(word);
    }, PERIOD_MS).unref();
    if (words.push(word) === 1) setTimeout(tell, MOMENT_MS).unref();
  };
  return {
    isHeard: () => sinks.size > 0,
    say(word: Word) {
      if (sinks.size === 0) return;
      const rest = resting.get(word);
      if (rest) rest.again = true;
      else emit(word);
    },
    subscribe(sink: (word: Word) => void) {
      sinks.add(sink);
      return () => void sinks.delete(sink);
    },
  };
}
