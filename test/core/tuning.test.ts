// Settings changed by calls, and money: what holds, what is refused, and that both survive a restart.
import { describe, expect, it } from 'vitest';
import { costLimit, dayCost } from '../../core/budget.ts';
import { knownPath, parseTuning, settingAt, tunable, tuned } from '../../core/tuning.ts';
import { caller, type Engine, makeEngine } from '../support/engine.ts';

const NO_BUDGET = { maxCostPerSession: 0, maxCostPerTree: 0, maxCostPerDay: 0 };
const request = { taskId: 'fix-login', type: 'autonomous', queue: true, concurrent: true } as const;

async function finished(engine: Engine, costUsd: number, more: object = {}, sessionId?: string): Promise<string> {
  const { session } = await engine.orchestrator.start(
    { ...request, taskId: undefined, prompt: 'x', ...more },
    { ...caller, sessionId },
  );
  await engine.settle();
  engine.run(session.id).end(0, { result: { text: 'ok', isError: false, costUsd } });
  await engine.settle();
  return session.id;
}

describe('tuning', () => {
  it('knows the limits and policies, and nothing that says what is run', () => {
    expect(tunable().get('resources.maxConcurrentSessions')).toMatch(/hard cap/);
    for (const path of ['agents', 'agents.claude.command', 'workspace.taskFolders', 'defaultAgent', 'server.toolsets'])
      expect(tunable().has(path)).toBe(false);
    for (const says of tunable().values()) expect(says).not.toBe('');
  });

  it('reads a change as JSON or as text, and says what it does not know', () => {
    expect(parseTuning('resources.maxConcurrentSessions=5')).toEqual(['resources.maxConcurrentSessions', 5]);
    expect(parseTuning('resources.maxMemoryPerSession = 2GB')).toEqual(['resources.maxMemoryPerSession', '2GB']);
    expect(() => parseTuning('resources.maxConcurrentSession=5')).toThrow('Did you mean "resources.maxConcurrentSessions"?');
    expect(() => parseTuning('five')).toThrow('path=value');
    expect(() => knownPath('agents')).toThrow('no setting');
  });

  it('changes what is in force, lets the line go on, and is kept over a restart until it is reset', async () => {
    const engine = await makeEngine({ config: { resources: { maxConcurrentSessions: 1 } } });
    const start = () => engine.orchestrator.start(request, caller);
    await start();
    const { session } = await start();
    expect(session.status).toBe('queued');
    await engine.orchestrator.tune({ set: { 'resources.maxConcurrentSessions': 2 }, reset: [] }, 'me');
    await engine.settle();
    expect(engine.orchestrator.get(session.id).status).toBe('starting');
    expect(engine.events.at(-2)).toMatchObject({
      name: 'config.changed',
      data: { set: { 'resources.maxConcurrentSessions': 2 }, by: 'me' },
    });
    const later = await makeEngine({ events: engine.events, clock: engine.clock });
    expect(later.ledger.overrides).toEqual({ 'resources.maxConcurrentSessions': 2 });
    await later.orchestrator.tune({ set: {}, reset: ['resources.maxConcurrentSessions'] }, 'me');
    expect(later.ledger.overrides).toEqual({});
  });

  it('takes a size of 0 as it is written, now and after a restart', async () => {
    const engine = await makeEngine();
    const memory = (of: Engine) => settingAt(of.settings.config, 'resources.minFreeMemory');
    await engine.orchestrator.tune({ set: Object.fromEntries([parseTuning('resources.minFreeMemory=0')]), reset: [] }, 'me');
    expect(memory(engine)).toBe('0');
    const later = await makeEngine({ events: engine.events, clock: engine.clock });
    later.settings.config = tuned(later.settings.config, later.ledger.overrides);
    expect(memory(later)).toBe('0');
  });

  it('refuses what does not fit, and changes nothing', async () => {
    const engine = await makeEngine();
    const before = settingAt(engine.settings.config, 'resources.maxConcurrentSessions');
    await expect(
      engine.orchestrator.tune({ set: { 'resources.maxConcurrentSessions': 0 }, reset: [] }, 'me'),
    ).rejects.toMatchObject({ code: 'INVALID_INPUT', message: '"resources.maxConcurrentSessions" must be at least 1.' });
    expect(settingAt(engine.settings.config, 'resources.maxConcurrentSessions')).toBe(before);
    expect(engine.events).toEqual([]);
  });
});

