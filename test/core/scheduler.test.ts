// The scheduler under random histories with delegation, cancels, pauses and crashes: its rules hold, and broken variants are caught.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PRIORITIES } from '../../core/priority.ts';
import { compareWaiting, holdOf, holdText, type Line, nextJob, type WaitingJob } from '../../core/scheduler.ts';
import { type Plan, RULES, type Rules, type Step, simulate } from '../support/simulation.ts';

const RUNS = Number(process.env.SCOPECRAFT_HISTORIES ?? 10_000);
const SEED = process.env.SCOPECRAFT_SEED === undefined ? undefined : Number(process.env.SCOPECRAFT_SEED);

const priority = fc.constantFrom('lowest', 'low', 'medium', 'high', 'highest');
const plan = (depth: number): fc.Arbitrary<Plan> =>
  fc.record({
    priority,
    children: depth === 0 ? fc.constant([]) : fc.array(plan(depth - 1), { maxLength: 2 }),
    givesUpWaiting: fc.boolean(),
    isInteractive: fc.boolean(),
  });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('start' as const), plan: plan(2) }) },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('work' as const), pick: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), pick: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1, 60_000, 600_000, 3_600_000) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('pause' as const, 'go on' as const, 'crash' as const) }) },
);
const count = fc.integer({ min: 1, max: 4 });
// by itself it would make ten steps at most, and half of these lines would never be full
const history = fc.tuple(fc.array(step, { maxLength: 40, size: 'max' }), fc.record({ cap: count, interactiveCap: count }));
const holds = (rules: Rules) => fc.property(history, ([steps, caps]) => simulate(steps, caps, rules));
const isCaught = (change: Partial<Rules>) =>
  fc.check(holds({ ...RULES, ...change }), { numRuns: 5000, endOnFailure: true }).failed;

/** The product broken: its order, or its choice of the next one. */
const BROKEN: Readonly<Record<string, Partial<Rules>>> = {
  'one slot too many': { next: (line) => nextJob({ ...line, cap: line.cap + 1 }) },
  'last in first out within a priority': {
    compare: (a, b) => a.key - b.key || b.seq - a.seq || 0,
    next: (line) =>
      nextJob({ ...line, waiting: line.waiting.toSorted((a, b) => (a.priority === b.priority ? b.seq - a.seq : a.key - b.key)) }),
  },
  'lending lost': { next: (line) => nextJob({ ...line, active: line.active.map((run) => ({ ...run, isLent: false })) }) },
  'priorities upside down': { compare: (a, b) => compareWaiting(b, a) },
  'pause ignored': { next: (line) => nextJob({ ...line, isPaused: false }) },
  'interactive ones without a cap of their own': { next: (line) => nextJob({ ...line, interactiveCap: undefined }) },
  'interactive ones that stand in the way of those they wait for': {
    next: (line) =>
      nextJob({
        ...line,
        active: line.active.map((run) => ({ ...run, sessionId: run.isInteractive ? `not ${run.sessionId}` : run.sessionId })),
      }),
  },
  'no aging': { compare: (a, b) => PRIORITIES.indexOf(b.priority) - PRIORITIES.indexOf(a.priority) || a.seq - b.seq },
  'lent slots open to strangers': {
    next: (line) =>
      nextJob({
        ...line,
        active: line.active.filter(({ isLent }) => !isLent),
        waiting: line.waiting.map((job) => ({ ...job, ancestors: [] })),
      }),
  },
  'the first alone may start': { next: (line) => nextJob({ ...line, waiting: line.waiting.slice(0, 1) }) },
  'one slot kept back': { next: (line) => nextJob({ ...line, cap: line.cap - 1 }) },
};
/** What the model does in place of supervisor and recovery: broken, they show that its own checks hold, and nothing of the product. */
const BROKEN_MODEL: Readonly<Record<string, Partial<Rules>>> = {
  'no fence': { fences: false },
  'runs forgotten in a crash': { adopts: false },
  'cancelled but still in the line': { removes: false },
};

describe('the scheduler', () => {
  it(`keeps its rules through ${RUNS} random histories`, { timeout: Number.POSITIVE_INFINITY }, () => {
    fc.assert(holds(RULES), { numRuns: RUNS, ...(SEED !== undefined && { seed: SEED }) });
  });

  it('is tried with lines that are full: most histories start more sessions than there are slots', () => {
    const histories = fc.sample(history, 1000);
    const full = histories.filter(([steps, { cap }]) => steps.filter(({ kind }) => kind === 'start').length > cap);
    expect(full.length).toBeGreaterThan(600);
  });

  it.each(Object.entries(BROKEN))('that is broken is caught: %s', (_name, change) => expect(isCaught(change)).toBe(true));
  it.each(Object.entries(BROKEN_MODEL))('is seen by checks that catch a broken model: %s', (_name, change) =>
    expect(isCaught(change)).toBe(true),
  );
});

