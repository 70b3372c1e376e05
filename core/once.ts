// Calls that change something, done once: the fact a call records keeps its key, so that the same call, sent again, also to a later hub, is known.
// Calls with one key come one after the other: whether the first is kept is not known before it is on disk.
import { fail } from './errors.ts';
import type { StoredEvent } from './events.ts';
import { inTurn } from './in-turn.ts';
import type { Ledger, UsedKey } from './ledger.ts';

export interface OnceParts {
  readonly ledger: Ledger;
  /** Hash of a text, for telling two requests apart. */
  readonly digest: (text: string) => string;
}

/** A call that may come again. */
export interface Keyed {
  readonly requestKey?: string | undefined;
}

/** What a fact keeps of the call that recorded it. */
export interface CallKey {
  readonly requestKey: string;
  /** Of the arguments that came with the key. */
  readonly digest: string;
}

/** Told what its fact is to keep; `used` where the call came before, and all that is left is to answer it, or to end what was begun. */
export type CallDeed<Answer> = (call: CallKey | undefined, used: UsedKey | undefined) => Promise<Answer>;

/** Does the deed of a call. What `asked` says tells the call from others with the same key: those fail with REQUEST_KEY_REUSED. */
export type Once = <Answer>(requestKey: string | undefined, asked: object, deed: CallDeed<Answer>) => Promise<Answer>;

export function createOnce({ ledger, digest }: OnceParts): Once {
  const underway = new Map<string, Promise<unknown>>();

  return async (requestKey, asked, deed) => {
    if (requestKey === undefined) return deed(undefined, undefined);
    const call = { requestKey, digest: digest(JSON.stringify(asked)) };
    return inTurn(underway, requestKey, async () => {
      const used = ledger.requestKey(requestKey);
      if (used && used.digest !== call.digest) {
        const what = used.sessionId === '' ? 'the line' : `session ${used.sessionId}`;
        fail('REQUEST_KEY_REUSED', `Request key "${requestKey}" was used for ${what} with other arguments.`);
      }
      return deed(call, used);
    });
  };
}

/** The fact that the call recorded when it came before; undefined where the history does not reach back to it. */
export async function factOf(ledger: Ledger, { seq }: UsedKey): Promise<StoredEvent | undefined> {
  if (seq === undefined) return undefined;
  for await (const event of ledger.history(seq - 1)) return event.seq === seq ? event : undefined;
  return undefined;
}
