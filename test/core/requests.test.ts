// What sessions ask, and who answers: asked once, answered once, by somebody, by a rule or by the policy; over with the run.
import { describe, expect, it } from 'vitest';
import { fail } from '../../core/errors.ts';
import type { Ask } from '../../core/requests.ts';
import { type Engine, makeEngine } from '../support/engine.ts';
import { ended, get, process, reborn, running, started } from './talk-rig.ts';

const question = { kind: 'question', text: 'Which one?' } as const;
const use = (command: string, callId?: string) => ({ kind: 'permission', tool: 'Bash', input: { command }, callId }) as const;
const TEN_MINUTES = 600_000;

/** Asks; what comes of it may be looked at later, or never. */
function open(engine: Engine, id: string, ask: Ask, signal?: AbortSignal) {
  const answer = engine.orchestrator.ask(id, ask, signal);
  answer.catch(() => undefined);
  return answer;
}
const answered = (engine: Engine) => engine.events.filter(({ name }) => name === 'session.answered').length;

describe('a question', () => {
  it('makes its session wait until somebody answers', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    const answer = open(engine, id, { ...question, options: ['a', 'b'], callId: 'c1' });
    await engine.settle();
    engine.run(id).say({ kind: 'spoke', bytes: 7 });
    await engine.settle();
    const view = engine.orchestrator.view(get(engine, id));
    expect(view).toMatchObject({
      status: 'waiting',
      waitsFor: 'question',
      summary: `Session ${id} is waiting: it asks for an answer.`,
      requests: [
        { requestId: `${id}.1`, kind: 'question', text: 'Which one?', options: ['a', 'b'], expiresAt: expect.any(String) },
      ],
      next: `request_answer { "requestId": "${id}.1", "decision": "answer", "text": "…" }`,
    });
    expect(engine.orchestrator.openRequests()).toMatchObject([{ requestId: `${id}.1`, sessionId: id }]);
    const request = await engine.orchestrator.answer({ requestId: `${id}.1`, decision: 'answer', text: 'a' }, 'me');
    expect(request).toMatchObject({ sessionId: id, answer: { decision: 'answer', text: 'a', by: 'me' } });
    expect(await answer).toMatchObject({ decision: 'answer', text: 'a', by: 'me' });
    expect(get(engine, id)).toMatchObject({ status: 'running', waitsFor: undefined });
    expect(engine.orchestrator.openRequests()).toEqual([]);
    expect(engine.orchestrator.view(get(engine, id)).answered).toMatchObject([
      { decision: 'answer', answer: 'a', answeredBy: 'me' },
    ]);
    expect(
      get(engine, id)
        .history.slice(-2)
        .map(({ text }) => text),
    ).toEqual(['Session asks: Which one?', 'Answered by me: answer, "a"']);
  });

  it('is listed when it is on disk, and not before', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    open(engine, id, question);
    expect(get(engine, id).status).toBe('waiting');
    expect(engine.orchestrator.openRequests(id)).toEqual([]);
    await engine.settle();
    expect(engine.orchestrator.openRequests(id)).toMatchObject([{ requestId: `${id}.1` }]);
  });

  it('that comes before the start of the run was seen leaves it waiting, with its process known', async () => {
    const engine = await makeEngine();
    const id = await started(engine);
    const answer = open(engine, id, question);
    await engine.settle();
    engine.run(id).say({ kind: 'started', process });
    await engine.settle();
    expect(get(engine, id)).toMatchObject({
      status: 'waiting',
      process,
      startedAt: expect.any(Number),
      runStartedAt: expect.any(Number),
    });
    await engine.orchestrator.answer({ requestId: `${id}.1`, decision: 'answer', text: 'a' }, 'me');
    await answer;
    engine.run(id).say({ kind: 'started', process });
    await engine.settle();
    expect(engine.events.filter(({ name }) => name === 'session.started')).toHaveLength(1);
    expect(get(engine, id).status).toBe('running');
  });

  it('beside others goes on waiting for those that are left, and says for what', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    const answers = [open(engine, id, use('ls')), open(engine, id, question)];
    await engine.settle();
    expect(engine.orchestrator.view(get(engine, id)).summary).toContain('it asks for an answer, and 1 more');
    await engine.orchestrator.answer({ requestId: `${id}.2`, decision: 'deny' }, 'me');
    expect(engine.orchestrator.view(get(engine, id))).toMatchObject({
      status: 'waiting',
      waitsFor: 'permission',
      summary: expect.stringContaining('it asks for a permission.'),
      next: expect.stringContaining('"decision": "allow or deny" }'),
    });
    await engine.orchestrator.answer({ requestId: `${id}.1`, decision: 'allow' }, 'me');
    expect(get(engine, id).status).toBe('running');
    expect((await Promise.all(answers)).map(({ decision }) => decision)).toEqual(['allow', 'deny']);
  });

  it('is not taken for idling, nor its answer for work', async () => {
    const engine = await makeEngine();
    const id = await running(engine, { type: 'interactive' });
    open(engine, id, question);
    await engine.settle();
    engine.run(id).say({ kind: 'idle', for: 'permission' });
    engine.run(id).say({ kind: 'works' });
    await engine.settle();
    expect(get(engine, id)).toMatchObject({ status: 'waiting', waitsFor: 'question' });
  });
});

