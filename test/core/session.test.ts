// The state table of sessions: every move that is allowed, none that is not, and the history it leaves.
import { describe, expect, it } from 'vitest';
import { EVENTS, type EventDraft, matchesName, parseEvent, type StoredEvent } from '../../core/events.ts';
import { causeText, oneLine } from '../../core/history.ts';
import { isActive, isSettled, type Session, STATUSES } from '../../core/session.ts';
import { apply } from '../../core/session-fold.ts';
import { queuedEvent } from '../support/queued-event.ts';

let seq = 0;
const event = (draft: EventDraft): StoredEvent => ({ seq: ++seq, at: 1000 * seq, node: 'test/1', ...draft });
const process = { pid: 1, startedAt: '1' };
const end = { sessionId: 's', run: 1, cause: { kind: 'done' as const } };

const MOVES: Readonly<Record<string, EventDraft>> = {
  queued: queuedEvent('s', { by: 'me' }),
  requeued: {
    name: 'session.requeued',
    data: { sessionId: 's', run: 1, cause: { kind: 'lost' }, notBefore: 5000, orderKey: 1, resume: true },
  },
  moved: { name: 'queue.moved', data: { sessionId: 's', priority: 'high', orderKey: 7, orderSeq: 1, by: 'me' } },
  starting: { name: 'session.starting', data: { sessionId: 's', run: 1, conversationId: 'c', resume: false } },
  started: { name: 'session.started', data: { sessionId: 's', run: 1, process } },
  resumed: { name: 'session.resumed', data: { sessionId: 's', run: 1 } },
  prompted: {
    name: 'session.prompted',
    data: { sessionId: 's', promptId: 'p1', mode: 'queue', prompt: 'more\nplease', by: 'me' },
  },
  prepared: { name: 'session.prepared', data: { sessionId: 's', run: 1, mark: 'm' } },
  reopened: {
    name: 'session.reopened',
    data: { sessionId: 's', promptId: 'p2', mode: 'queue', prompt: 'on', by: 'me', orderKey: 1, resume: true },
  },
  received: { name: 'session.received', data: { sessionId: 's', promptId: 'p1', run: 1 } },
  undelivered: { name: 'session.undelivered', data: { sessionId: 's', promptId: 'p1', reason: 'gone' } },
  waiting: {
    name: 'session.waiting',
    data: { sessionId: 's', run: 1, for: 'question', request: { requestId: 's.1', kind: 'question', text: 'Which?' } },
  },
  answered: { name: 'session.answered', data: { sessionId: 's', requestId: 's.1', decision: 'answer', text: 'this', by: 'me' } },
  stopping: { name: 'session.stopping', data: { sessionId: 's', cause: { kind: 'cancelled', by: 'me', reason: 'why' } } },
  completed: {
    name: 'session.completed',
    data: { ...end, result: { text: 'fine\nindeed', isError: false, costUsd: 0.5, turns: 1 } },
  },
  failed: { name: 'session.failed', data: { ...end, cause: { kind: 'agent_error', exitCode: 2, reason: 'boom' } } },
  cancelled: { name: 'session.cancelled', data: { ...end, cause: { kind: 'cancelled', by: 'me' } } },
  lost: { name: 'session.lost', data: { ...end, cause: { kind: 'lost' } } },
};

/** How to come to each status, by events. */
const WAYS: Readonly<Record<string, readonly string[]>> = {
  queued: ['queued'],
  starting: ['queued', 'starting'],
  running: ['queued', 'starting', 'started'],
  waiting: ['queued', 'starting', 'started', 'waiting'],
  stopping: ['queued', 'starting', 'stopping'],
  completed: ['queued', 'starting', 'started', 'completed'],
  failed: ['queued', 'failed'],
  cancelled: ['queued', 'cancelled'],
  lost: ['queued', 'starting', 'lost'],
};

/** Status → what may follow, with the status it leads to. */
const ALWAYS = (status: string) => ({ received: status, undelivered: status, answered: status });
const ALLOWED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  queued: {
    ...ALWAYS('queued'),
    starting: 'starting',
    moved: 'queued',
    prompted: 'queued',
    failed: 'failed',
    cancelled: 'cancelled',
  },
  starting: {
    ...ALWAYS('starting'),
    prepared: 'starting',
    waiting: 'waiting',
    starting: 'starting',
    requeued: 'queued',
    started: 'running',
    prompted: 'starting',
    stopping: 'stopping',
    completed: 'completed',
    failed: 'failed',
    cancelled: 'cancelled',
    lost: 'lost',
  },
  running: {
    ...ALWAYS('running'),
    started: 'running',
    waiting: 'waiting',
    prompted: 'running',
    requeued: 'queued',
    stopping: 'stopping',
    completed: 'completed',
    failed: 'failed',
    cancelled: 'cancelled',
    lost: 'lost',
  },
  waiting: {
    ...ALWAYS('waiting'),
    answered: 'running',
    waiting: 'waiting',
    started: 'waiting',
    resumed: 'running',
    prompted: 'waiting',
    requeued: 'queued',
    stopping: 'stopping',
    completed: 'completed',
    failed: 'failed',
    cancelled: 'cancelled',
    lost: 'lost',
  },
  stopping: {
    ...ALWAYS('stopping'),
    completed: 'completed',
    started: 'stopping',
    prepared: 'stopping',
    prompted: 'stopping',
    failed: 'failed',
    cancelled: 'cancelled',
    lost: 'lost',
  },
  completed: { ...ALWAYS('completed'), reopened: 'queued' },
  failed: { ...ALWAYS('failed'), reopened: 'queued' },
  cancelled: { ...ALWAYS('cancelled'), reopened: 'queued' },
  lost: { ...ALWAYS('lost'), reopened: 'queued', resumed: 'running' },
};

