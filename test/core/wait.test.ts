// session_wait: what ends it, what it answers, and that giving it up touches nothing.
import { describe, expect, it } from 'vitest';
import { caller, type Engine, makeEngine } from '../support/engine.ts';

async function three(engine: Engine): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < 3; n++) {
    const { session } = await engine.orchestrator.start(
      { taskId: 'fix-login', type: 'autonomous', queue: true, concurrent: true },
      caller,
    );
    ids.push(session.id);
  }
  await engine.settle();
  return ids;
}

describe('waiting', () => {
  it('ends when any of the sessions settles, and goes on with those that are left', async () => {
    const engine = await makeEngine();
    const [a = '', b = '', c = ''] = await three(engine);
    const first = engine.orchestrator.wait({ sessionIds: [a, b, c], until: 'any', timeoutMs: 1000 });
    engine.run(b).end(0);
    const answer = await first;
    expect(answer.timedOut).toBe(false);
    expect(answer.sessions.map(({ id, status }) => [id, status])).toEqual([
      [a, 'starting'],
      [b, 'completed'],
      [c, 'starting'],
    ]);
    const second = engine.orchestrator.wait({ sessionIds: [a, b, c], until: 'any', after: answer.seq, timeoutMs: 1000 });
    engine.run(c).end(0);
    expect((await second).sessions.map(({ id }) => id)).toEqual([c]);
  });

  it('ends for all only when the last one has settled', async () => {
    const engine = await makeEngine();
    const ids = await three(engine);
    let isDone = false;
    const waited = engine.orchestrator.wait({ sessionIds: ids, until: 'all', timeoutMs: 1000 }).finally(() => {
      isDone = true;
    });
    for (const id of ids.slice(0, 2)) engine.run(id).end(0);
    await engine.settle();
    expect(isDone).toBe(false);
    engine.run(ids[2] ?? '').end(1, { result: undefined });
    expect((await waited).sessions.map(({ status }) => status)).toEqual(['completed', 'completed', 'failed']);
  });

  it('answers with every change when asked for change', async () => {
    const engine = await makeEngine();
    const [a = ''] = await three(engine);
    const waited = engine.orchestrator.wait({ sessionIds: [a], until: 'change', timeoutMs: 1000 });
    engine.run(a).say({ kind: 'started', process: { pid: 1, startedAt: '1' } });
    expect((await waited).sessions).toMatchObject([{ id: a, status: 'running' }]);
  });

  it('answers at once when it has happened already', async () => {
    const engine = await makeEngine();
    const [a = ''] = await three(engine);
    engine.run(a).end(0);
    await engine.settle();
    expect(await engine.orchestrator.wait({ sessionIds: [a], until: 'any', timeoutMs: 1000 })).toMatchObject({
      timedOut: false,
      sessions: [{ status: 'completed' }],
    });
  });

  it('ends after its time with nothing lost', async () => {
    const engine = await makeEngine();
    const ids = await three(engine);
    const waited = engine.orchestrator.wait({ sessionIds: ids, until: 'any', after: engine.ledger.seq, timeoutMs: 25_000 });
    await engine.settle();
    engine.clock.advance(25_000);
    expect(await waited).toMatchObject({ timedOut: true, sessions: [] });
  });

  it('is given up by its caller without touching the session', async () => {
    const engine = await makeEngine();
    const [a = ''] = await three(engine);
    const caller = new AbortController();
    const waited = engine.orchestrator.wait({ sessionIds: [a], until: 'any', timeoutMs: 1000, signal: caller.signal });
    caller.abort();
    await expect(waited).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(engine.orchestrator.get(a).status).toBe('starting');
    await expect(
      engine.orchestrator.wait({ sessionIds: [a], until: 'any', timeoutMs: 1000, signal: caller.signal }),
    ).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it('refuses a session that is not there', async () => {
    const engine = await makeEngine();
    await expect(engine.orchestrator.wait({ sessionIds: ['nobody'], until: 'any', timeoutMs: 1 })).rejects.toMatchObject({
      code: 'SESSION_NOT_FOUND',
    });
  });
});
