// A ledger in memory that is durable at once, and the life of a session in a word each.
import type { EventDraft } from '../../core/events.ts';
import type { Listener } from '../../core/ledger.ts';
import type { Session, SessionType } from '../../core/session.ts';
import { apply } from '../../core/session-fold.ts';

export type MemoryLedger = ReturnType<typeof memoryLedger>;

export function memoryLedger() {
  const sessions = new Map<string, Session>();
  const listeners = new Set<Listener>();
  let seq = 0;
  const record = (draft: EventDraft) => {
    seq++;
    const event = { seq, at: Date.UTC(2025, 4, 30, 10, 0, seq), node: 'test/1', ...draft };
    if ('sessionId' in event.data) sessions.set(event.data.sessionId, apply(sessions.get(event.data.sessionId), event));
    for (const listener of listeners) listener(event);
  };
  return {
    record,
    session: (id: string) => sessions.get(id),
    subscribe(listener: Listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    get listening() {
      return listeners.size;
    },
    spoke(sessionId: string) {
      for (const listener of listeners) listener({ name: 'session.spoke', sessionId, bytes: 1 });
    },
    queue(sessionId: string, taskId = 'fix-login', type: SessionType = 'autonomous') {
      const who = { sessionId, taskId, taskTitle: 'T', agent: 'demo', cwd: '/w', by: 'a test' };
      record({ name: 'session.queued', data: { ...who, type, priority: 'medium', prompt: 'p', position: 1 } });
    },
    prepare: (sessionId: string) => record({ name: 'session.starting', data: { sessionId, run: 1, resume: false } }),
    begin(sessionId: string) {
      this.prepare(sessionId);
      record({ name: 'session.started', data: { sessionId, run: 1, process: { pid: 1, startedAt: 'x' } } });
    },
    prompt: (sessionId: string, prompt: string) =>
      record({ name: 'session.prompted', data: { sessionId, promptId: 'p1', mode: 'queue', prompt, by: 'x' } }),
    end: (sessionId: string) => record({ name: 'session.completed', data: { sessionId, run: 1, cause: { kind: 'done' } } }),
  };
}
