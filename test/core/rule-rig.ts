// A session as rules see it, for tests of what came of them.
import type { Session } from '../../core/session.ts';

export function madeSession(more: Partial<Session> = {}): Session {
  return {
    id: 's',
    type: 'autonomous',
    taskId: 'task',
    taskTitle: 'T',
    agent: 'demo',
    cwd: '/w',
    priority: 'medium',
    orderKey: 1,
    orderSeq: 1,
    status: 'running',
    prompt: 'p',
    customPrompts: [],
    by: 'test',
    run: 1,
    queuedAt: 0,
    createdSeq: 1,
    queuedSeq: 1,
    seq: 1,
    history: [],
    ...more,
  };
}