describe('an answer', () => {
  it.each([
    [use('ls'), { decision: 'answer', text: 'yes' }, 'its decision is "allow" or "deny"'],
    [question, { decision: 'allow' }, 'its decision is "answer"'],
    [question, { decision: 'answer' }, 'give the answer in `text`'],
    [question, { decision: 'answer', text: ' ' }, 'give the answer in `text`'],
  ] as const)('%# of the wrong kind is refused', async (ask, answer, message) => {
    const engine = await makeEngine();
    const id = await running(engine);
    open(engine, id, ask);
    await engine.settle();
    const wrong = engine.orchestrator.answer({ requestId: `${id}.1`, ...answer }, 'me');
    await expect(wrong).rejects.toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining(message) });
    expect(answered(engine)).toBe(0);
  });

  it('comes once: of two at once one is told that it was too late', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    const asked = open(engine, id, use('ls'));
    await engine.settle();
    const both = await Promise.allSettled(
      (['allow', 'deny'] as const).map((decision) => engine.orchestrator.answer({ requestId: `${id}.1`, decision }, decision)),
    );
    expect(both).toMatchObject([
      { status: 'fulfilled' },
      {
        status: 'rejected',
        reason: { code: 'REQUEST_ANSWERED', message: expect.stringContaining('answered already: allow, by allow') },
      },
    ]);
    expect(await asked).toMatchObject({ decision: 'allow', by: 'allow' });
    expect(answered(engine)).toBe(1);
  });

  it.each(['nobody', 'nobody.1', '.', ''])('to "%s" is refused: there is no such request', async (requestId) => {
    const engine = await makeEngine();
    await running(engine);
    await expect(engine.orchestrator.answer({ requestId, decision: 'deny' }, 'me')).rejects.toMatchObject({
      code: 'REQUEST_NOT_FOUND',
    });
    expect(() => engine.orchestrator.request(requestId)).toThrow(expect.objectContaining({ code: 'REQUEST_NOT_FOUND' }));
  });

  it('to a run that is over is refused, and what asked is told', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    const asked = open(engine, id, question);
    await engine.settle();
    await ended(engine, id);
    await expect(asked).rejects.toMatchObject({ code: 'CANCELLED', message: expect.stringContaining('is completed') });
    const late = () => engine.orchestrator.answer({ requestId: `${id}.1`, decision: 'deny' }, 'me');
    await expect(late()).rejects.toMatchObject({ code: 'REQUEST_ANSWERED', message: expect.stringContaining('is over') });
    expect(engine.orchestrator.view(get(engine, id))).not.toHaveProperty('requests');
    await engine.orchestrator.prompt({ sessionId: id, prompt: 'on', mode: 'queue', timeoutMs: 0 }, 'me');
    expect(engine.orchestrator.view(get(engine, id)).requests).toBeUndefined();
    await engine.settle();
    engine.run(id).say({ kind: 'started', process });
    await engine.settle();
    expect(engine.orchestrator.openRequests()).toEqual([]);
    await expect(late()).rejects.toMatchObject({ code: 'REQUEST_ANSWERED' });
    expect(get(engine, id).status).toBe('running');
  });

  it('that cannot be written leaves the request open, and the policy answers in the end', async () => {
    let isFull = false;
    const engine = await makeEngine({
      config: { resources: { idleTimeoutMs: 0, startTimeoutMs: 0 } },
      refuse: ({ name }) => (isFull && name === 'session.answered' ? fail('STORAGE_FAILED', 'Broken.') : undefined),
    });
    const id = await running(engine);
    const asked = open(engine, id, question);
    await engine.settle();
    isFull = true;
    // the time is over while the answer is on its way to the disk
    const answer = engine.orchestrator.answer({ requestId: `${id}.1`, decision: 'answer', text: 'a' }, 'me');
    engine.clock.advance(TEN_MINUTES);
    await expect(answer).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    expect(engine.errors).toEqual([]);
    expect(engine.orchestrator.openRequests()).toHaveLength(1);
    for (let second = 1; second <= 3; second++) {
      engine.clock.advance(1000);
      await engine.settle();
      expect(engine.errors).toHaveLength(second);
    }
    isFull = false;
    engine.clock.advance(1000);
    expect(await asked).toMatchObject({ decision: 'deny', text: 'Nobody answered in time.', by: 'the policy' });
  });
});

