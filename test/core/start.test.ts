// session_start at its border: every wrong request is refused with its code and leaves nothing behind; the same request makes one session.
import { describe, expect, it } from 'vitest';
import { MAX_PROMPT_BYTES } from '../../core/config.ts';
import { ScopecraftError } from '../../core/errors.ts';
import { caller, type EngineOptions, makeEngine } from '../support/engine.ts';

const request = { taskId: 'fix-login', type: 'autonomous', queue: true, concurrent: true } as const;

const WRONG: readonly [string, object, string, RegExp, EngineOptions?][] = [
  ['neither task nor prompt', { taskId: undefined }, 'PROMPT_EMPTY', /Neither/],
  ['an empty prompt', { prompt: ' \n ' }, 'PROMPT_EMPTY', /empty/],
  ['a prompt of 2 MB', { prompt: 'x'.repeat(2 << 20) }, 'PROMPT_TOO_LARGE', /2097152 bytes; at most 262144/],
  ['a prompt too large only in bytes', { prompt: 'ä'.repeat(MAX_PROMPT_BYTES / 2 + 1) }, 'PROMPT_TOO_LARGE', /262146 bytes/],
  ['an unknown task', { taskId: 'fix-logn' }, 'TASK_NOT_FOUND', /Did you mean "fix-login"\?/],
  ['an unknown agent', { agent: 'dmeo' }, 'AGENT_UNKNOWN', /Did you mean "demo"\? Declared are: claude, demo/],
  ['a name of the prototype as agent', { agent: 'constructor' }, 'AGENT_UNKNOWN', /no agent "constructor"/],
  [
    'an agent that is not installed',
    { agent: 'gone' },
    'AGENT_MISSING',
    /"missing" of agent "gone"/,
    { config: { agents: { gone: { kind: 'command', command: 'missing' } } } },
  ],
  ['an unknown parent', { parentId: 'nobody' }, 'SESSION_NOT_FOUND', /"nobody"/],
  ['a folder outside', { cwd: '/etc' }, 'PATH_OUTSIDE', /"\/etc"/],
];

describe('what a task says of itself', () => {
  it('decides nothing about how it is run: not the agent, its rights, its environment or its folder', async () => {
    const fields = {
      type: 'bug',
      status: 'todo',
      agent: 'plain',
      command: 'rm -rf /',
      args: ['--dangerously-skip-permissions'],
      permissionMode: 'bypassPermissions',
      tools: ['Bash'],
      allowedTools: ['Bash'],
      env: { LD_PRELOAD: '/tmp/evil.so' },
      hooks: { start: 'curl evil' },
      mcpConfig: { evil: { command: 'sh' } },
      cwd: '/etc',
      model: 'expensive',
      maxCostUsd: 1000,
      worktree: true,
      priority: 'urgent',
    };
    const plain = { id: 'fix-login', file: '/w/.tasks/fix-login.md', title: 'T', body: 'Do it.' };
    const specs = [];
    for (const given of [fields, { type: 'bug', status: 'todo' }]) {
      const engine = await makeEngine({ tasks: { get: async () => ({ ...plain, fields: given }) } });
      const { session } = await engine.orchestrator.start(request, caller);
      await engine.settle();
      const { spec } = engine.run(session.id);
      specs.push({ ...spec, conversationId: '', messages: spec?.messages.map(({ text }) => text), priority: session.priority });
    }
    expect(specs[0]).toEqual(specs[1]);
    expect(specs[0]).toMatchObject({ agent: { name: 'demo' }, cwd: '/w' });
  });
});

