// Rules at work: what a session is told and with which settings, when it starts, goes on, asks, idles, fails or runs short of money.
import { describe, expect, it } from 'vitest';
import { AgentEntry } from '../../core/agent.ts';
import { narrowedAgent } from '../../core/narrowed.ts';
import type { StartRequest } from '../../core/start.ts';
import { type Engine, type EngineOptions, makeEngine } from '../support/engine.ts';
import { begunWith, ended, get, limited, process, reborn, running, SPOKE, started } from './talk-rig.ts';

const rule = (front: string, body: string) => `---\n${front}\n---\n${body}\n`;
const BUG = rule('priority: 10\nconditions: [{ field: type, operator: equals, value: bug }]', 'Debug {{task.title}}.');
const NIGHTLY = rule(
  'kind: session\nagent: plain\nmodel: small\npriority: low\nlabel: nightly\ntimeoutSeconds: 60',
  'Mend what broke last night.',
);

const withRules = (files: Readonly<Record<string, string>>, more: EngineOptions = {}) =>
  makeEngine({ rules: new Map(Object.entries(files)), ...more });
const start = (engine: Engine, more: Partial<StartRequest> = {}) =>
  engine.orchestrator
    .start({ queue: true, concurrent: true, ...more }, { by: 'a test', environment: { PATH: '/bin' } })
    .then(({ session }) => session);

describe('a start without a prompt', () => {
  it('says what the rule says that fits best, and remembers which it was', async () => {
    const engine = await withRules({ 'bug.md': BUG });
    const session = await start(engine, { taskId: 'fix-login' });
    expect(session).toMatchObject({
      prompt: 'Debug Title of fix-login.',
      rule: { id: 'bug', version: engine.orchestrator.rules.list().find(({ id }) => id === 'bug')?.version },
    });
    expect(engine.events.find(({ name }) => name === 'session.queued')?.data).toMatchObject({ rule: { id: 'bug' } });
    expect(engine.orchestrator.view(session).rule).toMatchObject({ id: 'bug' });
  });

  it('says the default where no other rule fits, and where there is not even that one', async () => {
    const engine = await withRules({ 'bug.md': BUG.replace('value: bug', 'value: feature') });
    expect(await start(engine, { taskId: 'fix-login' })).toMatchObject({
      prompt: 'Work on this task until it is done.\n\n# Title of fix-login\n\nTask id: fix-login\n\nDo fix-login.',
      rule: { id: 'default' },
    });
    const none = await withRules({ 'default.md': rule('enabled: false', 'Never.') });
    const session = await start(none, { taskId: 'fix-login' });
    expect(session.prompt.trim()).toBe(
      'Work on this task until it is done.\n\n# Title of fix-login\n\nTask id: fix-login\n\nDo fix-login.',
    );
    expect(session.rule).toBeUndefined();
  });

  it('reads the files again, so that a rule which was just written speaks', async () => {
    const rules = new Map<string, string>();
    const engine = await makeEngine({ rules });
    expect((await start(engine, { taskId: 'fix-login' })).rule?.id).toBe('default');
    rules.set('bug.md', BUG);
    expect((await start(engine, { taskId: 'fix-login' })).rule?.id).toBe('bug');
  });

  it('knows the sessions before it on the task', async () => {
    const again = rule(
      'conditions: [{ field: session.attempt, operator: gt, value: 1 }, { field: session.endCause, operator: equals, value: agent_error }]',
      'Once more:\n{{history}}',
    );
    const engine = await withRules({ 'again.md': again });
    const first = await start(engine, { taskId: 'fix-login' });
    expect(first.rule?.id).toBe('default');
    await engine.settle();
    await ended(engine, first.id, 1, { result: { text: 'I could not.', isError: true } });
    const second = await start(engine, { taskId: 'fix-login' });
    expect(second.rule?.id).toBe('again');
    expect(second.prompt).toContain(`Once more:\n- ${first.id}: failed (agent error with exit code 1): I could not.`);
  });

  it('knows the agent and the type that the session gets where its caller names none', async () => {
    const front =
      'conditions: [{ field: session.agent, operator: equals, value: demo }, { field: session.type, operator: equals, value: autonomous }]';
    const engine = await withRules({ 'demo.md': rule(front, 'As {{session.agent}}.') });
    expect(engine.settings.config.defaultAgent).toBe('demo');
    expect(await start(engine, { taskId: 'fix-login' })).toMatchObject({ agent: 'demo', rule: { id: 'demo' } });
    expect((await engine.orchestrator.rules.preview({ taskId: 'fix-login' })).rule?.id).toBe('demo');
    expect((await start(engine, { taskId: 'fix-login', agent: 'plain' })).rule?.id).toBe('default');
  });

  it('says a prompt word for word, and no rule is remembered', async () => {
    const engine = await withRules({ 'bug.md': BUG });
    expect(await start(engine, { taskId: 'fix-login', prompt: 'Do {{this}}.' })).toMatchObject({
      prompt: 'Do {{this}}.',
      rule: undefined,
    });
  });

  it('takes the named rule, whether its conditions hold or not, with the values that were given', async () => {
    const named = rule(
      'conditions: [{ field: type, operator: equals, value: never }]\narguments: [{ name: focus, required: true }]',
      'Look at {{args.focus}} of {{task.id}}, child of {{parent.id}}.',
    );
    const engine = await withRules({ 'named.md': named });
    const parent = await start(engine, { prompt: 'p' });
    expect(
      (await start(engine, { taskId: 'fix-login', rule: 'named', arguments: { focus: '{{task.body}}' }, parentId: parent.id }))
        .prompt,
    ).toBe(`Look at {{task.body}} of fix-login, child of ${parent.id}.`);
    await expect(start(engine, { taskId: 'fix-login', rule: 'named' })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: 'Rule "named" needs a value for: focus.',
    });
    await expect(start(engine, { taskId: 'fix-login', rule: 'namde' })).rejects.toMatchObject({
      code: 'RULE_NOT_FOUND',
      message: 'There is no rule "namde". Did you mean "named"?',
    });
    await expect(start(engine, { taskId: 'fix-login', rule: 'named', prompt: 'x' })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
  });

  it('passes over a rule that lacks a value, and tells of one whose file was skipped', async () => {
    const engine = await withRules({
      'picky.md': rule('priority: 99\narguments: [{ name: focus, required: true }]', '{{args.focus}}'),
      'broken.md': '---\nx: 1\n---\nSay.\n',
    });
    expect((await start(engine, { taskId: 'fix-login' })).rule?.id).toBe('default');
    expect((await start(engine, { taskId: 'fix-login', arguments: { focus: 'speed' } })).prompt).toContain('speed');
    await expect(start(engine, { taskId: 'fix-login', rule: 'broken' })).rejects.toMatchObject({
      code: 'RULE_INVALID',
      message: expect.stringContaining('line 2, column 1: There is no key "x".'),
    });
  });
});

