// Tells connections which resources changed, and that there are other prompts: at once, then at most once per second and URI, and a last time when it is quiet again.
import type { Orchestrator } from '../core/orchestrator.ts';
import type { Resource } from '../resources/define.ts';

const PERIOD_MS = 1000;

export interface Updates {
  /** Calls back with each stale URI; the returned function ends it. */
  subscribe(sink: (uri: string) => void): () => void;
  /** Calls back when the list of prompts may be another one; the returned function ends it. */
  subscribePrompts(sink: () => void): () => void;
}

export function createUpdates(orchestrator: Orchestrator, resources: readonly Resource[]): Updates {
  const sinks = new Set<(uri: string) => void>();
  const resting = new Map<string, { again: boolean }>();

  const emit = (uri: string) => {
    const rest = { again: false };
    resting.set(uri, rest);
    setTimeout(() => {
      resting.delete(uri);
      if (rest.again) emit(uri);
    }, PERIOD_MS).unref();
    for (const sink of sinks) sink(uri);
  };

  orchestrator.ledger.subscribe((event) => {
    if (sinks.size === 0) return;
    for (const uri of resources.flatMap((resource) => resource.stale(event, orchestrator))) {
      const rest = resting.get(uri);
      if (rest) rest.again = true;
      else emit(uri);
    }
  });

  return {
    subscribe(sink) {
      sinks.add(sink);
      return () => sinks.delete(sink);
    },
    subscribePrompts: (sink) => orchestrator.rules.onChange(atMostOnce(sink)),
  };
}

/** Calls at once, then at most once per period, and a last time for what came meanwhile. */
function atMostOnce(call: () => void): () => void {
  let rest: { again: boolean } | undefined;
  const tell = () => {
    if (rest) {
      rest.again = true;
      return;
    }
    const mine = { again: false };
    rest = mine;
    setTimeout(() => {
      rest = undefined;
      if (mine.again) tell();
    }, PERIOD_MS).unref();
    call();
  };
  return tell;
}
