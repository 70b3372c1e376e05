// What a session may see and do: it reads itself and what came of it, and acts on what came of it alone.
import { beforeEach, describe, expect, it } from 'vitest';
import type { Orchestrator } from '../../core/orchestrator.ts';
import { scopedTo } from '../../core/scope.ts';
import { type Engine, makeEngine } from '../support/engine.ts';
import { ended, get, prompt, running } from './talk-rig.ts';

const terminal = { command: ['tmux', 'attach'], socket: '/s', session: 'x', pane: '%1', attached: 1 };
const by = { by: 'it' };

let engine: Engine;
let ids: Record<'above' | 'self' | 'child' | 'grandchild' | 'sibling' | 'stranger', string>;
let scoped: Orchestrator;

beforeEach(async () => {
  engine = await makeEngine({
    config: { resources: { maxConcurrentSessions: 9 }, delegation: { maxDepth: 5 } },
    terminals: { find: async () => terminal, detach: async () => 2 },
  });
  const above = await running(engine);
  const self = await running(engine, {}, above);
  const child = await running(engine, { type: 'interactive' }, self);
  const grandchild = await running(engine, {}, child);
  const sibling = await running(engine, {}, above);
  const stranger = await running(engine);
  ids = { above, self, child, grandchild, sibling, stranger };
  scoped = scopedTo(engine.orchestrator, self);
  for (const id of Object.values(ids)) engine.orchestrator.ask(id, { kind: 'question', text: 'May I?' }).catch(() => undefined);
  await engine.settle();
});

const READS: readonly (readonly [string, (id: string) => unknown])[] = [
  ['gets', (id) => scoped.get(id)],
  ['waits for', (id) => scoped.wait({ sessionIds: [id], until: 'any', timeoutMs: 0 })],
  ['reads the log of', (id) => scoped.log(id, { limit: 1, characters: 1 })],
];
const DEEDS: readonly (readonly [string, (id: string) => unknown])[] = [
  ['cancels', (id) => scoped.cancel(id, by)],
  ['prompts', (id) => scoped.prompt({ sessionId: id, prompt: 'x', mode: 'interrupt', timeoutMs: 0 }, 'it')],
  ['answers', (id) => scoped.answer({ requestId: `${id}.1`, decision: 'answer', text: 'yes' }, 'it')],
];
const TERMINAL: readonly (readonly [string, (id: string) => unknown])[] = [
  ['looks for the terminal of', (id) => scoped.terminal(id)],
  ['detaches', (id) => scoped.detach(id)],
];
const outside = expect.objectContaining({ code: 'OUTSIDE_TREE' });
const trying = async (deed: (id: string) => unknown, id: string) => deed(id);

describe('a session', () => {
  it.each(READS)('%s itself and what came of it, and nobody else', async (_name, read) => {
    for (const who of ['self', 'child', 'grandchild'] as const) await trying(read, ids[who]);
    for (const who of ['above', 'sibling', 'stranger'] as const) await expect(trying(read, ids[who])).rejects.toEqual(outside);
  });

  it.each(DEEDS)('%s what came of it, and neither itself nor anybody else', async (_name, deed) => {
    const before = engine.events.length;
    for (const who of ['self', 'above', 'sibling', 'stranger'] as const)
      await expect(trying(deed, ids[who])).rejects.toEqual(outside);
    expect(engine.events).toHaveLength(before);
    for (const who of ['grandchild', 'child'] as const) await trying(deed, ids[who]);
    expect(engine.events.length).toBeGreaterThan(before);
  });

  it.each(TERMINAL)('%s what came of it alone', async (_name, deed) => {
    expect(await trying(deed, ids.child)).toBeTruthy();
    for (const who of ['self', 'above', 'sibling', 'stranger'] as const)
      await expect(trying(deed, ids[who])).rejects.toEqual(outside);
  });

  it('lists what it may see, and no more', async () => {
    const { self, child, grandchild } = ids;
    expect(scoped.list({}).map(({ id }) => id)).toEqual([grandchild, child, self]);
    expect(scoped.openRequests().map(({ sessionId }) => sessionId)).toEqual([self, child, grandchild]);
    expect(scoped.openRequests(ids.stranger)).toEqual([]);
  });

  it('asks for itself alone, and cannot answer by way of what came of it', async () => {
    const { self, child, grandchild } = ids;
    const question = { kind: 'question', text: 'And now?' } as const;
    for (const id of [child, ids.above]) await expect(scoped.ask(id, question)).rejects.toEqual(outside);
    const asked = scoped.ask(self, question);
    await engine.settle();
    const answer = { requestId: `${self}.2`, decision: 'answer', text: 'yes' } as const;
    for (const one of [scoped, scopedTo(engine.orchestrator, child), scopedTo(engine.orchestrator, grandchild)])
      await expect(one.answer(answer, 'it')).rejects.toEqual(outside);
    await scopedTo(engine.orchestrator, ids.above).answer(answer, 'above');
    expect(await asked).toMatchObject({ decision: 'answer', by: 'above' });
  });

  it('is told of what is not there as everybody is', async () => {
    expect(() => scoped.get('nobody')).toThrow(expect.objectContaining({ code: 'SESSION_NOT_FOUND' }));
    const near = (id: string) => `${id.slice(0, -1)}${id.endsWith('x') ? 'y' : 'x'}`;
    for (const [id, isNamed] of [
      [ids.child, true],
      [ids.stranger, false],
      [ids.above, false],
    ] as const)
      for (const given of [near(id), `session://${id}/log`, `${id}.1`]) {
        const told = isNamed ? `Did you mean "${id}"` : `There is no session "${given}".`;
        expect(() => scoped.get(given)).toThrow(told);
        await expect(scoped.cancel(given, by)).rejects.toThrow(told);
        await expect(engine.orchestrator.cancel(given, by)).rejects.toThrow(`Did you mean "${id}"`);
      }
    await expect(scoped.answer({ requestId: 'nobody.1', decision: 'deny' }, 'it')).rejects.toMatchObject({
      code: 'REQUEST_NOT_FOUND',
    });
  });

  it('opens again what came of it and has settled', async () => {
    await ended(engine, ids.grandchild);
    await prompt({ ...engine, orchestrator: scoped }, ids.grandchild, 'more');
    await engine.settle();
    expect(get(engine, ids.grandchild)).toMatchObject({ run: 2, parentId: ids.child });
  });
});

describe('a terminal', () => {
  it('is where an interactive session runs', async () => {
    expect(await engine.orchestrator.terminal(ids.child)).toEqual(terminal);
    expect(await engine.orchestrator.detach(ids.child)).toBe(2);
  });

  it('is missed where a session is none, is autonomous, or has none any more', async () => {
    const { orchestrator } = await makeEngine();
    await expect(orchestrator.terminal('nobody')).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    await expect(engine.orchestrator.detach(ids.self)).rejects.toMatchObject({
      code: 'TERMINAL_MISSING',
      message: expect.stringContaining('is autonomous'),
    });
    const other = await makeEngine();
    const id = await running(other, { type: 'interactive' });
    await ended(other, id);
    for (const gone of [other.orchestrator.terminal(id), other.orchestrator.detach(id)])
      await expect(gone).rejects.toMatchObject({ code: 'TERMINAL_MISSING', message: expect.stringContaining('is completed') });
  });
});
