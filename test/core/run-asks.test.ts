// Permissions that runs ask for, through the whole core: asked in the name of the session, answered into the run, given up, and taken up by a new hub.
import { expect, it } from 'vitest';
import { fail } from '../../core/errors.ts';
import type { StoredEvent } from '../../core/events.ts';
import type { SessionType } from '../../core/session.ts';
import { caller, type Engine, type EngineOptions, makeEngine } from '../support/engine.ts';

const process = { pid: 4242, startedAt: '99' };
const asks = (callId: string, command = 'npm test') => ({ kind: 'asks', callId, tool: 'Bash', input: { command } }) as const;

async function running(options: EngineOptions = {}, type: SessionType = 'autonomous') {
  const engine = await makeEngine(options);
  const { session } = await engine.orchestrator.start({ taskId: 'fix-login', type, queue: true }, caller);
  await engine.settle();
  const run = engine.run(session.id);
  run.say({ kind: 'started', process });
  return { engine, id: session.id, run };
}

const requestsOf = (engine: Engine, id: string) => engine.ledger.session(id)?.requests ?? [];
const answer = (engine: Engine, requestId: string, decision: 'allow' | 'deny', text?: string) =>
  engine.orchestrator.answer({ requestId, decision, text }, caller.by);

it('what a run asks is open until somebody answers, and the run goes on being followed', async () => {
  const { engine, id, run } = await running();
  run.say(asks('one'));
  run.say(asks('two', 'rm x'));
  run.say({ kind: 'received', promptId: 'nobody knows it' });
  await engine.settle();
  expect(engine.ledger.session(id)?.status).toBe('waiting');
  expect(requestsOf(engine, id)).toMatchObject([
    { requestId: `${id}.1`, kind: 'permission', tool: 'Bash', text: 'Bash: npm test', callId: 'one' },
    { requestId: `${id}.2`, text: 'Bash: rm x', callId: 'two' },
  ]);
  expect(run.answers).toEqual([]);
  await answer(engine, `${id}.2`, 'deny', 'Not that.');
  await answer(engine, `${id}.1`, 'allow');
  await engine.settle();
  expect(run.answers).toEqual([
    { callId: 'two', behavior: 'deny', message: 'Not that.' },
    { callId: 'one', behavior: 'allow' },
  ]);
  expect(engine.ledger.session(id)?.status).toBe('running');
  expect(engine.errors).toEqual([]);
});

it('a rule answers at once, and a denial without words has some', async () => {
  const { engine, id, run } = await running({ config: { requests: { allow: ['Bash(npm *)'] } } });
  run.say(asks('one'));
  run.say(asks('two', 'rm x'));
  await engine.settle();
  expect(run.answers).toEqual([{ callId: 'one', behavior: 'allow' }]);
  await answer(engine, `${id}.1`, 'deny');
  await engine.settle();
  expect(run.answers.at(-1)).toEqual({ callId: 'two', behavior: 'deny', message: 'The permission was denied.' });
});

it('what was interrupted is denied in the name of the session, and not answered', async () => {
  const { engine, id, run } = await running();
  run.say(asks('one'));
  run.say({ kind: 'withdrawn', callId: 'one' });
  run.say({ kind: 'withdrawn', callId: 'never asked' });
  await engine.settle();
  expect(requestsOf(engine, id)).toMatchObject([{ callId: 'one', answer: { decision: 'deny', by: `session ${id}` } }]);
  expect(engine.ledger.session(id)?.status).toBe('running');
  expect(run.answers).toEqual([]);
  expect(engine.errors).toEqual([]);
});

