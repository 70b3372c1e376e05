// Ends interactive sessions that stood at their prompt for too long, so that people who left never block the line.
import type { EndCause } from './ending.ts';
import { sessionOf } from './events.ts';
import type { Ledger } from './ledger.ts';
import type { Clock, Settings } from './ports.ts';
import type { Session } from './session.ts';

export interface IdleParts {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly settings: Pick<Settings, 'current'>;
  readonly stop: (sessionId: string, cause: EndCause) => Promise<void>;
  readonly onError: (error: unknown) => void;
}

/** Watches all sessions. The returned function ends it. */
export function watchIdle({ ledger, clock, settings, stop, onError }: IdleParts): () => void {
  const timers = new Map<string, () => void>();
  const disarm = (id: string) => {
    timers.get(id)?.();
    timers.delete(id);
  };
  const look = (session: Session | undefined) => {
    if (!session) return;
    disarm(session.id);
    const { interactiveIdleMs } = settings.current().resources;
    if (session.status !== 'waiting' || session.waitsFor !== 'prompt' || interactiveIdleMs === 0) return;
    const cancel = clock.after(interactiveIdleMs, () => {
      timers.delete(session.id);
      const reason = `it stood at its prompt for ${interactiveIdleMs} ms`;
      stop(session.id, { kind: 'idle_timeout', reason }).catch(onError);
    });
    timers.set(session.id, cancel);
  };
  for (const session of ledger.sessions()) look(session);
  const unsubscribe = ledger.subscribe((event) => {
    if (event.name === 'session.spoke') return;
    const id = sessionOf(event);
    if (id !== undefined) look(ledger.session(id));
  });
  return () => {
    unsubscribe();
    for (const cancel of timers.values()) cancel();
    timers.clear();
  };
}
