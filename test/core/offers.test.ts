// What is offered as prompts: which arguments a rule has there, what the texts say in every state, and what may be asked of them.
import { describe, expect, it } from 'vitest';
import { completionsOf } from '../../core/completions.ts';
import { offerNamed, offers, sayOffer } from '../../core/offers.ts';
import { type Engine, makeEngine } from '../support/engine.ts';
import { ended, running, started } from './talk-rig.ts';

const rule = (head: string, body = 'Say {{task.title}}.') => `---\n${head}\n---\n${body}\n`;

async function said(engine: Engine, name: string, args: Readonly<Record<string, string>> = {}): Promise<string> {
  return sayOffer(offerNamed(await offers(engine.orchestrator), name), args, engine.orchestrator);
}

describe('the offer of a rule', () => {
  it('asks for a task, a session or one of both, as its moments are, and for its own arguments', async () => {
    const own = 'arguments:\n  - { name: depth, required: true }\n  - { name: taskId, required: true }';
    const engine = await makeEngine({
      rules: new Map([
        ['at-start.md', rule(`name: A\n${own}`)],
        ['later.md', rule('name: B\nmoments: [middle, review]', 'Go on.')],
        ['both.md', rule('name: C\nmoments: [start, continue]', 'Go on.')],
      ]),
    });
    const all = await offers(engine.orchestrator);
    const argumentsOf = (name: string) =>
      offerNamed(all, name).arguments.map(({ name, required }) => (required ? name : `${name}?`));
    expect(argumentsOf('at-start')).toEqual(['taskId', 'depth']);
    expect(argumentsOf('later')).toEqual(['sessionId']);
    expect(argumentsOf('both')).toEqual(['taskId?', 'sessionId?']);
    expect(await said(engine, 'at-start', { taskId: 'other', depth: '2' })).toContain('Title of other');
    await expect(said(engine, 'at-start', { taskId: 'other' })).rejects.toThrow('needs the argument "depth"');
  });

  it('is not there for a rule that is off, says nothing or has a name that is taken', async () => {
    const engine = await makeEngine({
      rules: new Map([
        ['off.md', rule('name: A\nenabled: false')],
        ['defaults.md', '---\nname: B\nkind: session\nagent: demo\n---\n'],
        ['delegate.md', rule('name: C')],
      ]),
    });
    const names = (await offers(engine.orchestrator)).map(({ name }) => name);
    expect(names).not.toContain('off');
    expect(names).not.toContain('defaults');
    expect(names.filter((name) => name === 'delegate')).toHaveLength(1);
    expect(await said(engine, 'delegate')).toContain('putting agents to work');
  });

  it('is not there without a workspace, where the four that are always there are', async () => {
    expect((await offers(undefined)).map(({ name }) => name)).toEqual([
      'continue_session',
      'delegate',
      'review_session',
      'start_task',
    ]);
  });
});

describe('the texts', () => {
  it('of a session say what it came to, what it changed, and cut what is long', async () => {
    const engine = await makeEngine({ rules: new Map([['long.md', rule('name: L\npriority: 9', 'x'.repeat(9000))]]) });
    const id = await running(engine);
    await ended(engine, id, 0, { result: { text: 'y'.repeat(5000), isError: false } });
    const text = await said(engine, 'continue_session', { sessionId: id });
    expect(text).toContain(`<result>\n${'y'.repeat(2000)}\n</result>`);
    expect(text).toContain('is completed');
    expect(await said(engine, 'review_session', { sessionId: id })).toContain(`session_logs {"sessionId":"${id}"}`);
    const start = await said(engine, 'start_task', { taskId: 'fix-login', rule: 'long' });
    expect(start).toContain('session_start {"taskId":"fix-login","rule":"long"}');
    // the task is put behind a template that does not speak of it
    expect(start.slice(-60)).toMatch(/… \(90\d\d characters\)/);
  });

  it('of a session that asks say to answer it, and suggest nothing else', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    engine.orchestrator.ask(id, { kind: 'question', text: 'Which one?' }).catch(() => undefined);
    await engine.settle();
    const text = await said(engine, 'continue_session', { sessionId: id });
    expect(text).toContain(`- ${id}.1 (question): Which one?`);
    expect(text).toContain('Answer what you know');
    expect(text).not.toMatch(/session_prompt|<prompt>/);
    expect(await said(engine, 'continue_session', { sessionId: id, message: 'go on now' })).toContain('session_prompt');
  });

  it('of a goal say how many agents run at once', async () => {
    const engine = await makeEngine({ config: { resources: { maxConcurrentSessions: 7 } } });
    expect(await said(engine, 'delegate', { goal: 'all of it' })).toContain('At most 7 run at once');
  });
});

describe('completion', () => {
  it('gives at most a hundred, and says how many there are; newest sessions first', async () => {
    const many = Array.from({ length: 250 }, (_, nth) => `task-${String(nth).padStart(3, '0')}`);
    const engine = await makeEngine({
      tasks: { ids: async () => many },
      rules: new Map([['off.md', rule('name: A\nenabled: false')]]),
    });
    const completed = await completionsOf(engine.orchestrator, 'task', 'TASK-');
    expect(completed).toEqual({ values: many.slice(0, 100), total: 250 });
    expect(await completionsOf(engine.orchestrator, 'task', '-24')).toEqual({ values: many.slice(240), total: 10 });
    const [first, second] = [await started(engine), await started(engine)];
    expect((await completionsOf(engine.orchestrator, 'session', '')).values).toEqual([second, first]);
    const rules = (await completionsOf(engine.orchestrator, 'rule', '')).values;
    expect(rules).toContain('default');
    expect(rules).not.toContain('off');
  });
});