describe('the policy', () => {
  it('denies what nobody answered in time, and not what somebody did', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    const asked = [open(engine, id, question), open(engine, id, use('ls'))];
    await engine.settle();
    await engine.orchestrator.answer({ requestId: `${id}.2`, decision: 'allow' }, 'me');
    engine.clock.advance(TEN_MINUTES - 1);
    await engine.settle();
    expect(engine.orchestrator.openRequests()).toHaveLength(1);
    engine.clock.advance(1);
    expect(await Promise.all(asked)).toMatchObject([
      { decision: 'deny', by: 'the policy' },
      { decision: 'allow', by: 'me' },
    ]);
    await engine.settle();
    expect(answered(engine)).toBe(2);
    expect(get(engine, id).status).toBe('running');
  });

  it('comes second when somebody answers in the same moment', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    const asked = open(engine, id, question);
    await engine.settle();
    const answer = engine.orchestrator.answer({ requestId: `${id}.1`, decision: 'answer', text: 'a' }, 'me');
    engine.clock.advance(TEN_MINUTES);
    await answer;
    expect(await asked).toMatchObject({ decision: 'answer', by: 'me' });
    await engine.settle();
    expect(answered(engine)).toBe(1);
    expect(engine.errors).toEqual([]);
  });

  it('is kept by the next hub, also for what became due while there was none', async () => {
    const old = await makeEngine();
    const id = await running(old);
    open(old, id, { ...question, callId: 'c1' });
    await old.settle();
    old.kill();
    old.clock.advance(TEN_MINUTES - 1000);
    const engine = await reborn(old);
    const again = open(engine, id, { ...question, callId: 'c1' });
    engine.clock.advance(999);
    await engine.settle();
    expect(engine.orchestrator.openRequests()).toHaveLength(1);
    engine.kill();
    const third = await reborn(engine);
    third.clock.advance(5000);
    await third.settle();
    expect(third.orchestrator.request(`${id}.1`).answer).toMatchObject({ decision: 'deny', by: 'the policy' });
    expect(await open(third, id, { ...question, callId: 'c1' })).toMatchObject({ decision: 'deny' });
    again.catch(() => undefined);
  });

  it('answers nothing where there is no limit, and nothing of a run that is over', async () => {
    const engine = await makeEngine({
      config: { requests: { timeoutMs: 0 }, resources: { idleTimeoutMs: 0, startTimeoutMs: 0 } },
    });
    const id = await running(engine);
    open(engine, id, question);
    await engine.settle();
    expect(engine.orchestrator.request(`${id}.1`).expiresAt).toBeUndefined();
    expect(engine.orchestrator.view(get(engine, id)).requests?.[0]).not.toHaveProperty('expiresAt');
    engine.clock.advance(3_600_000);
    await engine.settle();
    expect(get(engine, id).status).toBe('waiting');
    const other = await makeEngine();
    const gone = await running(other);
    open(other, gone, question);
    await other.settle();
    await ended(other, gone);
    other.clock.advance(TEN_MINUTES);
    await other.settle();
    expect(answered(other)).toBe(0);
  });
});

