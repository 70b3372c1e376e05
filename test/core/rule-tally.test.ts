// What came of a rule's sessions, added up from events: each session once, people apart from sessions, kept when sessions are cleaned up.
import { describe, expect, it } from 'vitest';
import type { AgentResult, EndCause } from '../../core/ending.ts';
import type { EventDraft } from '../../core/events.ts';
import { changeOf, copyOf, emptyState, type LedgerState, restoredState, savedState, take } from '../../core/ledger-state.ts';
import { ruleStats } from '../../core/rule-stats.ts';
import { judgedEnds, tallyKey, weights } from '../../core/rule-tally.ts';
import type { UsedRule } from '../../core/used-rule.ts';
import { queuedEvent } from '../support/queued-event.ts';

const FIX = { id: 'fix', version: 'v1' };
const SECOND = 1000;

/** A state that events are added to, a second apart. */
function state() {
  const state = emptyState();
  const add = (...drafts: readonly EventDraft[]) => {
    for (const draft of drafts)
      take(state, changeOf(state, { seq: state.seq + 1, at: state.at + SECOND, node: 't/1', ...draft }));
  };
  return { state, add };
}

const queued = (sessionId: string, rule: UsedRule | undefined = FIX) => queuedEvent(sessionId, { rule });
const run = (sessionId: string, run = 1): EventDraft[] => [
  { name: 'session.starting', data: { sessionId, run, resume: false } },
  { name: 'session.started', data: { sessionId, run, process: { pid: 1, startedAt: 'x' } } },
];
const end = (sessionId: string, cause: EndCause['kind'], result?: Partial<AgentResult>): EventDraft => ({
  name:
    cause === 'done'
      ? 'session.completed'
      : cause === 'lost'
        ? 'session.lost'
        : cause === 'cancelled'
          ? 'session.cancelled'
          : 'session.failed',
  data: { sessionId, run: 1, cause: { kind: cause }, ...(result && { result: { text: 'x', isError: false, ...result } }) },
});
const prompted = (sessionId: string, by: string): EventDraft => ({
  name: 'session.prompted',
  data: { sessionId, promptId: 'p', prompt: 'more', mode: 'queue', by },
});
const reopened = (sessionId: string, by: string): EventDraft => ({
  name: 'session.reopened',
  data: { sessionId, promptId: 'q', prompt: 'more', mode: 'queue', by, orderKey: 1, resume: true },
});
const asked = (sessionId: string, requestId: string): EventDraft => ({
  name: 'session.waiting',
  data: { sessionId, run: 1, for: 'question', request: { requestId, kind: 'question', text: 'Which?' } },
});
const answered = (sessionId: string, requestId: string, by: string): EventDraft => ({
  name: 'session.answered',
  data: { sessionId, requestId, decision: 'answer', text: 'that', by },
});
const tally = ({ tallies }: LedgerState, rule = FIX) => tallies.get(tallyKey(rule));

