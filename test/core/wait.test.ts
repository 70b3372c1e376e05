// session_wait: what ends it, what it answers, and that giving it up touches nothing.
import { describe, expect, it } from 'vitest';
import { sessionWait } from '../../tools/session-wait.ts';
import { callTool } from '../support/call-tool.ts';
import { caller, type Engine, makeEngine } from '../support/engine.ts';

const waitTool = (engine: Engine, args: object) => callTool(engine, sessionWait, args);

function ask(engine: Engine, sessionId: string, text = 'Which one?'): void {
  engine.orchestrator.ask(sessionId, { kind: 'question', text }).catch(() => undefined);
}

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

  it('ends for all when one asks, but not for what was known to be asked', async () => {
    const engine = await makeEngine();
    const ids = await three(engine);
    const [a = '', b = ''] = ids;
    const first = engine.orchestrator.wait({ sessionIds: ids, until: 'all', timeoutMs: 1000 });
    engine.run(a).end(0);
    await engine.settle();
    ask(engine, b);
    const answer = await first;
    expect(answer).toMatchObject({ timedOut: false, sessions: [{ status: 'completed' }, { status: 'waiting' }, {}] });
    const wait = { sessionIds: ids, until: 'all', after: answer.seq, timeoutMs: 1000 } as const;
    const second = engine.orchestrator.wait(wait);
    await engine.orchestrator.pin(b, { pinned: true }, 'me');
    await engine.settle();
    engine.clock.advance(1000);
    expect(await second).toMatchObject({ timedOut: true });
    const third = engine.orchestrator.wait(wait);
    ask(engine, b, 'And where?');
    expect(await third).toMatchObject({ timedOut: false, sessions: [{ id: b }] });
  });

  it('answers with every change when asked for change', async () => {
    const engine = await makeEngine();
    const [a = ''] = await three(engine);
    const waited = engine.orchestrator.wait({ sessionIds: [a], until: 'change', timeoutMs: 1000 });
    engine.run(a).say({ kind: 'started', process: { pid: 1, startedAt: '1' } });
    expect((await waited).sessions).toMatchObject([{ id: a, status: 'running' }]);
  });

  it('answers for a change with how it stands when there is nothing that could change', async () => {
    const engine = await makeEngine();
    const [a = ''] = await three(engine);
    engine.run(a).end(0);
    await engine.settle();
    const answer = await waitTool(engine, { sessionIds: [a], until: 'change' });
    expect(answer).toMatchObject({ summary: `Session ${a} is completed.`, sessions: [{ id: a, status: 'completed' }] });
    expect(await waitTool(engine, { sessionIds: [a], until: 'change', after: answer.cursor })).toMatchObject({
      summary: '1 of 1 settled; nothing has changed since.',
      sessions: [],
    });
  });

  it('says of several how many have settled and how many ask', async () => {
    const engine = await makeEngine();
    const ids = await three(engine);
    const [a = '', b = '', c = ''] = ids;
    const wait = (more: object) => waitTool(engine, { sessionIds: ids, timeoutSeconds: 0, ...more });
    expect(await wait({})).toMatchObject({ timedOut: true, summary: 'Nothing has settled yet; wait again.' });
    engine.run(a).end(0);
    await engine.settle();
    expect(await wait({ until: 'all' })).toMatchObject({
      timedOut: true,
      summary: '1 of 3 settled; nothing more happened in time.',
    });
    ask(engine, b);
    await engine.settle();
    const { cursor, ...answer } = await wait({ until: 'all' });
    expect(answer).toMatchObject({
      timedOut: false,
      summary: expect.stringMatching(/^1 of 3 settled, 1 asks\. Session /),
      next: expect.stringMatching(/^request_answer .*"requestId": ".*\.1".*; or leave it so: session_wait \{/),
    });
    expect(await wait({ until: 'all', after: cursor })).toMatchObject({
      timedOut: true,
      summary: '1 of 3 settled, 1 asks; nothing more happened in time.',
      next: `session_wait ${JSON.stringify({ sessionIds: [b, c], until: 'all', after: cursor })}`,
    });
  });

  it('repeats in `next` how it was told to wait, where that is not the usual', async () => {
    const engine = await makeEngine();
    const [a = ''] = await three(engine);
    const next = async (more: { timeoutSeconds?: number; until?: string }) => {
      const answer = waitTool(engine, { sessionIds: [a], ...more });
      await engine.settle();
      engine.clock.advance((more.timeoutSeconds ?? 25) * 1000);
      return String((await answer).next).replace(/"\d+"/, '"N"');
    };
    expect(await next({})).toBe(`session_wait {"sessionIds":["${a}"],"after":"N"}`);
    expect(await next({ until: 'any', timeoutSeconds: 25 })).toBe(`session_wait {"sessionIds":["${a}"],"after":"N"}`);
    expect(await next({ until: 'change', timeoutSeconds: 40 })).toBe(
      `session_wait {"sessionIds":["${a}"],"until":"change","after":"N","timeoutSeconds":40}`,
    );
    expect(await next({ until: 'all', timeoutSeconds: 0 })).toBe(
      `session_wait {"sessionIds":["${a}"],"until":"all","after":"N"}`,
    );
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

  it('sees what is being written, also where its time is over at once, and not what then is refused', async () => {
    let isFull = false;
    const engine = await makeEngine({
      refuse: () => {
        if (isFull) throw new Error('no');
      },
    });
    const [a = '', b = ''] = await three(engine);
    const look = async (sessionId: string) => {
      const cause = { kind: 'done' } as const;
      const write = engine.ledger
        .record({ name: 'session.completed', data: { sessionId, run: 1, cause } })
        .catch(() => 'refused');
      expect(engine.orchestrator.get(sessionId).status).toBe('completed');
      expect(engine.ledger.durable.session(sessionId)?.status).toBe('starting');
      const { timedOut, sessions } = await engine.orchestrator.wait({ sessionIds: [sessionId], until: 'any', timeoutMs: 0 });
      return { timedOut, status: sessions[0]?.status, wasRefused: (await write) === 'refused' };
    };
    expect(await look(a)).toEqual({ timedOut: false, status: 'completed', wasRefused: false });
    isFull = true;
    expect(await look(b)).toEqual({ timedOut: true, status: 'starting', wasRefused: true });
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

  it('refuses a cursor that it never gave', async () => {
    const engine = await makeEngine();
    const [a = ''] = await three(engine);
    for (const after of ['999999', 'x', '-1'])
      await expect(waitTool(engine, { sessionIds: [a], after })).rejects.toMatchObject({ code: 'CURSOR_INVALID' });
    expect(await waitTool(engine, { sessionIds: [a], after: String(engine.ledger.seq), timeoutSeconds: 0 })).toMatchObject({
      timedOut: true,
    });
  });

  it('refuses a session that is not there', async () => {
    const engine = await makeEngine();
    await expect(engine.orchestrator.wait({ sessionIds: ['nobody'], until: 'any', timeoutMs: 1 })).rejects.toMatchObject({
      code: 'SESSION_NOT_FOUND',
    });
  });
});