describe('two requests', () => {
  const gate = () => {
    let open = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    return { opened, open };
  };
  /** An engine whose disk takes no request while `isFull`, and whose reserve is given up when the test says so. */
  async function onFullDisk() {
    const disk = { isFull: true, reserve: gate() };
    const engine = await makeEngine({
      room: { problem: () => undefined, look: async () => undefined, giveReserve: () => disk.reserve.opened },
      refuse: ({ name }) => (disk.isFull && name === 'session.waiting' ? fail('STORAGE_FULL', 'Full.') : undefined),
    });
    return { engine, disk, id: await running(engine) };
  }

  it('never get one id, also where the first is written again behind the second, and an answer is to one of them', async () => {
    const { engine, disk, id } = await onFullDisk();
    const first = open(engine, id, use('rm -rf build'));
    await engine.settle();
    expect(engine.orchestrator.openRequests()).toEqual([]);
    disk.isFull = false;
    const second = open(engine, id, use('ls'));
    await engine.settle();
    disk.reserve.open();
    await engine.settle();
    const [ls, rm] = engine.orchestrator.openRequests();
    expect([ls, rm]).toMatchObject([{ text: 'Bash: ls' }, { text: 'Bash: rm -rf build' }]);
    await engine.orchestrator.answer({ requestId: ls?.requestId ?? '', decision: 'allow' }, 'me');
    expect(engine.orchestrator.openRequests()).toMatchObject([{ text: 'Bash: rm -rf build' }]);
    await engine.orchestrator.answer({ requestId: rm?.requestId ?? '', decision: 'deny' }, 'me');
    expect(await Promise.all([first, second])).toMatchObject([{ decision: 'deny' }, { decision: 'allow' }]);
  });

  it('get different ids where one before them was never written, also from the next hub', async () => {
    const { engine, disk, id } = await onFullDisk();
    disk.reserve.open();
    const ids = async (of: Engine, ask: Ask) => {
      const asked = open(of, id, ask);
      const seen = get(of, id).requests?.at(-1)?.requestId;
      await of.settle();
      return { seen, asked };
    };
    const refused = await ids(engine, use('rm -rf build'));
    await expect(refused.asked).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    disk.isFull = false;
    const written = await ids(engine, use('ls'));
    const next = await reborn(engine);
    const later = await ids(next, use('cat a'));
    expect(new Set([refused.seen, written.seen, later.seen]).size).toBe(3);
    expect(next.orchestrator.openRequests()).toHaveLength(2);
  });
});

it('an answer to an id that a journal has twice is to the first of the two', async () => {
  const old = await makeEngine();
  const id = await running(old);
  open(old, id, use('ls'));
  open(old, id, use('rm -rf build'));
  await old.settle();
  const events = JSON.parse(JSON.stringify(old.events).replaceAll(`"${id}.2"`, `"${id}.1"`));
  const engine = await reborn(old, { events });
  await engine.orchestrator.answer({ requestId: `${id}.1`, decision: 'allow' }, 'me');
  expect(engine.orchestrator.openRequests()).toMatchObject([{ text: 'Bash: rm -rf build' }]);
  expect(get(engine, id).requests).toMatchObject([{ answer: { decision: 'allow' } }, { text: 'Bash: rm -rf build' }]);
});
