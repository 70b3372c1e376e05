// How sessions ask: the same call asks once, what is known is not asked, and who is over asks no more.
import { describe, expect, it } from 'vitest';
import { fail } from '../../core/errors.ts';
import type { Ask } from '../../core/requests.ts';
import { type Engine, makeEngine } from '../support/engine.ts';
import { ended, get, process, reborn, running, started } from './talk-rig.ts';

const question = { kind: 'question', text: 'Which one?' } as const;
const use = (command: string, callId?: string) => ({ kind: 'permission', tool: 'Bash', input: { command }, callId }) as const;

/** Asks; what comes of it may be looked at later, or never. */
function open(engine: Engine, id: string, ask: Ask, signal?: AbortSignal) {
  const answer = engine.orchestrator.ask(id, ask, signal);
  answer.catch(() => undefined);
  return answer;
}

describe('the same call sent again', () => {
  it('is the same request: at once, later, to the next hub, and after the answer', async () => {
    const old = await makeEngine();
    const id = await running(old);
    const giving = new AbortController();
    const both = [open(old, id, use('ls', 'c1'), giving.signal), open(old, id, use('ls', 'c1'))];
    await old.settle();
    giving.abort();
    await expect(both[0]).rejects.toMatchObject({ code: 'CANCELLED', message: expect.stringContaining('gave up') });
    expect(old.orchestrator.openRequests()).toHaveLength(1);
    await expect(old.orchestrator.ask(id, use('ls', 'c1'), giving.signal)).rejects.toMatchObject({ code: 'CANCELLED' });
    const engine = await reborn(old);
    const again = open(engine, id, use('ls', 'c1'));
    await engine.settle();
    expect(engine.orchestrator.openRequests()).toHaveLength(1);
    await engine.orchestrator.answer({ requestId: `${id}.1`, decision: 'allow' }, 'me');
    expect(await again).toMatchObject({ decision: 'allow' });
    expect(await engine.orchestrator.ask(id, use('ls', 'c1'))).toMatchObject({ decision: 'allow' });
    expect(get(engine, id).requests).toHaveLength(1);
  });

  it('is another request with another use behind its id, in another run, or without an id', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    open(engine, id, use('ls', 'c1'));
    await engine.settle();
    await engine.orchestrator.answer({ requestId: `${id}.1`, decision: 'allow' }, 'me');
    for (const ask of [
      use('rm -rf /', 'c1'),
      { ...use('ls', 'c1'), tool: 'Other' },
      { ...question, callId: 'c1' },
      { ...question, text: 'Why?', callId: 'c1' },
      use('ls'),
      use('ls'),
    ])
      open(engine, id, ask);
    await engine.settle();
    expect(engine.orchestrator.openRequests().map(({ requestId }) => requestId)).toEqual(
      [2, 3, 4, 5, 6, 7].map((number) => `${id}.${number}`),
    );
    await ended(engine, id);
    await engine.orchestrator.prompt({ sessionId: id, prompt: 'on', mode: 'queue', timeoutMs: 0 }, 'me');
    await engine.settle();
    engine.run(id).say({ kind: 'started', process });
    await engine.settle();
    open(engine, id, use('ls', 'c1'));
    await engine.settle();
    expect(engine.orchestrator.openRequests()).toMatchObject([{ requestId: `${id}.8`, run: 2 }]);
  });

  it('fails with the first where that could not be written, and asks anew afterwards', async () => {
    let isFull = true;
    const engine = await makeEngine({
      refuse: ({ name }) => (isFull && name === 'session.waiting' ? fail('STORAGE_FAILED', 'Broken.') : undefined),
    });
    const id = await running(engine);
    const both = await Promise.allSettled([
      engine.orchestrator.ask(id, use('ls', 'c1')),
      engine.orchestrator.ask(id, use('ls', 'c1')),
    ]);
    expect(both).toMatchObject([{ reason: { code: 'STORAGE_FAILED' } }, { reason: { code: 'STORAGE_FAILED' } }]);
    expect(get(engine, id).status).toBe('running');
    isFull = false;
    open(engine, id, use('ls', 'c1'));
    await engine.settle();
    expect(engine.orchestrator.openRequests()).toMatchObject([{ requestId: `${id}.2` }]);
  });
});

