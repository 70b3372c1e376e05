// Moments in which two things happen at once: stops while a session begins or ends, starts side by side, writes that are refused.
import { describe, expect, it } from 'vitest';
import { budgetHolds } from '../../core/budget.ts';
import { fail } from '../../core/errors.ts';
import type { StoredEvent } from '../../core/events.ts';
import { caller, type Engine, makeEngine } from '../support/engine.ts';

const process = { pid: 4242, startedAt: '99' };
const request = { type: 'autonomous', queue: true, prompt: 'x' } as const;
const limited = { text: 'limit', isError: true, errorKind: 'rate_limited' as const };

async function running(engine: Engine, sessionId?: string): Promise<string> {
  const { session } = await engine.orchestrator.start(request, { ...caller, sessionId });
  await engine.settle();
  engine.run(session.id).say({ kind: 'started', process });
  await engine.settle();
  return session.id;
}
const get = (engine: Engine, id: string) => engine.orchestrator.get(id);

describe('a stop', () => {
  it('while the end of a run is being judged counts, whichever way the run ended', async () => {
    for (const end of [{ result: limited }, { result: { text: 'ok', isError: false } }]) {
      const engine = await makeEngine();
      const id = await running(engine);
      engine.run(id).end(0, end);
      const cancelled = engine.orchestrator.cancel(id, { by: 'me' });
      await engine.settle();
      await cancelled;
      expect(engine.errors).toEqual([]);
      expect(['cancelled', 'completed']).toContain(get(engine, id).status);
    }
  });

  it('between admission and the intent keeps the session from ever starting', async () => {
    let cancelled: Promise<unknown> | undefined;
    const engine = await makeEngine({
      beforeStart: () => {
        const [session] = engine.ledger.sessions();
        cancelled ??= session && engine.orchestrator.cancel(session.id, { by: 'me' });
      },
    });
    const { session } = await engine.orchestrator.start(request, caller);
    await engine.settle();
    await cancelled;
    expect(get(engine, session.id)).toMatchObject({ status: 'cancelled', run: 0, cause: { by: 'me' } });
    expect(engine.runs.size).toBe(0);
    expect(engine.errors).toEqual([]);
  });

  it('while the disk refuses the start that it is for finds nothing left to stop', async () => {
    let cancelled: Promise<unknown> | undefined;
    const refuse = (event: StoredEvent) => {
      if (event.name !== 'session.queued') return;
      cancelled = engine.orchestrator.cancel(event.data.sessionId, { by: 'me' }).catch((error: unknown) => error);
      fail('STORAGE_FULL', 'Full.');
    };
    const engine = await makeEngine({ refuse });
    await expect(engine.orchestrator.start(request, caller)).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    await engine.settle();
    const outcome = await cancelled;
    expect(outcome).not.toMatchObject({ code: 'INTERNAL' });
    expect([...engine.ledger.sessions()]).toEqual([]);
    expect(engine.queue.line()).toMatchObject({ waiting: [], active: [] });
    expect(engine.errors).toEqual([]);
  });

  it('while a retry is put into the line ends it there', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    let cancelled: Promise<unknown> | undefined;
    engine.ledger.subscribe((event) => {
      if (event.name === 'session.requeued') cancelled = engine.orchestrator.cancel(id, { by: 'me' });
    });
    engine.run(id).end(1, { result: limited });
    await engine.settle();
    await cancelled;
    engine.clock.advance(60_000);
    await engine.settle();
    expect(get(engine, id)).toMatchObject({ status: 'cancelled', run: 1 });
  });

  it('on a full disk takes the run down, and it ends as cancelled when there is space', async () => {
    let isFull = false;
    const refuse = (event: StoredEvent) => {
      if (isFull && event.name === 'session.stopping') fail('STORAGE_FULL', 'Full.');
    };
    const engine = await makeEngine({ refuse });
    const id = await running(engine);
    isFull = true;
    const cancelled = engine.orchestrator.cancel(id, { by: 'me' });
    await engine.settle();
    engine.clock.advance(2000);
    await cancelled;
    expect(engine.run(id).stops).toEqual([{ kind: 'cancelled', by: 'me' }]);
    isFull = false;
    engine.run(id).end(1, { result: limited });
    await engine.settle();
    expect(get(engine, id)).toMatchObject({ status: 'cancelled', cause: { by: 'me' } });
  });

  it('of a waiting session that cannot be written leaves it in the line', async () => {
    let isBroken = false;
    const refuse = () => {
      if (isBroken) fail('STORAGE_FAILED', 'Broken.');
    };
    const engine = await makeEngine({ config: { resources: { maxConcurrentSessions: 1 } }, refuse });
    await running(engine);
    const { session } = await engine.orchestrator.start(request, caller);
    isBroken = true;
    await expect(engine.orchestrator.cancel(session.id, { by: 'me' })).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    await expect(engine.orchestrator.move(session.id, { place: 1 }, 'me')).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    isBroken = false;
    expect(engine.queue.line().waiting.map(({ sessionId }) => sessionId)).toEqual([session.id]);
    expect((await engine.orchestrator.cancel(session.id, { by: 'me' })).status).toBe('cancelled');
  });
});

