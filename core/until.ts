// Waiting for the ledger without polling: what is waited for is looked at now, and again after each fact.
import { type StoredEvent, sessionOf } from './events.ts';
import type { Ledger } from './ledger.ts';
import type { Clock } from './ports.ts';

export interface Patience {
  /** Without it, as long as it takes. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Only facts about these sessions can change what is found; default: any fact. */
  readonly sessionIds?: readonly string[] | undefined;
}

/** What `look` found at last; `late` when the time was over before, `given up` when the signal was aborted. Fails as `look` does. */
export function until<Found>(
  { ledger, clock }: { readonly ledger: Pick<Ledger, 'subscribe'>; readonly clock: Clock },
  look: () => Found | undefined,
  { timeoutMs, signal, sessionIds }: Patience,
): Promise<Found | 'late' | 'given up'> {
  const ids = sessionIds && new Set(sessionIds);
  const concerns = (event: StoredEvent) => ids === undefined || ids.has(sessionOf(event) ?? '');
  return new Promise((resolve, reject) => {
    const done = (how: Found | 'late' | 'given up') => {
      close();
      resolve(how);
    };
    const again = () => {
      try {
        const found = look();
        if (found !== undefined) done(found);
      } catch (error) {
        close();
        reject(error);
      }
    };
    const giveUp = () => done('given up');
    const disarm = timeoutMs === undefined ? () => {} : clock.after(timeoutMs, () => done('late'));
    const unsubscribe = ledger.subscribe((event) => {
      if (event.name !== 'session.spoke' && concerns(event)) again();
    });
    const close = () => {
      unsubscribe();
      disarm();
      signal?.removeEventListener('abort', giveUp);
    };
    signal?.addEventListener('abort', giveUp);
    again();
    if (signal?.aborted) giveUp();
    else if (timeoutMs === 0) done('late');
  });
}
