// How answers look in a terminal.
import { describe, expect, it } from 'vitest';
import { durationOf, linesOf, safe, tableOf, wordsOf } from '../../cli/render.ts';

describe('a table', () => {
  it('lines up its columns, leaves out empty ones and cuts at the width', () => {
    const rows = [
      { id: 'a', status: 'running', cause: { kind: 'agent_error' }, costUsd: 0.5, durationMs: 65_000 },
      { id: 'longer', status: 'done' },
    ];
    const columns = { SESSION: 'id', STATUS: 'status', WHY: 'cause.kind', EMPTY: 'nothing', TIME: 'durationMs', COST: 'costUsd' };
    expect(tableOf(rows, columns, 200).split('\n')).toEqual([
      'SESSION  STATUS   WHY          TIME   COST',
      'a        running  agent_error  1m05s  $0.5000',
      'longer   done',
    ]);
    expect(tableOf(rows, columns, 12).split('\n')).toEqual(['SESSION  CO…', 'a        $0…', 'longer']);
    expect(tableOf(rows, columns, 30).split('\n')).toEqual([
      'SESSION  STATUS   COST',
      'a        running  $0.5000',
      'longer   done',
    ]);
  });

  it('makes its widest columns narrower where the terminal is, so that the last one keeps room, and never the id', () => {
    const reason = 'waits for a slot: 4 of 4 taken by sessions that began before';
    const columns = { SESSION: 'id', PRIORITY: 'priority', QUEUED: 'queuedAt', NOTES: 'notes', WAITS: 'reason' };
    const rows = [{ id: 'write-a-greeting-k3xp', priority: 'medium', queuedAt: new Date(), notes: ['n'.repeat(40)], reason }];
    const [heading = '', row = ''] = tableOf(rows, columns, 80).split('\n');
    expect(row).toMatch(/^write-a-greeting-k3xp {2}medium .* n+… {2}waits for a s.*…$/);
    expect([row.length, heading.indexOf('WAITS')]).toEqual([80, row.indexOf('waits')]);
    const long = [{ id: `${'a-long-name-'.repeat(6)}k3xp`, priority: 'medium', reason }];
    const [, shorter = ''] = tableOf(long, columns, 80).split('\n');
    expect(shorter).toMatch(/^(a-long-name-){6}k3xp {2}w…$/);
    expect(shorter).toHaveLength(80);
    const other = [{ sessionId: 'x-k3xp', taskId: `${'a-long-name-'.repeat(6)}k3xp`, status: 'running' }];
    const both = { SESSION: 'sessionId', TASK: 'taskId', STATUS: 'status' };
    expect(tableOf(other, both, 60).split('\n')[1]).toMatch(/^x-k3xp {3}a-long-name-\S+…\S+k3xp {2}running$/);
    expect(tableOf(long, { SESSION: 'id' }, 20).split('\n')[1]).toBe(long[0]?.id);
  });

  it('shows the first that is there of several fields, and a cause with its reason', () => {
    const rows = [
      { id: 'a', reason: 'waits for a slot' },
      { id: 'b', cause: { kind: 'agent_error', reason: 'it said no' } },
      { id: 'c', cause: { kind: 'done' }, waitsFor: 'prompt' },
    ];
    expect(tableOf(rows, { SESSION: 'id', WHY: 'reason|waitsFor|cause' }, 80).split('\n')).toEqual([
      'SESSION  WHY',
      'a        waits for a slot',
      'b        agent error: it said no',
      'c        prompt',
    ]);
  });

  it('counts wide characters as two columns', () => {
    expect(
      tableOf(
        [
          { a: '🟡 x', b: 'y' },
          { a: 'abcd', b: 'z' },
        ],
        { A: 'a', B: 'b' },
        80,
      )
        .split('\n')
        .slice(1),
    ).toEqual(['🟡 x  y', 'abcd  z']);
  });
});

describe('words', () => {
  it('say times, durations and money shortly', () => {
    expect([5, 1234, 61_000, 7_500_000].map(durationOf)).toEqual(['5ms', '1.2s', '1m01s', '2h05m']);
    expect(wordsOf('startedAt', new Date(2020, 4, 6, 7, 8, 9).toISOString())).toBe('2020-05-06 07:08:09');
    expect(wordsOf('startedAt', new Date().toISOString())).toMatch(/^\d\d:\d\d:\d\d$/);
    expect(wordsOf('', ['a', 'b'])).toBe('a, b');
    expect(wordsOf('cause', { kind: 'agent_error' })).toBe('agent error');
  });

  it('show one thing as lines, without what only programs want', () => {
    expect(linesOf({ id: 'a', summary: 'no', uris: { x: 1 }, result: 'one\ntwo' })).toBe('id      a\nresult  one\n        two');
  });

  it('take out what could change the terminal', () => {
    expect(safe('a\u001b[31mred\u001b[0m\u0007\u009bb\rc\td')).toBe('aredbc\td');
  });
});

describe('what a session made', () => {
  it('is a line each: how many files, the first of them, and where its worktree is', () => {
    const files = ['a.txt', 'b.txt', 'c.txt', 'd.txt', 'e.txt', 'f.txt'];
    const worktree = { path: '/w/t', branch: 'scopecraft/s', base: 'abc' };
    expect(linesOf({ changes: { files, fileCount: 7, commitCount: 1 }, worktree })).toBe(
      'changes   7 files, 1 commit: a.txt, b.txt, c.txt, d.txt, e.txt, …\nworktree  /w/t on branch scopecraft/s',
    );
    expect(wordsOf('changes', { files: ['a'], fileCount: 1, commitCount: 0 })).toBe('1 file, 0 commits: a');
    expect(wordsOf('changes', { files: [], fileCount: 0, commitCount: 0 })).toBe('0 files, 0 commits');
  });
});

describe('what was said and asked', () => {
  it('shows what is suggested by the rule that says it', () => {
    const suggestions = [{ rule: 'decide', name: 'Decide', prompt: 'Choose\nyourself.' }];
    expect(linesOf({ suggestions })).toBe('suggestions  decide: Choose yourself.');
    expect(linesOf({ others: [{ a: 1 }] })).toBe('others  {"a":1}');
  });

  it('is a line each, with how it stands and the id to answer by', () => {
    const prompts = [
      { promptId: 'p', state: 'delivered', text: 'one\ntwo' },
      { promptId: 'q', state: 'pending', text: 'three' },
    ];
    const requests = [{ requestId: 's.1', kind: 'question', text: 'Which\u001b[2J?' }];
    expect(linesOf({ id: 's', prompts, requests })).toBe(
      'id        s\nprompts   delivered: one two\n          pending: three\nrequests  s.1: Which?',
    );
    expect(linesOf({ request: { requestId: 's.1', kind: 'question', text: 'Which?' } })).toBe('');
  });
});