describe('a run that cannot be started', () => {
  it('because the system throws where it should answer fails alone, and the next one has its slot', async () => {
    let isBroken = true;
    const start = () => {
      if (isBroken) throw new TypeError('The argument must be a string without null bytes.');
    };
    const engine = await makeEngine({ config: { resources: { maxConcurrentSessions: 1 } }, start });
    const { session } = await engine.orchestrator.start(request, caller);
    await engine.settle();
    expect(get(engine, session.id)).toMatchObject({
      status: 'failed',
      run: 1,
      cause: { kind: 'spawn_failed', reason: 'it could not be started; the log of the hub says why' },
    });
    expect(engine.errors).toEqual([expect.any(TypeError)]);
    isBroken = false;
    const id = await running(engine);
    expect(get(engine, id).status).toBe('running');
  });

  it('after a restart, because it was fenced and the disk is full, waits in the line and starts when there is space', async () => {
    const before = await makeEngine();
    const { session } = await before.orchestrator.start(request, caller);
    await before.settle();
    expect(get(before, session.id)).toMatchObject({ status: 'starting', run: 1 });
    let isFull = true;
    const refuse = (event: StoredEvent) => {
      if (isFull && event.name === 'session.starting') fail('STORAGE_FULL', 'Full.');
    };
    const engine = await makeEngine({ events: before.events, found: () => false, refuse, guard: 'Full.' });
    await engine.settle();
    expect(engine.queue.line()).toMatchObject({ waiting: [{ sessionId: session.id }], active: [] });
    expect(get(engine, session.id)).toMatchObject({ status: 'starting', run: 1 });
    isFull = false;
    engine.settings.guard = undefined;
    engine.queue.admit();
    await engine.settle();
    engine.run(session.id).say({ kind: 'started', process });
    await engine.settle();
    expect(get(engine, session.id)).toMatchObject({ status: 'running', run: 2 });
    expect(engine.errors).toEqual([]);
  });
});

describe('a budget', () => {
  it('is counted once for a look at the line, however many wait in it', async () => {
    const engine = await makeEngine();
    const root = await running(engine);
    let passes = 0;
    const ledger = {
      ...engine.ledger,
      sessions() {
        passes++;
        return engine.ledger.sessions();
      },
    };
    const hold = budgetHolds(ledger, { maxCostPerTree: 1, maxCostPerDay: 1, maxCostPerSession: 0 }, engine.clock.now());
    for (let job = 0; job < 10_000; job++) expect(hold?.({ sessionId: `s-${job}`, ancestors: [root] })).toBeUndefined();
    expect(passes).toBe(2);
  });
});

describe('a retry', () => {
  it('after a long pause has its whole time again', async () => {
    const engine = await makeEngine({
      config: { resources: { sessionTimeoutMs: 3_600_000, idleTimeoutMs: 0, startTimeoutMs: 0 } },
    });
    const id = await running(engine);
    const resetsAt = new Date(engine.clock.now() + 5 * 3_600_000).toISOString();
    engine.run(id).end(1, { result: { ...limited, resetsAt } });
    await engine.settle();
    engine.clock.advance(5 * 3_600_000 + 5000);
    await engine.settle();
    engine.run(id).say({ kind: 'started', process });
    await engine.settle();
    engine.clock.advance(3_500_000);
    await engine.settle();
    expect(get(engine, id)).toMatchObject({ status: 'running', run: 2 });
    expect(engine.run(id).stops).toEqual([]);
  });
});

describe('a parent', () => {
  it('cannot pass its limits by starting many sessions at once', async () => {
    const engine = await makeEngine({ config: { delegation: { maxChildren: 3 }, resources: { maxConcurrentSessions: 9 } } });
    const root = await running(engine);
    const starts = Array.from({ length: 8 }, () => engine.orchestrator.start(request, { ...caller, sessionId: root }));
    const outcomes = await Promise.allSettled(starts);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
  });

  it('that is being stopped starts nothing more', async () => {
    const engine = await makeEngine();
    const root = await running(engine);
    await engine.orchestrator.cancel(root, { by: 'me' });
    const started = engine.orchestrator.start(request, { ...caller, sessionId: root });
    await expect(started).rejects.toMatchObject({ code: 'DEPTH_EXCEEDED', message: expect.stringContaining('is stopping') });
  });

  it('that has settled leaves its queued children to wait for the machine', async () => {
    const engine = await makeEngine({ config: { resources: { maxConcurrentSessions: 1 } } });
    const root = await running(engine);
    const { session } = await engine.orchestrator.start(request, { ...caller, sessionId: root });
    engine.settings.guard = 'only 10 MB of memory are free';
    engine.run(root).end(0);
    await engine.settle();
    engine.clock.advance(5000);
    await engine.settle();
    expect(get(engine, session.id).status).toBe('queued');
  });
});

describe('a start', () => {
  it('whose write is refused leaves nothing in the line, and its key can be used again', async () => {
    let isFull = true;
    const refuse = (event: StoredEvent) => {
      if (isFull && event.name === 'session.queued') fail('STORAGE_FAILED', 'Broken.');
    };
    const engine = await makeEngine({ refuse });
    const refused = engine.orchestrator.start({ ...request, requestKey: 'k' }, caller);
    await expect(refused).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    await engine.settle();
    expect(engine.queue.line().waiting).toEqual([]);
    expect([...engine.ledger.sessions()]).toEqual([]);
    isFull = false;
    expect((await engine.orchestrator.start({ ...request, requestKey: 'k' }, caller)).session.status).not.toBe('failed');
    expect(engine.errors).toEqual([]);
  });
});
