// Ends interactive sessions that stood at their prompt for too long, so that people who left never block the line.
import type { EndCause } from './ending.ts';
import { sessionOf } from './events.ts';
import type { Ledger } from './ledger.ts';
import type { Clock, Settings } from './ports.ts';
import type { Session } from './session.ts';
import { pendingPrompts } from './talk.ts';

export interface IdleParts {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly settings: Pick<Settings, 'current'>;
  readonly stop: (sessionId: string, cause: EndCause) => Promise<void>;
  readonly onError: (error: unknown) => void;
}

/** Watches all sessions. What happens to one, and a change of the limit, begin its time anew. The returned function ends the watch. */
export function watchIdle({ ledger, clock, settings, stop, onError }: IdleParts): () => void {
  const timers = new Map<string, () => void>();
  const disarm = (id: string) => {
    timers.get(id)?.();
    timers.delete(id);
  };
  const look = (session: Session) => {
    disarm(session.id);
    const { interactiveIdleMs } = settings.current().resources;
    if (!standsIdle(session) || interactiveIdleMs === 0) return;
    const since = clock.now();
    const cancel = clock.after(interactiveIdleMs, () => {
      timers.delete(session.id);
      const now = ledger.session(session.id);
      if (!now || !standsIdle(now)) return;
      // somebody just says something that is not on disk yet
      if (pendingPrompts(now).some(({ at }) => at > since)) return look(now);
      const reason = `it stood at its prompt for ${interactiveIdleMs} ms`;
      stop(session.id, { kind: 'idle_timeout', reason }).catch(onError);
    });
    timers.set(session.id, cancel);
  };
  const lookAtAll = () => {
    for (const session of ledger.sessions()) look(session);
  };
  lookAtAll();
  const unsubscribe = ledger.subscribe((event) => {
    if (event.name === 'session.spoke') return;
    if (event.name === 'config.changed') return lookAtAll();
    const id = sessionOf(event);
    if (id === undefined) return;
    const session = ledger.session(id);
    if (session) look(session);
    else disarm(id);
  });
  return () => {
    unsubscribe();
    for (const cancel of timers.values()) cancel();
    timers.clear();
  };
}

function standsIdle({ status, waitsFor }: Session): boolean {
  return status === 'waiting' && waitsFor === 'prompt';
}
