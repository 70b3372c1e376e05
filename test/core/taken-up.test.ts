// What a new hub takes up from a journal or a snapshot alone: its sessions are gone on with, asked and shown.
import { describe, expect, it } from 'vitest';
import { parseEvent, type StoredEvent } from '../../core/events.ts';
import type { SavedState, Snapshot } from '../../core/ports.ts';
import { makeEngine } from '../support/engine.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { begunWith, ended, FIRST, get, process, prompt, states } from './talk-rig.ts';

const at = Date.parse('2025-12-01T00:00:00Z');
const WORK = {
  type: 'autonomous',
  taskId: 'fix-login',
  taskTitle: 'Title',
  agent: 'demo',
  cwd: '/w',
  priority: 'medium',
  prompt: FIRST,
  by: 'somebody',
} as const;
const queued = (sessionId: string, more: object = {}) => ({
  name: 'session.queued',
  data: {
    sessionId,
    ...WORK,
    position: 1,
    ...more,
  },
});
const journal = (drafts: readonly object[]): StoredEvent[] =>
  drafts.map((draft, index) =>
    parseEvent(JSON.parse(JSON.stringify({ seq: index + 1, at: at + index, node: 'old/1', ...draft }))),
  );
const LIFE = (id: string, status: 'completed' | 'failed' | 'cancelled' | 'lost') => [
  queued(id, { concurrent: true }),
  { name: 'session.starting', data: { sessionId: id, run: 1, conversationId: `of ${id}`, resume: false } },
  { name: 'session.started', data: { sessionId: id, run: 1, process } },
  {
    name: `session.${status}`,
    data: { sessionId: id, run: 1, cause: { kind: 'done' }, result: { text: 'ok', isError: false, costUsd: 1 } },
  },
];

describe('a journal', () => {
  it('is read, also with a prompt that has no receipt, and its sessions are gone on with, asked and shown', async () => {
    const events = journal([
      ...LIFE('done', 'completed'),
      ...LIFE('running', 'lost').slice(0, 3),
      { name: 'session.stopping', data: { sessionId: 'running', cause: { kind: 'cancelled', by: 'me' } } },
      queued('waiting', { concurrent: true }),
      { name: 'session.prompted', data: { sessionId: 'waiting', prompt: 'an old one', by: 'me' } },
    ]);
    const engine = await makeEngine({ events, clock: fakeClock(at + 1000) });
    await engine.settle();
    expect(get(engine, 'waiting').status).toBe('starting');
    for (const id of ['done', 'running', 'waiting'])
      expect(engine.orchestrator.view(get(engine, id))).not.toHaveProperty('prompts');
    for (const id of ['done', 'running', 'waiting']) expect(engine.orchestrator.view(get(engine, id)).rule).toBeUndefined();
    expect(get(engine, 'waiting').customPrompts).toEqual(['an old one']);
    expect(engine.orchestrator.openRequests()).toEqual([]);
    await ended(engine, 'running', 143);
    expect(get(engine, 'running').status).toBe('cancelled');
    await prompt(engine, 'done', 'more');
    await engine.settle();
    expect(engine.run('done').spec).toMatchObject({
      run: 2,
      resume: true,
      conversationId: 'of done',
      messages: [{ text: 'more' }],
    });
    engine.run('done').say({ kind: 'started', process });
    await engine.settle();
    engine.orchestrator.ask('done', { kind: 'question', text: 'Which?' }).catch(() => undefined);
    await engine.settle();
    expect(engine.orchestrator.openRequests()).toMatchObject([{ requestId: 'done.1' }]);
    expect(engine.errors).toEqual([]);
  });

  it('of a hub that died between the end of a session and what was to be said of its prompts reads as if it had said it', async () => {
    const said = (promptId: string) => ({
      name: 'session.prompted',
      data: { sessionId: 's', promptId, prompt: promptId, by: 'me', mode: 'queue' },
    });
    const [first, ...life] = LIFE('s', 'completed');
    const drafts = [
      first ?? {},
      said('p1'),
      said('p2'),
      ...life,
      { name: 'session.undelivered', data: { sessionId: 's', promptId: 'p1', reason: 'old words' } },
    ];
    const engine = await makeEngine({ events: journal(drafts), clock: fakeClock(at + 1000) });
    expect(states(engine, 's')).toEqual(['p1: failed', 'p2: failed']);
    await prompt(engine, 's', 'more');
    await engine.settle();
    expect(begunWith(engine, 's')).toEqual(['more']);
  });
});

describe('a snapshot', () => {
  const bare = {
    ...WORK,
    customPrompts: ['an old one'],
    orderKey: at,
    orderSeq: 1,
    queuedAt: at,
    createdSeq: 1,
    queuedSeq: 1,
    seq: 1,
    history: [],
    concurrent: true,
  } as const;
  const sessions: SavedState['sessions'] = [
    {
      ...bare,
      id: 'done',
      status: 'completed',
      run: 1,
      conversationId: 'c',
      startedAt: at,
      runStartedAt: at,
      settledAt: at,
      cause: { kind: 'done' },
    },
    { ...bare, id: 'live', status: 'running', run: 1, conversationId: 'd', startedAt: at, runStartedAt: at, process },
    { ...bare, id: 'next', status: 'queued', run: 0 },
  ];
  const snapshot: Snapshot = {
    load: async () => ({ seq: 9, at, sessions, keys: [], rules: [], isPaused: false, overrides: {} }),
    save: async () => 1,
  };

  it('is taken up, and its sessions take prompts and ask', async () => {
    const engine = await makeEngine({ snapshot, clock: fakeClock(at + 1000) });
    await engine.settle();
    for (const id of ['done', 'live', 'next']) await prompt(engine, id, `more for ${id}`);
    await engine.settle();
    expect(engine.run('live').messages).toMatchObject([{ text: 'more for live' }]);
    expect(begunWith(engine, 'done')).toEqual(['more for done']);
    expect([...(begunWith(engine, 'next') ?? []), ...engine.run('next').messages.map(({ text }) => text)]).toEqual([
      FIRST,
      'more for next',
    ]);
    expect(get(engine, 'done').customPrompts).toEqual(['an old one', 'more for done']);
    engine.orchestrator.ask('live', { kind: 'question', text: 'Which?' }).catch(() => undefined);
    await engine.settle();
    expect(get(engine, 'live')).toMatchObject({ status: 'waiting', waitsFor: 'question' });
    await ended(engine, 'live');
    await ended(engine, 'done');
    expect(engine.errors).toEqual([]);
  });
});