const job = (sessionId: string, more: Partial<WaitingJob> = {}): WaitingJob => ({
  sessionId,
  priority: 'medium',
  key: 0,
  seq: 1,
  taskId: sessionId,
  concurrent: false,
  ancestors: [],
  ...more,
});
const line = (more: Partial<Line>): Line => ({ waiting: [], active: [], cap: 1, now: 1000, isPaused: false, ...more });
const run = (sessionId: string, more: object = {}) => ({ sessionId, taskId: sessionId, ancestors: [], isLent: false, ...more });

describe('what a session waits for', () => {
  it.each([
    [job('a'), line({}), 'is about to start'],
    [job('a'), line({ isPaused: true }), 'waits while the line is paused'],
    [job('a', { notBefore: 2000 }), line({}), 'waits until 1970-01-01T00:00:02.000Z'],
    [job('a'), line({ startAfter: () => 2000 }), 'waits until 1970-01-01T00:00:02.000Z'],
    [job('a', { notBefore: 3000 }), line({ startAfter: () => 2000 }), 'waits until 1970-01-01T00:00:03.000Z'],
    [job('a'), line({ startAfter: ({ sessionId }) => (sessionId === 'b' ? 2000 : 1000) }), 'is about to start'],
    [
      job('a', { taskId: 't' }),
      line({ cap: 2, active: [run('b', { taskId: 't' })] }),
      'waits for session b, which works on the same task',
    ],
    [job('a', { taskId: 't', concurrent: true }), line({ cap: 2, active: [run('b', { taskId: 't' })] }), 'is about to start'],
    [job('a'), line({ active: [run('b')] }), 'waits for a slot: 1 of 1 taken'],
    [job('a'), line({ guard: 'only 10 MB of memory are free' }), 'waits: only 10 MB of memory are free'],
    [
      job('a'),
      line({ hold: () => ({ reason: 'the budget of the day is used up', isFinal: false }) }),
      'waits: the budget of the day is used up',
    ],
    [job('a', { ancestors: ['p'] }), line({ active: [run('p', { isLent: true })] }), 'is about to start'],
    [job('a'), line({ active: [run('p', { isLent: true })] }), 'waits for a slot: 0 of 1 taken'],
    [
      job('a', { isInteractive: true }),
      line({ cap: 3, interactiveCap: 1, active: [run('b', { isInteractive: true })] }),
      'waits for an interactive slot: 1 of 1 taken',
    ],
    [job('a', { isInteractive: true }), line({ interactiveCap: 0 }), 'waits for an interactive slot: 0 of 0 taken'],
    [job('a', { isInteractive: true }), line({}), 'is about to start'],
    [job('a', { isInteractive: true }), line({ cap: 2, interactiveCap: 1, active: [run('b')] }), 'is about to start'],
    [job('a'), line({ cap: 2, interactiveCap: 1, active: [run('b', { isInteractive: true })] }), 'is about to start'],
    [
      job('a', { isInteractive: true, ancestors: ['p'] }),
      line({ cap: 2, interactiveCap: 1, active: [run('p', { isInteractive: true, isLent: true })] }),
      'is about to start',
    ],
    [
      job('a', { isInteractive: true }),
      line({ cap: 3, interactiveCap: 1, active: [run('p', { isInteractive: true, isLent: true })] }),
      'waits for an interactive slot: 1 of 1 taken',
    ],
  ])('%#', (waiting, state, words) => {
    expect(holdText(holdOf(waiting, state), 0)).toBe(words);
    expect(nextJob({ ...state, waiting: [waiting] })).toBe(words === 'is about to start' ? waiting : undefined);
  });

  it('says how many are ahead', () => {
    expect(holdText(undefined, 2)).toBe('waits for its turn: 2 ahead of it');
    expect(holdText({ kind: 'slot', active: 3, cap: 3 }, 1)).toBe('waits for a slot: 3 of 3 taken and 1 ahead of it');
    expect(holdText({ kind: 'interactive', active: 1, cap: 1 }, 1)).toBe(
      'waits for an interactive slot: 1 of 1 taken and 1 ahead of it',
    );
  });
});