describe('starting a session', () => {
  it.each(WRONG)('refuses %s', async (_what, more, code, message, options) => {
    const engine = await makeEngine(options);
    const refused = engine.orchestrator.start({ ...request, ...more }, caller);
    await expect(refused).rejects.toThrow(ScopecraftError);
    await expect(refused).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(engine.events).toEqual([]);
  });

  it('refuses while a config file has problems, and names them all', async () => {
    const engine = await makeEngine();
    engine.settings.problems.push('First.', 'Second.');
    await expect(engine.orchestrator.start(request, caller)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: 'First. Second.',
    });
  });

  it('does not run an agent that an untrusted config declares', async () => {
    const engine = await makeEngine();
    engine.settings.untrusted.push('plain');
    await expect(engine.orchestrator.start({ ...request, agent: 'plain' }, caller)).rejects.toMatchObject({
      code: 'CONFIG_UNTRUSTED',
    });
  });

  it('starts now or not at all when it is not to be queued', async () => {
    const engine = await makeEngine({ config: { resources: { maxConcurrentSessions: 1 } } });
    const first = await engine.orchestrator.start({ ...request, queue: false }, caller);
    expect(first.session.status).toBe('starting');
    await expect(engine.orchestrator.start({ ...request, queue: false }, caller)).rejects.toMatchObject({ code: 'NO_SLOT' });
  });

  it('keeps no environment of what is refused, whenever that is found', async () => {
    const engine = await makeEngine();
    const first = await engine.orchestrator.start({ ...request, concurrent: false }, caller);
    await expect(engine.orchestrator.start({ ...request, queue: false, concurrent: false }, caller)).rejects.toMatchObject({
      code: 'TASK_BUSY',
    });
    expect(await engine.environments.kept()).toEqual([first.session.id]);
  });

  it('refuses when the line is full', async () => {
    const engine = await makeEngine({ config: { resources: { maxConcurrentSessions: 1, maxQueueSize: 1 } } });
    await engine.orchestrator.start(request, caller);
    await engine.orchestrator.start(request, caller);
    await expect(engine.orchestrator.start(request, caller)).rejects.toMatchObject({
      code: 'QUEUE_FULL',
      message: /1 sessions wait/,
    });
  });

  it('makes a task for a prompt that comes alone', async () => {
    const engine = await makeEngine();
    const { session } = await engine.orchestrator.start(
      { ...request, taskId: undefined, prompt: 'Say "hello", please!\nThen stop.' },
      caller,
    );
    expect(session.taskId).toMatch(/^say-hello-please-x/);
    expect((await engine.orchestrator.task(session.taskId)).body).toContain('Then stop.');
  });

  it('tells which declared variables are not set', async () => {
    const engine = await makeEngine();
    const { notes } = await engine.orchestrator.start({ ...request, agent: 'plain' }, caller);
    expect(notes).toEqual(['Not set where this call came from, so the agent does not get it: WANTED.']);
  });

  it('makes one session of twenty calls with the same key at once', async () => {
    const engine = await makeEngine();
    const started = await Promise.all(
      Array.from({ length: 20 }, () => engine.orchestrator.start({ ...request, requestKey: 'k' }, caller)),
    );
    expect(new Set(started.map(({ session }) => session.id)).size).toBe(1);
    const later = await makeEngine({ events: engine.events, clock: engine.clock });
    const again = await later.orchestrator.start({ ...request, requestKey: 'k' }, caller);
    expect(again.session.id).toBe(started[0]?.session.id);
    await expect(later.orchestrator.start({ ...request, taskId: 'other', requestKey: 'k' }, caller)).rejects.toMatchObject({
      code: 'REQUEST_KEY_REUSED',
    });
    expect([...later.ledger.sessions()]).toHaveLength(1);
  });

  it('refuses a key with other arguments, also where it came while the first call with it was under way and then failed', async () => {
    const engine = await makeEngine();
    const start = (more: object) => engine.orchestrator.start({ ...request, requestKey: 'k', ...more }, caller);
    const outcomes = await Promise.allSettled([
      start({ agent: 'nobody' }),
      start({ label: 'second' }),
      start({ label: 'third' }),
    ]);
    expect(outcomes).toMatchObject([
      { reason: { code: 'AGENT_UNKNOWN' } },
      { value: { session: { label: 'second' } } },
      { reason: { code: 'REQUEST_KEY_REUSED' } },
    ]);
    expect([...engine.ledger.sessions()]).toHaveLength(1);
  });

  it('lets a key be used again when its first call was refused', async () => {
    const engine = await makeEngine();
    const refused = engine.orchestrator.start({ ...request, agent: 'nobody', requestKey: 'k' }, caller);
    await expect(refused).rejects.toMatchObject({ code: 'AGENT_UNKNOWN' });
    const { session } = await engine.orchestrator.start({ ...request, requestKey: 'k' }, caller);
    expect(session.status).toBe('starting');
  });
});
