// How a run's end is judged: exit code, result record and a stop that was asked, together.
import { describe, expect, it } from 'vitest';
import { type Ending, outcomeOf } from '../../core/outcome.ts';

const good = { text: 'fine', isError: false };
const bad = (more: object = {}) => ({ text: 'oh no', isError: true, ...more });
const ending = (more: Partial<Ending>): Ending => ({
  exit: { code: 0 },
  result: undefined,
  stop: undefined,
  reports: true,
  stderr: '',
  ...more,
});

const CASES: readonly [string, Partial<Ending>, string, object][] = [
  ['a good result and exit 0', { result: good }, 'session.completed', { kind: 'done' }],
  ['a good result, then killed', { result: good, exit: { code: 137 } }, 'session.completed', { kind: 'done' }],
  [
    'a good result, but exit 3',
    { result: good, exit: { code: 3 }, stderr: 'a\nlast words\n' },
    'session.failed',
    { kind: 'agent_error', exitCode: 3, reason: 'last words' },
  ],
  ['a bad result with exit 0', { result: bad() }, 'session.failed', { kind: 'agent_error', exitCode: 0, reason: 'oh no' }],
  [
    'a bad result about the account',
    { result: bad({ errorKind: 'auth' }), exit: { code: 1 } },
    'session.failed',
    { kind: 'auth', exitCode: 1 },
  ],
  [
    'a quota that is used up',
    { result: bad({ errorKind: 'rate_limited', resetsAt: '2026-01-01T00:00:00Z' }) },
    'session.failed',
    { kind: 'rate_limited', resetsAt: '2026-01-01T00:00:00Z' },
  ],
  ['no result although it reports', {}, 'session.failed', { kind: 'agent_error', reason: 'it ended without a result' }],
  ['no result of a plain program', { reports: false }, 'session.completed', { kind: 'done' }],
  ['a plain program with exit 2', { reports: false, exit: { code: 2 } }, 'session.failed', { kind: 'agent_error', exitCode: 2 }],
  [
    'a program that is not there',
    { exit: { code: 127 }, stderr: 'sh: not found' },
    'session.failed',
    { kind: 'spawn_failed', reason: 'sh: not found' },
  ],
  ['a kill by somebody else', { exit: { code: 137 } }, 'session.failed', { kind: 'killed', signal: 'SIGKILL' }],
  ['a signal without a name', { exit: { code: 190 } }, 'session.failed', { kind: 'killed', signal: 'signal 62' }],
  ['an end nobody saw', { exit: 'lost' }, 'session.lost', { kind: 'lost' }],
  ['an end nobody saw, with a good result', { exit: 'lost', result: good }, 'session.lost', { kind: 'lost' }],
  [
    'a cancel, whatever the result',
    { stop: { kind: 'cancelled', by: 'me' }, result: good },
    'session.cancelled',
    { kind: 'cancelled', by: 'me' },
  ],
  [
    'an end as done, whatever the exit',
    { stop: { kind: 'done', by: 'me' }, exit: { code: 143 } },
    'session.completed',
    { kind: 'done', by: 'me' },
  ],
  [
    'a cancel of a run that vanished',
    { stop: { kind: 'cancelled', by: 'me' }, exit: 'lost' },
    'session.cancelled',
    { kind: 'cancelled' },
  ],
  ['a timeout', { stop: { kind: 'timeout' }, exit: { code: 143 } }, 'session.failed', { kind: 'timeout' }],
];

describe('an ending', () => {
  it.each(CASES)('with %s', (_what, more, name, cause) => {
    const outcome = outcomeOf(ending(more));
    expect(outcome.name).toBe(name);
    expect(outcome.cause).toMatchObject(cause);
  });
});
