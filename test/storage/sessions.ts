// Sessions as the ledger holds them, for the tests of task files.
import type { Session } from '../../core/session.ts';
import { type ProjectedSession, type Spliced, spliceBytes } from '../../storage/task-splice.ts';

const START = Date.UTC(2025, 4, 30, 10, 0, 15);

/** A running session with one line of history. */
export function sessionOf(id: string, more: Partial<Session> = {}): Session {
  return {
    id,
    type: 'autonomous',
    taskId: 'fix-login',
    taskTitle: 'Fix the login',
    agent: 'claude',
    cwd: '/w',
    priority: 'medium',
    orderKey: 1,
    orderSeq: 1,
    status: 'running',
    prompt: 'Do it.',
    customPrompts: [],
    by: 'a test',
    run: 1,
    queuedAt: START,
    startedAt: START,
    queuedSeq: 1,
    createdSeq: 1,
    seq: 2,
    history: [{ at: START, text: 'Session started with autonomous mode' }],
    ...more,
  };
}

/** The same session some events later. */
export function laterSession(id: string): Session {
  return sessionOf(id, {
    status: 'completed',
    customPrompts: ['Focus on "JWT"\nand nothing else', 'Ünïcödé 🎉'],
    settledAt: START + 900_000,
    cause: { kind: 'done' },
    result: { text: 'Done.', isError: false, costUsd: 0.0123 },
    history: [
      { at: START, text: 'Session started with autonomous mode' },
      { at: START + 60_000, text: 'Custom prompt: "Focus on "JWT" and nothing else"' },
      { at: START + 900_000, text: 'Session completed, $0.0123: Done.' },
    ],
  });
}

/** The splice of a file with this text. */
export function splice(text: string, sessions: readonly ProjectedSession[]): Spliced<string> {
  const result = spliceBytes(Buffer.from(text), sessions);
  return 'refused' in result ? result : { text: result.text.toString() };
}
