// The event by which a session begins, for tests that make a ledger's state of events by hand.
import type { DataOf, EventDraft } from '../../core/events.ts';

/** `session.queued` of an autonomous session of the demo agent; `more` says what is different. */
export function queuedEvent(
  sessionId: string,
  more: Partial<DataOf<'session.queued'>> = {},
): Extract<EventDraft, { name: 'session.queued' }> {
  return {
    name: 'session.queued',
    data: {
      sessionId,
      type: 'autonomous',
      taskId: 't',
      taskTitle: 'T',
      agent: 'demo',
      cwd: '/w',
      priority: 'medium',
      prompt: 'p',
      by: 'test',
      position: 1,
      ...more,
    },
  };
}