const draft = (move: string): EventDraft => MOVES[move] ?? { name: 'hub.stopped', data: { reason: move } };
const at = (status: string): Session | undefined =>
  (WAYS[status] ?? []).reduce<Session | undefined>((session, move) => apply(session, event(draft(move))), undefined);

describe('a session', () => {
  const pairs = Object.keys(WAYS).flatMap((status) => Object.keys(MOVES).map((move) => [status, move] as const));
  it.each(pairs)('that is %s, then %s', (status, move) => {
    const to = ALLOWED[status]?.[move];
    const next = () => apply(at(status), event(draft(move))).status;
    if (to === undefined) expect(next).toThrow(`is ${status}; ${draft(move).name} cannot follow`);
    else expect(next()).toBe(to);
  });

  it('begins with being queued, and hears nothing of hubs', () => {
    expect(() => apply(undefined, event(draft('started')))).toThrow('never queued');
    expect(() => apply(at('running'), event(draft('anything')))).toThrow('cannot follow');
  });

  it('holds a slot or has settled or waits, never two of them', () => {
    for (const status of STATUSES)
      expect([isActive({ status }), isSettled({ status }), status === 'queued'].filter(Boolean)).toHaveLength(1);
  });

  it('keeps a line of history for each change that a person wants to see', () => {
    const told = ['queued', 'starting', 'started', 'prompted', 'stopping', 'failed'].reduce<Session | undefined>(
      (session, move) => apply(session, event(draft(move))),
      undefined,
    );
    expect(told?.history.map(({ text }) => text)).toEqual([
      'Session queued by me with priority medium',
      'Session started with autonomous mode (agent demo)',
      'Custom prompt: "more please"',
      'Session is being stopped: cancelled by me: why',
      'Session failed (agent error with exit code 2: boom), 1 prompt not delivered',
    ]);
    expect(at('completed')?.history.at(-1)?.text).toBe('Session completed, $0.5000, 1 turn: fine indeed');
    expect(apply(at('lost'), event(draft('resumed'))).history.at(-1)?.text).toBe('Session goes on');
  });

  it('remembers the rule that its first prompt came from, whatever happens to it later', () => {
    const rule = { id: 'fix', version: 'a1', chances: { seed: 's', of: { fix: 0.7, mend: 0.3 } } };
    const chosen = (move: string): EventDraft => {
      const made = draft(move);
      return made.name === 'session.queued' ? { ...made, data: { ...made.data, rule } } : made;
    };
    const told = ['queued', 'starting', 'started', 'completed', 'reopened', 'starting', 'failed'].reduce<Session | undefined>(
      (session, move) => apply(session, parseEvent(JSON.parse(JSON.stringify(event(chosen(move)))))),
      undefined,
    );
    expect(told?.rule).toEqual(rule);
  });
});

describe('words about sessions', () => {
  it('cut long texts and tell how long they were', () => {
    expect(oneLine('a  b\nc', 10)).toBe('a b c');
    expect(oneLine('x'.repeat(30), 5)).toBe('xxxxx… (30 characters, whole in the log)');
  });

  it('say an end cause with all that is known', () => {
    expect(causeText({ kind: 'rate_limited', resetsAt: 'noon' })).toBe('rate limited until noon');
    expect(causeText({ kind: 'killed', signal: 'SIGKILL' })).toBe('killed by SIGKILL');
  });
});

describe('events', () => {
  it('are read back as they were stored, and nothing else is', () => {
    const stored = event(draft('queued'));
    expect(parseEvent(JSON.parse(JSON.stringify(stored)))).toEqual(stored);
    expect(() => parseEvent({ ...stored, name: 'session.danced' })).toThrow();
    expect(() => parseEvent({ ...stored, data: { sessionId: 7 } })).toThrow();
  });

  it('each have a sentence', () => {
    for (const { says } of Object.values(EVENTS)) expect(says).toMatch(/\.$/);
  });

  it('are found by name or by the beginning of it', () => {
    expect(matchesName('session.failed', 'session.*')).toBe(true);
    expect(matchesName('session.failed', 'session.failed')).toBe(true);
    expect(matchesName('hub.started', 'session.*')).toBe(false);
  });
});