describe('a session template', () => {
  it('sets what the caller does not, and speaks where there is neither prompt nor task', async () => {
    const engine = await withRules({ 'nightly-fix.md': NIGHTLY });
    const session = await start(engine, { template: 'nightly-fix' });
    expect(session).toMatchObject({
      agent: 'plain',
      model: 'small',
      priority: 'low',
      label: 'nightly',
      timeoutMs: 60_000,
      prompt: 'Mend what broke last night.',
      rule: { id: 'nightly-fix' },
    });
    const other = await start(engine, { template: 'nightly-fix', taskId: 'fix-login', model: 'large', priority: 'high' });
    expect(other).toMatchObject({ agent: 'plain', model: 'large', priority: 'high', taskId: 'fix-login' });
    expect(other.prompt).toBe('Mend what broke last night.\n\n# Title of fix-login\n\nTask id: fix-login\n\nDo fix-login.');
  });

  it('without a text leaves the words to the rules, and its defaults win over theirs', async () => {
    const engine = await withRules({
      'quiet.md': rule('kind: session\nmodel: small', ''),
      'bug.md': BUG.replace('priority: 10', 'priority: 10\nmodel: large\nlabel: bug'),
    });
    expect(await start(engine, { template: 'quiet', taskId: 'fix-login' })).toMatchObject({
      model: 'small',
      label: 'bug',
      rule: { id: 'bug' },
    });
    await expect(start(engine, { template: 'quiet' })).rejects.toMatchObject({ code: 'PROMPT_EMPTY' });
    await expect(start(engine, { template: 'bug', taskId: 'fix-login' })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('no session template'),
    });
  });

  it('goes through the same checks as a caller', async () => {
    const engine = await withRules({ 'odd.md': rule('kind: session\nagent: nobody', 'Say.') });
    await expect(start(engine, { template: 'odd' })).rejects.toMatchObject({ code: 'AGENT_UNKNOWN' });
    expect(engine.events).toEqual([]);
  });
});

describe('permissions that a rule names', () => {
  const agent = AgentEntry.parse({ kind: 'claude', permissionMode: 'acceptEdits', tools: ['Read', 'Bash(npm test:*)'] });

  it.each([
    ['plan', 'plan'],
    ['default', 'default'],
    ['acceptEdits', 'acceptEdits'],
    ['bypassPermissions', 'acceptEdits'],
    [undefined, 'acceptEdits'],
  ] as const)('make it stricter or leave it as it is: %s is %s', (permissionMode, mode) => {
    expect(narrowedAgent(agent, { permissionMode }).permissionMode).toBe(mode);
  });

  it('leave of its tools those that both name, and reach the run', async () => {
    expect(narrowedAgent(agent, { tools: ['Read', 'Write'] }).tools).toEqual(['Read']);
    const strict = rule('kind: session\npermissionMode: plan\ntools: [Read]', 'Say.');
    const engine = await withRules(
      { 'strict.md': strict },
      { config: { agents: { mine: { kind: 'demo', tools: ['Read', 'Edit'] } } } },
    );
    const { id } = await start(engine, { template: 'strict', agent: 'mine' });
    await engine.settle();
    expect(engine.run(id).spec?.agent).toMatchObject({ permissionMode: 'plan', tools: ['Read'] });
  });
});