describe('a permission', () => {
  it('that a rule or an earlier answer knows is not asked for', async () => {
    const engine = await makeEngine({ config: { requests: { allow: ['Read'], deny: ['Write'] } } });
    const id = await running(engine);
    const ask = (tool: string) => engine.orchestrator.ask(id, { kind: 'permission', tool, input: { file_path: '/w/a' } });
    expect([await ask('Read'), await ask('Write')]).toMatchObject([{ decision: 'allow' }, { decision: 'deny' }]);
    const edit = ask('Edit');
    await engine.settle();
    await engine.orchestrator.answer({ requestId: `${id}.1`, decision: 'allow', remember: true }, 'me');
    await edit;
    expect(await ask('Edit')).toMatchObject({ decision: 'allow', by: 'me' });
    expect(engine.orchestrator.openRequests()).toEqual([]);
    const fresh = await reborn(engine);
    expect(await fresh.orchestrator.ask(id, { kind: 'permission', tool: 'Edit', input: {} })).toMatchObject({
      decision: 'allow',
    });
  });

  it('is shown with what the tool would do, cut where that is long, and says that it was', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    open(engine, id, { kind: 'permission', tool: 'Write', input: { file_path: '/w/a', content: 'x'.repeat(9000) } });
    open(engine, id, { kind: 'permission', tool: 'Stop', input: undefined });
    open(engine, id, { kind: 'question', text: 'y'.repeat(9000) });
    await engine.settle();
    expect(engine.orchestrator.openRequests()).toMatchObject([
      { text: 'Write: /w/a', tool: 'Write', input: expect.stringMatching(/^\{"file_path":"\/w\/a","content":"x{3000,4000}…$/) },
      { text: 'Stop: {}', tool: 'Stop', input: '{}' },
      { text: expect.stringMatching(/^y{4000}…$/) },
    ]);
  });
});

describe('a session that cannot ask', () => {
  it('is told so: it is not there, it waits in the line, it is being stopped, it has settled', async () => {
    const engine = await makeEngine({ config: { resources: { maxConcurrentSessions: 1 }, requests: { allow: ['Read'] } } });
    await expect(engine.orchestrator.ask('nobody', question)).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    const id = await running(engine);
    const queued = await started(engine);
    await expect(engine.orchestrator.ask(queued, question)).rejects.toMatchObject({ code: 'CANCELLED' });
    const asked = open(engine, id, question);
    await engine.settle();
    await engine.orchestrator.cancel(id, { by: 'me' });
    await expect(asked).rejects.toMatchObject({ code: 'CANCELLED', message: expect.stringContaining('is stopping') });
    for (const ask of [question, { kind: 'permission', tool: 'Read', input: {} } as const])
      await expect(engine.orchestrator.ask(id, ask)).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(engine.orchestrator.openRequests()).toEqual([]);
    await ended(engine, id, 143);
    await expect(engine.orchestrator.ask(id, question)).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(engine.orchestrator.openRequests()).toEqual([]);
  });

  it('is told so too when it is removed while it waits', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    const asked = open(engine, id, question);
    await engine.settle();
    engine.run(id).say({ kind: 'spoke', bytes: 1 });
    await engine.ledger.record({ name: 'session.removed', data: { sessionId: id, reason: 'age' } });
    await expect(asked).rejects.toMatchObject({ code: 'CANCELLED', message: expect.stringContaining('is gone') });
  });
});

it('what was never answered is told when its run is over, and how much was asked in all where not all is shown', async () => {
  const engine = await makeEngine();
  const id = await running(engine);
  for (const command of ['1', '2', '3', '4', '5', '6']) open(engine, id, use(command));
  await engine.settle();
  await engine.orchestrator.answer({ requestId: `${id}.6`, decision: 'deny', text: 'No.' }, 'me');
  const view = () => engine.orchestrator.view(engine.orchestrator.get(id));
  expect(view()).toMatchObject({ answered: [{ requestId: `${id}.6`, decision: 'deny' }] });
  expect(view()).not.toHaveProperty('answeredCount');
  await ended(engine, id);
  const { requests, answered, answeredCount } = view();
  expect(requests).toBeUndefined();
  expect(answered?.map(({ requestId, decision }) => `${requestId} ${decision}`)).toEqual([
    ...['2', '3', '4', '5'].map((number) => `${id}.${number} unanswered`),
    `${id}.6 deny`,
  ]);
  expect(answered?.[0]).not.toHaveProperty('expiresAt');
  expect(answeredCount).toBe(6);
});