it('what was decided in the terminal is answered so before the run tells more, also where an earlier hub asked it', async () => {
  const by = 'a person at the terminal';
  const { engine: before, id, run } = await running({}, 'interactive');
  run.say(asks('one'));
  run.say(asks('two', 'rm x'));
  await before.settle();
  run.say({ kind: 'withdrawn', callId: 'one', decision: 'allow' });
  await before.settle();
  expect(requestsOf(before, id)).toMatchObject([{ answer: { decision: 'allow', by } }, { callId: 'two' }]);
  const next = await makeEngine({ events: structuredClone(before.events) });
  await next.settle();
  next.run(id).say({ kind: 'withdrawn', callId: 'two', decision: 'deny' });
  await next.settle();
  expect(requestsOf(next, id)).toMatchObject([{}, { answer: { decision: 'deny', by } }]);

  next.run(id).say(asks('three'));
  await next.settle();
  next.run(id).say({ kind: 'withdrawn', callId: 'three' });
  next.run(id).say({ kind: 'idle', for: 'prompt' });
  await next.settle();
  expect(next.ledger.session(id)).toMatchObject({ status: 'waiting', waitsFor: 'prompt' });
  expect([...before.errors, ...next.errors]).toEqual([]);
});

it.each([false, true])(
  'the next hub takes up what is open, also when it was answered and not handed over: %s',
  async (isAnswered) => {
    const { engine: before, id, run } = await running();
    run.say(asks('one'));
    await before.settle();
    // this hub dies before the run has the answer
    const events = structuredClone(before.events);
    if (isAnswered) {
      await answer(before, `${id}.1`, 'allow');
      events.push(...before.events.slice(events.length).filter(({ name }) => name === 'session.answered'));
    }
    const next = await makeEngine({ events });
    await next.settle();
    next.run(id).say(asks('one'));
    await next.settle();
    if (!isAnswered) {
      expect(next.run(id).answers).toEqual([]);
      await answer(next, `${id}.1`, 'allow');
      await next.settle();
    }
    expect(next.run(id).answers).toEqual([{ callId: 'one', behavior: 'allow' }]);
    expect(requestsOf(next, id)).toHaveLength(1);
  },
);

it('a run that ends or is stopped leaves nobody waiting', async () => {
  const { engine, id, run } = await running();
  run.say(asks('one'));
  await engine.settle();
  await engine.orchestrator.cancel(id, caller);
  run.say(asks('two'));
  run.say({ kind: 'withdrawn', callId: 'one' });
  run.end(130);
  await engine.settle();
  expect(engine.ledger.session(id)?.status).toBe('cancelled');
  expect(requestsOf(engine, id)).toHaveLength(1);
  expect(run.answers).toEqual([]);
  expect(engine.errors).toEqual([]);
});

it('a full disk is tried again, because the agent waits', async () => {
  let isFull = true;
  const refuse = ({ name }: StoredEvent) => {
    if (isFull && (name === 'session.waiting' || name === 'session.answered')) fail('STORAGE_FULL', 'Full.');
  };
  const { engine, id, run } = await running({ refuse });
  run.say(asks('one'));
  await engine.settle();
  expect(requestsOf(engine, id)).toEqual([]);
  expect(engine.errors).toMatchObject([{ code: 'STORAGE_FULL' }]);
  engine.clock.advance(5000);
  await engine.settle();
  expect(engine.errors).toHaveLength(2);
  isFull = false;
  engine.clock.advance(5000);
  await engine.settle();
  expect(requestsOf(engine, id)).toMatchObject([{ callId: 'one' }]);
  isFull = true;
  run.say({ kind: 'withdrawn', callId: 'one' });
  await engine.settle();
  expect(engine.errors).toHaveLength(3);
  isFull = false;
  engine.clock.advance(5000);
  await engine.settle();
  expect(requestsOf(engine, id)).toMatchObject([{ answer: { decision: 'deny' } }]);
});

it('what a run calls is worked on in its name', async () => {
  const { engine, id, run } = await running();
  const message = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
  run.say({ kind: 'calls', callId: 'one', message, isReplied: false });
  run.say(asks('two'));
  await engine.settle();
  expect(run.replies).toEqual([{ callId: 'one', message: { of: { sessionId: id, run: 1 }, message } }]);
  expect(requestsOf(engine, id)).toMatchObject([{ callId: 'two' }]);
  run.end(0);
  await engine.settle();
  expect(engine.ledger.session(id)?.status).toBe('completed');
  expect(engine.errors).toEqual([]);
});
