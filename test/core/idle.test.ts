// Interactive sessions that stand at their prompt: ended when they stood there for too long, and never while something happens to them.
import { describe, expect, it } from 'vitest';
import { fail } from '../../core/errors.ts';
import { caller, type Engine, type EngineOptions, makeEngine } from '../support/engine.ts';
import { ended, get, prompt, reborn, running } from './talk-rig.ts';

const HOUR = 3_600_000;
/** Silence is the business of the watchdog. */
const LOUD = { idleTimeoutMs: 0, startTimeoutMs: 0 };
const config = { resources: { ...LOUD, interactiveIdleMs: HOUR } };

async function atPrompt(options: EngineOptions = {}): Promise<{ engine: Engine; id: string }> {
  const engine = await makeEngine({ config, ...options });
  const id = await running(engine, { type: 'interactive' });
  await say(engine, id, { kind: 'idle', for: 'prompt' });
  return { engine, id };
}
async function say(engine: Engine, id: string, event: Parameters<ReturnType<Engine['run']>['say']>[0]) {
  engine.run(id).say(event);
  await engine.settle();
}
async function pass(engine: Engine, ms: number) {
  engine.clock.advance(ms);
  await engine.settle();
}

describe('a session that stands at its prompt', () => {
  it('is ended when it stood there for too long, whatever the limit of a run is', async () => {
    const { engine, id } = await atPrompt({ config: { resources: { interactiveIdleMs: HOUR, sessionTimeoutMs: 1000 } } });
    await pass(engine, HOUR - 1);
    expect(get(engine, id).status).toBe('waiting');
    await pass(engine, 1);
    expect(get(engine, id)).toMatchObject({
      status: 'stopping',
      stop: { kind: 'idle_timeout', reason: `it stood at its prompt for ${HOUR} ms` },
    });
    await ended(engine, id, 143);
    expect(get(engine, id)).toMatchObject({ status: 'failed', cause: { kind: 'idle_timeout' } });
  });

  it('has its time again when it worked, or something was said to it', async () => {
    const { engine, id } = await atPrompt();
    await pass(engine, HOUR - 1);
    await say(engine, id, { kind: 'works' });
    await pass(engine, 2 * HOUR);
    expect(get(engine, id).status).toBe('running');
    await say(engine, id, { kind: 'idle', for: 'prompt' });
    await pass(engine, HOUR - 1);
    await prompt(engine, id, 'also this');
    await engine.settle();
    await pass(engine, HOUR - 1);
    expect(get(engine, id).status).toBe('waiting');
    // what was said never came to it
    await pass(engine, 1);
    expect(get(engine, id).status).toBe('stopping');
  });

  it('is not ended by what is said in the very moment in which its time is over', async () => {
    const { engine, id } = await atPrompt();
    await pass(engine, HOUR - 1);
    engine.clock.advance(0.5);
    const said = prompt(engine, id, 'also this');
    // said, and not on disk yet
    engine.clock.advance(0.5);
    await said;
    await engine.settle();
    expect(get(engine, id)).toMatchObject({ status: 'waiting' });
    await pass(engine, HOUR);
    expect(get(engine, id).status).toBe('stopping');
  });

  it('is not ended where it waits for something else, is autonomous, or there is no limit', async () => {
    const engine = await makeEngine({ config: { resources: { interactiveIdleMs: 0 } } });
    const id = await running(engine, { type: 'interactive' });
    await say(engine, id, { kind: 'idle', for: 'prompt' });
    const { engine: other, id: asking } = await atPrompt();
    await say(other, asking, { kind: 'idle', for: 'unknown' });
    await pass(engine, 5 * HOUR);
    await pass(other, 5 * HOUR);
    expect([get(engine, id).status, get(other, asking).status]).toEqual(['waiting', 'waiting']);
    expect(other.orchestrator.view(get(other, asking))).toMatchObject({
      summary: expect.stringContaining('it shows something that only a person at its terminal can answer.'),
      next: expect.stringContaining('session_attach'),
    });
  });

  it('is watched by the next hub, from its own beginning on', async () => {
    const { engine: old, id } = await atPrompt();
    await pass(old, HOUR - 1);
    const engine = await reborn(old, { config });
    await pass(engine, HOUR - 1);
    expect(get(engine, id).status).toBe('waiting');
    await pass(engine, 1);
    expect(get(engine, id).status).toBe('stopping');
    expect(get(old, id).status).toBe('waiting');
  });

  it('follows a changed limit at once, and none where there is none any more', async () => {
    const { engine, id } = await atPrompt();
    await engine.orchestrator.tune({ set: { 'resources.interactiveIdleMs': 0 }, reset: [] }, 'me');
    await engine.settle();
    await pass(engine, 2 * HOUR);
    expect(get(engine, id).status).toBe('waiting');
    await engine.orchestrator.tune({ set: { 'resources.interactiveIdleMs': 1000 }, reset: [] }, 'me');
    await engine.settle();
    await pass(engine, 1000);
    expect(get(engine, id).status).toBe('stopping');
  });

  it('that is removed is watched no more, and a stop that fails is told', async () => {
    const { engine, id } = await atPrompt();
    await engine.ledger.record({ name: 'session.removed', data: { sessionId: id, reason: 'age' } });
    await pass(engine, HOUR);
    expect(engine.errors).toEqual([]);
    const { engine: third, id: going } = await atPrompt();
    await pass(third, HOUR - 1);
    const removed = third.ledger.record({ name: 'session.removed', data: { sessionId: going, reason: 'age' } });
    // not on disk yet
    third.clock.advance(1);
    await removed;
    expect(third.errors).toEqual([]);
    const { engine: other, id: broken } = await atPrompt({
      refuse: ({ name }) => {
        if (name === 'session.stopping') throw new Error('broken');
      },
    });
    await pass(other, HOUR);
    expect(other.errors).toEqual([new Error('broken')]);
    expect(get(other, broken).status).toBe('waiting');
  });
});