describe('the tally of a rule', () => {
  it('counts sessions, runs and ends, with cost, time and turns of those that say something', () => {
    const { state: now, add } = state();
    add(queued('a'), ...run('a'), end('a', 'done', { costUsd: 0.5, turns: 3 }));
    add(queued('b'), ...run('b'), end('b', 'refused', { costUsd: 1.5, turns: 5 }));
    add(queued('c'), ...run('c'), end('c', 'cancelled', { costUsd: 9, turns: 9 }));
    add(queued('none'), end('none', 'cancelled'));
    expect(tally(now)).toMatchObject({
      sessions: 4,
      runs: 3,
      ends: { done: 1, refused: 1, cancelled: 2 },
      costsUsd: [0.5, 1.5],
      durationsMs: [SECOND, SECOND],
      turns: [3, 5],
    });
  });

  it('keeps versions and rules apart, and sessions without a rule out', () => {
    const { state: now, add } = state();
    add(queued('a'), queued('b', { id: 'fix', version: 'v2' }), queued('c', { id: 'other', version: 'v1' }));
    const bare = queued('d');
    if (bare.name === 'session.queued') add({ ...bare, data: { ...bare.data, rule: undefined } }, ...run('d'), end('d', 'done'));
    expect([...now.tallies.values()].map(({ id, version, sessions }) => `${id} ${version} ${sessions}`)).toEqual([
      'fix v1 1',
      'fix v2 1',
      'other v1 1',
    ]);
  });

  it('takes the first end of a session; what a continuation does is not the work of the prompt', () => {
    const { state: now, add } = state();
    add(queued('a'), ...run('a'), end('a', 'done'), reopened('a', 'me'), ...run('a', 2), end('a', 'refused'));
    expect(tally(now)).toMatchObject({ sessions: 1, runs: 2, ends: { done: 1 }, prompts: 1 });
    expect(tally(now)?.ends.refused).toBeUndefined();
  });

  it('counts a lost session that is continued as lost alone', () => {
    const { state: now, add } = state();
    add(queued('a'), ...run('a'), end('a', 'lost'), reopened('a', 'me'), ...run('a', 2), end('a', 'done'));
    expect(tally(now)?.ends).toEqual({ lost: 1 });
  });

  it('counts what people did, not what sessions and the policy did', () => {
    const { state: now, add } = state();
    add(queued('a'), ...run('a'));
    add(prompted('a', 'session parent-1'), asked('a', 'a.1'), answered('a', 'a.1', 'the policy'));
    expect(tally(now)).toMatchObject({ prompts: 0, answers: 0, touched: 0 });
    add(prompted('a', 'claude-code 2'), prompted('a', 'sc'), asked('a', 'a.2'), answered('a', 'a.2', 'sc'));
    add(queued('b'), ...run('b'), asked('b', 'b.1'), answered('b', 'b.1', 'me'), prompted('b', 'me'));
    expect(tally(now)).toMatchObject({ prompts: 3, answers: 2, touched: 2 });
  });

  it('stays when its sessions are removed, and through a snapshot', () => {
    const { state: now, add } = state();
    add(queued('a'), ...run('a'), end('a', 'done'), {
      name: 'session.removed',
      data: { sessionId: 'a', reason: 'age' },
    });
    expect(now.sessions.size).toBe(0);
    expect(tally(now)).toMatchObject({ sessions: 1, ends: { done: 1 } });
    const again = restoredState(JSON.parse(JSON.stringify(savedState(now))));
    expect(again.tallies).toEqual(now.tallies);
  });

  it('is not changed by what happens to a copy of the state', () => {
    const { state: now, add } = state();
    add(queued('a'));
    const copy = copyOf(now);
    add(queued('b'));
    expect([tally(copy)?.sessions, tally(now)?.sessions]).toEqual([1, 2]);
  });

  it('is kept of the thousand that something happened to last, with the newest fifty sessions of each', () => {
    const { state: now, add } = state();
    for (let nth = 0; nth < 1002; nth++) {
      add(queued(`s${nth}`, { id: 'r', version: String(nth) }));
      add(...run('s0', nth + 1).slice(0, 1));
    }
    expect(now.tallies.size).toBe(1000);
    expect(['0', '1', '2', '3'].map((version) => now.tallies.has(tallyKey({ id: 'r', version })))).toEqual([
      true,
      false,
      false,
      true,
    ]);
    for (let nth = 0; nth < 60; nth++) add(queued(`t${nth}`), ...run(`t${nth}`), end(`t${nth}`, 'done', { turns: nth }));
    expect(tally(now)?.turns).toEqual(Array.from({ length: 50 }, (_, nth) => nth + 10));
  });

  it('lets successes and failures fade by half in thirty days, and its counts not', () => {
    const { state: now, add } = state();
    add(queued('a'), ...run('a'), end('a', 'done'), queued('b'), ...run('b'), end('b', 'timeout'));
    const found = tally(now) ?? fails();
    const { good, bad } = weights(found, now.at + 30 * 86_400_000);
    expect([good, bad].map((weight) => Math.round(weight * 100) / 100)).toEqual([0.5, 0.5]);
    expect(judgedEnds(found)).toEqual({ good: 1, of: 2 });
  });
});

describe('the statistics of a rule', () => {
  it('come with how many they are told from and how far off they may be', () => {
    const { state: now, add } = state();
    for (let nth = 0; nth < 10; nth++)
      add(queued(`s${nth}`), ...run(`s${nth}`), end(`s${nth}`, nth < 8 ? 'done' : 'schema_mismatch', { costUsd: nth }));
    add(queued('x'), end('x', 'cancelled'));
    expect(ruleStats(tally(now) ?? fails(), 0.75)).toMatchObject({
      rule: 'fix',
      version: 'v1',
      sessions: 11,
      success: { count: 8, of: 10, low: 0.4902, high: 0.9433 },
      ends: { done: 8, schema_mismatch: 2, cancelled: 1 },
      costUsd: { median: 4.5, low: 2.25, high: 6.75, of: 10 },
      interventions: { prompts: 0, answers: 0, sessions: { count: 0, of: 11 } },
      learned: 0.75,
    });
  });

  it('leave out what is not known', () => {
    const { state: now, add } = state();
    add(queued('a'));
    const stats = ruleStats(tally(now) ?? fails(), undefined);
    expect([stats.success, stats.costUsd, stats.turns, stats.learned]).toEqual([undefined, undefined, undefined, undefined]);
  });
});

function fails(): never {
  throw new Error('There is no tally.');
}
