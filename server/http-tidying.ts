// Forgets what was kept on disk of the sessions of 2025-era MCP clients over HTTP, and nobody came back for.
import { SCOPES } from '../core/access.ts';
import { callerKey, type HttpCaller, memoryFolder } from './http-caller.ts';
import { createCallMemory } from './http-memory.ts';

/** A session that no client came back to for so long is forgotten, and how often that is looked for. */
const KEEP_UNUSED_MS = 7 * 86_400_000;
export const TIDY_MS = 3_600_000;

export interface TidyingOptions {
  readonly stateDir: string;
  /** Most sessions of this caller. */
  readonly mostOf: (caller: HttpCaller) => number;
  /** Ids of the sessions of this caller that this hub has. */
  readonly inUse: (caller: HttpCaller) => ReadonlySet<string>;
  readonly onerror: (error: Error) => void;
}

export interface Tidying {
  /** Forgets what earlier hubs kept for this caller; one at a time, and again where somebody came meanwhile. Never rejects. */
  tidy(caller: HttpCaller): Promise<void>;
  close(): void;
}

/** Tidies for the clients from time to time, and for whom it is told to. */
export function startTidying({ stateDir, mostOf, inUse, onerror }: TidyingOptions): Tidying {
  /** Callers for whom it is under way, and whether one that came meanwhile must be looked at too. */
  const underWay = new Map<string, boolean>();
  const tidy = async (caller: HttpCaller) => {
    const key = callerKey(caller);
    if (underWay.has(key)) return void underWay.set(key, true);
    do {
      underWay.set(key, false);
      try {
        const limits = { before: Date.now() - KEEP_UNUSED_MS, most: mostOf(caller), inUse: inUse(caller) };
        await createCallMemory(memoryFolder(stateDir, caller)).tidy(limits);
      } catch (error) {
        onerror(error instanceof Error ? error : new Error(String(error)));
      }
    } while (underWay.get(key));
    underWay.delete(key);
  };
  const timer = setInterval(() => {
    for (const scope of SCOPES) void tidy({ kind: 'client', scope });
  }, TIDY_MS).unref();
  return { tidy, close: () => clearInterval(timer) };
}