describe('an interactive session', () => {
  it('waits in the line while as many are there as may be, and others go before it', async () => {
    const engine = await makeEngine({ config: { resources: { maxConcurrentSessions: 3, maxInteractiveSessions: 1 } } });
    const first = await running(engine, { type: 'interactive' });
    const request = { type: 'interactive', queue: false, prompt: 'x' } as const;
    await expect(engine.orchestrator.start(request, caller)).rejects.toMatchObject({
      code: 'NO_SLOT',
      message: expect.stringContaining('waits for an interactive slot: 1 of 1 taken'),
    });
    const { session } = await engine.orchestrator.start({ ...request, queue: true }, caller);
    await running(engine);
    const fresh = await reborn(engine, { config: engine.settings.config });
    expect(fresh.orchestrator.view(get(fresh, session.id))).toMatchObject({ status: 'queued', position: 1 });
    await ended(fresh, first);
    expect(get(fresh, session.id).status).toBe('starting');
  });

  it('tells each change of what it waits for once', async () => {
    const { engine, id } = await atPrompt();
    for (const what of ['prompt', 'permission', 'permission', 'unknown'] as const)
      await say(engine, id, { kind: 'idle', for: what });
    const told = engine.events.flatMap((event) => (event.name === 'session.waiting' ? [event.data.for] : []));
    expect(told).toEqual(['prompt', 'permission', 'unknown']);
  });

  it('says what its terminal asks while only a person can answer that, and no longer', async () => {
    const { engine, id } = await atPrompt();
    const view = () => engine.orchestrator.view(get(engine, id));
    await say(engine, id, { kind: 'idle', for: 'permission', text: 'Do you trust this folder?' });
    expect(view()).toMatchObject({
      shows: 'Do you trust this folder?',
      untrusted: true,
      next: `session_attach { "sessionId": "${id}" } tells a person where to answer it.`,
    });
    await say(engine, id, { kind: 'works' });
    expect(view().shows).toBeUndefined();
    await say(engine, id, { kind: 'idle', for: 'prompt' });
    expect(view()).toMatchObject({ next: expect.stringContaining('session_prompt') });
    expect(view().shows).toBeUndefined();
  });

  it('has no other limit than its own of a run, where it names one', async () => {
    const engine = await makeEngine({ config: { resources: { sessionTimeoutMs: 1000, idleTimeoutMs: 0, startTimeoutMs: 0 } } });
    const free = await running(engine, { type: 'interactive' });
    const bound = await running(engine, { type: 'interactive', timeoutSeconds: 60 });
    await pass(engine, 60_000);
    expect([get(engine, free).status, get(engine, bound).stop?.kind]).toEqual(['running', 'timeout']);
  });

  it('goes on when the disk is too full to tell that it stands at its prompt', async () => {
    let isFull = true;
    const { engine, id } = await atPrompt({
      refuse: ({ name }) => {
        if (isFull && name === 'session.waiting') fail('STORAGE_FULL', 'Full.');
      },
    });
    expect(get(engine, id).status).toBe('running');
    isFull = false;
    await say(engine, id, { kind: 'idle', for: 'prompt' });
    expect(get(engine, id).status).toBe('waiting');
    expect(engine.errors).toEqual([]);
  });
});
