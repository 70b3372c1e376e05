// What a resource is: a URI template, how it is read, and which events make it stale.
import type { StoredEvent } from '../core/events.ts';
import type { SpokeSignal } from '../core/ledger.ts';
import type { Orchestrator } from '../core/orchestrator.ts';

export interface Content {
  readonly text: string;
  readonly mimeType: 'application/json' | 'text/plain' | 'text/markdown';
  /** True when it will never change again. */
  readonly final: boolean;
}

export interface Resource {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** RFC 6570 with simple variables only, such as `session://{id}/log`. */
  readonly uriTemplate: string;
  readonly mimeType: Content['mimeType'];
  /** Reads it; the variables are decoded. Fails as the tools do. */
  readonly read: (variables: Readonly<Record<string, string>>, orchestrator: Orchestrator) => Promise<Content>;
  /** The URIs of this resource that an event makes stale. */
  readonly stale: (event: StoredEvent | SpokeSignal, orchestrator: Orchestrator) => readonly string[];
}

/** The variables of a URI that fits the template, decoded; undefined when it does not fit. */
export function variablesOf(uriTemplate: string, uri: string): Readonly<Record<string, string>> | undefined {
  const names: string[] = [];
  const pattern = uriTemplate.replace(/[.*+?^$()|[\]\\/]|\{(\w+)\}/g, (match, name?: string) => {
    if (name === undefined) return `\\${match}`;
    names.push(name);
    return '([^/?#]+)';
  });
  const values = new RegExp(`^${pattern}$`).exec(uri)?.slice(1);
  if (!values) return undefined;
  try {
    return Object.fromEntries(names.map((name, at) => [name, decodeURIComponent(values[at] ?? '')]));
  } catch {
    return undefined;
  }
}
