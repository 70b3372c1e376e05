// What can be done with rules by call: seen what they would say and why, and changed with what that does to the tasks there are.
import { describe, expect, it } from 'vitest';
import { makeEngine } from '../support/engine.ts';
import { ended, running } from './talk-rig.ts';

const rule = (front: string, body: string) => `---\n${front}\n---\n${body}\n`;
const BUG = rule('priority: 10\nconditions: [{ field: type, operator: equals, value: bug }]', 'Debug {{task.title}}.');
const PICKY = rule('priority: 99\narguments: [{ name: focus, required: true }]', 'Look at {{args.focus}} of {{task.id}}.');

describe('what can be done with rules', () => {
  it('shows what would be said, and why', async () => {
    const engine = await makeEngine({ rules: new Map([['bug.md', BUG]]) });
    const found = await engine.orchestrator.rules.preview({ taskId: 'fix-login' });
    expect(found).toMatchObject({ rule: { id: 'bug' }, text: 'Debug Title of fix-login.', moment: 'start' });
    expect(found.matches.map(({ id }) => id)).toEqual(['bug', 'default']);
    expect(found.misses.flatMap((one) => found.explain(one)).every(({ text }) => text !== '')).toBe(true);
    const id = await running(engine, { taskId: 'fix-login', prompt: undefined });
    expect((await engine.orchestrator.rules.preview({ sessionId: id })).moment).toBe('middle');
    await ended(engine, id);
    expect(await engine.orchestrator.rules.preview({ sessionId: id })).toMatchObject({
      moment: 'continue',
      rule: { id: 'go-on' },
      // it was done, not interrupted
      text: expect.stringMatching(/^This session goes on\. Look at/),
    });
    const { text } = await engine.orchestrator.rules.render({ ruleId: 'review', sessionId: id });
    expect(text).toContain(`Review the work of session ${id} on this task.`);
    const review = await engine.orchestrator.rules.preview({ taskId: 'fix-login', moment: 'review' });
    expect(review.text).toMatch(/^Review the work on this task\./);
    await expect(engine.orchestrator.rules.preview({ taskId: 'nothing' })).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
    await expect(engine.orchestrator.rules.preview({ sessionId: 'nothing' })).rejects.toMatchObject({
      code: 'SESSION_NOT_FOUND',
    });
  });

  it('tells before and after a change for which tasks it is another choice', async () => {
    const rules = new Map<string, string>();
    const engine = await makeEngine({ rules });
    const change = { template: 'Debug {{task.title}}.', conditions: '[{"field":"type","operator":"equals","value":"bug"}]' };
    const effects = ['fix-login', 'other'].map((taskId) => ({ taskId, before: 'default', after: 'bug', isOtherText: false }));
    const dry = await engine.orchestrator.rules.set('bug', change, { dryRun: true });
    expect(dry).toMatchObject({ effects, tasks: 2 });
    expect(rules.size).toBe(0);
    expect(await engine.orchestrator.rules.set('bug', change, { dryRun: false })).toMatchObject({ effects, text: dry.text });
    expect(rules.get('bug.md')).toBe(dry.text);
    expect(await engine.orchestrator.rules.set('bug', { template: 'Other.' }, { dryRun: true })).toMatchObject({
      effects: [{ before: 'bug', after: 'bug', isOtherText: true }, { isOtherText: true }],
    });
    expect((await engine.orchestrator.rules.set('bug', { priority: 3 }, { dryRun: true })).effects).toEqual([]);
    expect(await engine.orchestrator.rules.remove('bug', { dryRun: true })).toMatchObject({
      effects: [{ before: 'bug', after: 'default' }, {}],
      rule: undefined,
    });
    await engine.orchestrator.rules.remove('bug', { dryRun: false });
    expect(rules.size).toBe(0);
    await expect(engine.orchestrator.rules.remove('default', { dryRun: true })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(engine.orchestrator.rules.remove('nothing', { dryRun: true })).rejects.toMatchObject({ code: 'RULE_NOT_FOUND' });
  });

  it('lists a rule that lacks a value among those that do not fit, and says what it lacks', async () => {
    const engine = await makeEngine({ rules: new Map([['picky.md', PICKY]]) });
    const found = await engine.orchestrator.rules.preview({ taskId: 'fix-login' });
    expect(found.rule?.id).toBe('default');
    const picky = found.misses.find(({ id }) => id === 'picky') ?? expect.fail('the rule is not among the misses');
    expect(found.explain(picky)).toEqual([
      { holds: false, depth: 0, text: 'it needs a value for focus' },
      { holds: true, depth: 0, text: 'it has no conditions' },
    ]);
    const given = await engine.orchestrator.rules.preview({ taskId: 'fix-login', args: { focus: 'speed' } });
    expect(given.rule?.id).toBe('picky');
    expect(given.misses.map(({ id }) => id)).not.toContain('picky');
  });

  it('says of a rule that needs a value that no start without one begins with it', async () => {
    const rules = new Map<string, string>();
    const engine = await makeEngine({ rules });
    expect((await engine.orchestrator.rules.set('picky', { text: PICKY }, { dryRun: false })).effects).toEqual([]);
    expect((await engine.orchestrator.rules.set('picky', { priority: 3 }, { dryRun: true })).effects).toEqual([]);
    expect((await engine.orchestrator.rules.remove('picky', { dryRun: true })).effects).toEqual([]);
  });

  it('makes changes that come at once one after the other, so that none undoes another', async () => {
    const rules = new Map([['bug.md', BUG]]);
    const engine = await makeEngine({ rules });
    const { set } = engine.orchestrator.rules;
    const refused = set('bug', { conditions: '[{' }, { dryRun: false });
    const done = [set('bug', { priority: 3 }, { dryRun: false }), set('bug', { name: 'Bugs' }, { dryRun: false })];
    await expect(refused).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await Promise.all(done);
    expect(rules.get('bug.md')).toBe(
      BUG.replace('priority: 10', 'priority: 3').replace('\n---\nDebug', '\nname: Bugs\n---\nDebug'),
    );
  });
});