describe('a budget', () => {
  it('of a day holds the line until the day is over', async () => {
    const engine = await makeEngine({ config: { budget: { maxCostPerDay: 1 } } });
    await finished(engine, 1.25);
    const { session } = await engine.orchestrator.start(request, caller);
    await engine.settle();
    expect(engine.orchestrator.view(engine.orchestrator.get(session.id)).reason).toBe(
      'waits: $1.25 of $1.00 were spent in the last 24 hours',
    );
    engine.clock.advance(86_400_000 + 2000);
    await engine.settle();
    expect(engine.orchestrator.get(session.id).status).toBe('starting');
    expect(dayCost(engine.ledger, engine.clock.now())).toBe(0);
  });

  it('of a tree fails what it cannot pay, since waiting would not help', async () => {
    const engine = await makeEngine({ config: { budget: { maxCostPerTree: 1 } } });
    const { session: root } = await engine.orchestrator.start(request, caller);
    await engine.settle();
    await finished(engine, 1, {}, root.id);
    const { session } = await engine.orchestrator.start({ ...request, taskId: 'other' }, { ...caller, sessionId: root.id });
    engine.clock.advance(1000);
    await engine.settle();
    expect(engine.orchestrator.get(session.id)).toMatchObject({
      status: 'failed',
      cause: { kind: 'budget', reason: expect.stringContaining('$1.00 of $1.00') },
    });
  });

  it('limits a run to the least of what was asked, what is set, and what its tree and its parents have left', async () => {
    const engine = await makeEngine();
    const { session: root } = await engine.orchestrator.start({ ...request, maxCostUsd: 3 }, caller);
    await engine.settle();
    await finished(engine, 1, {}, root.id);
    const { session } = await engine.orchestrator.start(
      { ...request, taskId: 'other', maxCostUsd: 9 },
      { ...caller, sessionId: root.id },
    );
    const limit = (budget: object) => costLimit(engine.ledger, session, { ...NO_BUDGET, ...budget });
    expect(limit({})).toBe(2);
    expect(limit({ maxCostPerSession: 0.5 })).toBe(0.5);
    expect(limit({ maxCostPerTree: 1.75 })).toBe(0.75);
    expect(
      costLimit(engine.ledger, { ...session, parentId: undefined, id: 'alone', maxCostUsd: undefined }, NO_BUDGET),
    ).toBeUndefined();
  });

  it('of a session is used up by what came of it, not by what stands above it or beside it', async () => {
    const engine = await makeEngine({ config: { resources: { maxConcurrentSessions: 9 } } });
    const started = { type: 'autonomous', queue: true, prompt: 'x' } as const;
    const under = async (parent: string | undefined, maxCostUsd?: number) =>
      (await engine.orchestrator.start({ ...started, maxCostUsd }, { ...caller, sessionId: parent })).session;
    const root = await under(undefined);
    const middle = await under(root.id, 3);
    const low = await under(middle.id);
    await engine.settle();
    await finished(engine, 50, {}, root.id);
    expect(costLimit(engine.ledger, low, NO_BUDGET)).toBe(3);
    await finished(engine, 1, {}, middle.id);
    expect(costLimit(engine.ledger, low, NO_BUDGET)).toBe(2);
  });

  it('of a day knows what was spent also while the session waits for its next run', async () => {
    const engine = await makeEngine({ config: { resources: { maxConcurrentSessions: 1 } } });
    const id = await finished(engine, 1.25);
    await engine.orchestrator.pause({ by: 'me' });
    const prompt = { sessionId: id, prompt: 'go on', mode: 'queue', timeoutMs: 0 } as const;
    await engine.orchestrator.prompt(prompt, 'me');
    for (const status of ['queued', 'starting']) {
      expect(engine.orchestrator.get(id).status).toBe(status);
      expect(dayCost(engine.ledger, engine.clock.now())).toBe(1.25);
      await engine.orchestrator.resume('me');
      await engine.settle();
    }
  });
});