describe('a session that is tried again', () => {
  const RETRY = { queue: { retryPolicy: { minDelayMs: 0 } } };

  async function retried(files: Readonly<Record<string, string>>) {
    const engine = await withRules(files, { config: RETRY, log: SPOKE });
    const id = await running(engine);
    await ended(engine, id, 1, { result: limited });
    engine.clock.advance(60_000);
    await engine.settle();
    return begunWith(engine, id);
  }

  it('is told so in the usual words', async () => {
    expect(await retried({})).toEqual([
      'You were interrupted (rate limited). Look at what is done already and go on from there until the task is done.',
    ]);
  });

  it('is told what a rule for this moment says', async () => {
    const file = rule(
      'moments: [continue]\nconditions: [{ field: session.endCause, operator: equals, value: rate_limited }]',
      'Run {{session.attempt}}: go on slowly.',
    );
    expect(await retried({ 'slowly.md': file })).toEqual(['Run 2: go on slowly.']);
  });
});

describe('suggestions', () => {
  const idsFor = async (engine: Engine, id: string) =>
    (await engine.orchestrator.rules.suggestions(get(engine, id))).map(({ ruleId }) => ruleId);

  it('are made for a session that stands at its prompt, failed more than once or is near its budget, and for none that asks', async () => {
    const engine = await withRules({});
    const id = await running(engine, { type: 'interactive', taskId: 'fix-login', prompt: undefined });
    expect(await idsFor(engine, id)).toEqual([]);
    engine.run(id).say({ kind: 'idle', for: 'prompt' });
    await engine.settle();
    expect(await idsFor(engine, id)).toEqual(['next-step']);
    engine.run(id).say({ kind: 'works' });
    await engine.settle();
    expect(await idsFor(engine, id)).toEqual([]);

    engine.run(id).say({ kind: 'asks', callId: 'call-1', tool: 'Bash', input: { command: 'ls' } });
    await engine.settle();
    expect(get(engine, id)).toMatchObject({ status: 'waiting', waitsFor: 'permission' });
    expect(await idsFor(engine, id)).toEqual([]);

    const failed: string[] = [];
    for (const taskId of [undefined, 'other', 'other']) {
      const one = await running(engine, { taskId });
      await ended(engine, one, 1, { result: { text: 'no', isError: true } });
      failed.push(one);
    }
    expect(await idsFor(engine, failed[0] ?? '')).toEqual([]);
    expect(await idsFor(engine, failed[2] ?? '')).toEqual(['other-way']);

    const costly = await running(engine, { maxCostUsd: 1 });
    await ended(engine, costly, 0, { result: { text: 'done', isError: false, costUsd: 0.9 } });
    expect(await idsFor(engine, costly)).toEqual(['wrap-up']);
  });

  it('know for how long it has stood there, also after the hub was killed', async () => {
    const long = rule(
      'moments: [middle]\npriority: 5\nconditions: [{ field: session.idleMs, operator: gt, value: 60000 }]',
      'Idle for {{session.idleMs}} ms on {{task.title}}.',
    );
    const rules = new Map([['long.md', long]]);
    const engine = await makeEngine({ rules });
    const id = await running(engine, { type: 'interactive', taskId: 'fix-login', prompt: undefined });
    engine.run(id).say({ kind: 'idle', for: 'prompt' });
    await engine.settle();
    expect(await idsFor(engine, id)).toEqual(['next-step']);
    engine.clock.advance(61_000);
    expect(await engine.orchestrator.rules.suggestions(get(engine, id))).toEqual([
      { ruleId: 'long', name: 'long', prompt: 'Idle for 61000 ms on Title of fix-login.' },
      expect.objectContaining({ ruleId: 'next-step' }),
    ]);
    const next = await reborn(engine, { rules });
    expect(await idsFor(next, id)).toEqual(['long', 'next-step']);
  });

  it('leave out what has no end, and the session is shown all the same', async () => {
    const endless = rule('moments: [middle]\npriority: 5', '{{task.body}}'.repeat(1000));
    const engine = await withRules(
      { 'endless.md': endless },
      { tasks: { get: async (id) => ({ id, file: '/w/t.md', title: 'T', fields: {}, body: 'x'.repeat(10_000) }) } },
    );
    const id = await running(engine, { type: 'interactive', taskId: 'fix-login', prompt: 'p' });
    engine.run(id).say({ kind: 'idle', for: 'prompt' });
    await engine.settle();
    expect(await idsFor(engine, id)).toEqual(['next-step']);
  });

  it('are three at most', async () => {
    const file = rule('moments: [middle]', 'Say.');
    const engine = await withRules(Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [`${name}.md`, file])));
    const id = await started(engine, { type: 'interactive' });
    engine.run(id).say({ kind: 'started', process });
    engine.run(id).say({ kind: 'idle', for: 'prompt' });
    await engine.settle();
    expect(await idsFor(engine, id)).toEqual(['a', 'b', 'c']);
  });
});
