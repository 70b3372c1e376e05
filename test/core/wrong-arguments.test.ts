// What is said about arguments that do not fit: what is missing, what was probably meant, and how it is to be given.
import { describe, expect, it } from 'vitest';
import type { Tool } from '../../tools/define.ts';
import { eventList } from '../../tools/event-list.ts';
import { promptPreview } from '../../tools/prompt-preview.ts';
import { queueMove } from '../../tools/queue-move.ts';
import { sessionGet } from '../../tools/session-get.ts';
import { sessionList } from '../../tools/session-list.ts';
import { sessionRun } from '../../tools/session-run.ts';
import { sessionStart } from '../../tools/session-start.ts';
import { sessionWait } from '../../tools/session-wait.ts';
import { callTool } from '../support/call-tool.ts';
import { makeEngine } from '../support/engine.ts';

const WRONG: readonly [string, Pick<Tool, 'call'>, object, string][] = [
  ['a missing one', sessionGet, {}, '"sessionId" is missing.'],
  [
    'an unknown one that is a part of a name',
    sessionGet,
    { sessionId: 'a', id: 'a' },
    'Unknown argument "id". Did you mean "sessionId"?',
  ],
  ['a word for one', sessionStart, { task: 'a' }, 'Unknown argument "task". Did you mean "taskId"?'],
  ['a mistyped one', sessionStart, { priorty: 'low' }, 'Unknown argument "priorty". Did you mean "priority"?'],
  [
    'the id of one for several',
    sessionWait,
    { sessionIds: ['a'], session: 'a' },
    'Unknown argument "session". Did you mean "sessionIds"?',
  ],
  [
    'an object for a text',
    sessionStart,
    { resultSchema: { type: 'object' } },
    '"resultSchema" must be a string; give it as JSON text.',
  ],
  ['a number for a text', sessionStart, { taskId: 7 }, '"taskId" must be a value of type string.'],
  ['a number for a name or a yes', sessionStart, { worktree: 7 }, '"worktree" must be a value of type boolean or string.'],
  ['an empty list', sessionWait, { sessionIds: [] }, '"sessionIds" must have at least 1 entry.'],
  ['an empty text', sessionGet, { sessionId: '' }, '"sessionId" must have at least 1 character.'],
  ['a number that is too high', sessionWait, { sessionIds: ['a'], timeoutSeconds: 60 }, '"timeoutSeconds" must be at most 45.'],
  ['nothing to spend', sessionStart, { taskId: 'a', maxCostUsd: 0 }, '"maxCostUsd" must be more than 0.'],
  ['an empty model', sessionStart, { taskId: 'a', model: '' }, '"model": it is empty; without it the agent has its usual one.'],
  ['a flag for a model', sessionStart, { taskId: 'a', model: '-p' }, '"model": it must not begin with a dash.'],
  ['an empty label', sessionStart, { taskId: 'a', label: '' }, '"label" must have at least 1 character.'],
  [
    'a wait that was meant for the run',
    sessionRun,
    { prompt: 'p', timeoutSeconds: 600 },
    '"timeoutSeconds": it must be at most 45; maxRunSeconds limits how long the agent may run.',
  ],
  ['nothing to preview', promptPreview, {}, 'Say for what: "taskId", "sessionId" or "rule".'],
];

describe('a call', () => {
  it.each(WRONG)('with %s says so, once', async (_what, tool, args, message) => {
    const engine = await makeEngine();
    await expect(callTool(engine, tool, args)).rejects.toMatchObject({ code: 'INVALID_INPUT', message, details: {} });
    expect(engine.events).toEqual([]);
  });

  it('with several mistakes lists each of them for programs too', async () => {
    const engine = await makeEngine();
    await expect(callTool(engine, sessionGet, { id: 'a' })).rejects.toMatchObject({
      message: '"sessionId" is missing. Unknown argument "id". Did you mean "sessionId"?',
      details: { problems: ['"sessionId" is missing.', 'Unknown argument "id". Did you mean "sessionId"?'] },
    });
  });

  it('with the file of a task is told the id of the task', async () => {
    const engine = await makeEngine();
    for (const taskId of [
      '.tasks/fix-login.task.md',
      './.tasks/fix-login.task.md',
      'fix-login.task.md',
      '/w/.tasks/fix-login.task.md',
    ])
      for (const tool of [sessionStart, promptPreview])
        await expect(callTool(engine, tool, { taskId })).rejects.toMatchObject({
          code: 'TASK_NOT_FOUND',
          message: `"${taskId}" is the file of a task, not its id. Did you mean "fix-login"?`,
        });
    await expect(callTool(engine, promptPreview, { taskId: 'fix-logn' })).rejects.toThrow('Did you mean "fix-login"?');
  });

  it('with what is no session is told which one was probably meant', async () => {
    const engine = await makeEngine();
    await callTool(engine, sessionStart, { taskId: 'fix-login' });
    const { id } = await callTool(engine, sessionStart, { taskId: 'fix-login', concurrent: true });
    const session = String(id);
    for (const [given, says] of [
      [session.replace('login', 'logn'), `Did you mean "${session}"?`],
      ['fix-login', `"fix-login" is the id of a task, not of a session. Did you mean "${session}", the newest one on it?`],
      [`${session}.1`, `is the id of a request, not of a session. Did you mean "${session}"`],
      [`session://${session}/log`, `is the address of a session, not its id. Did you mean "${session}"?`],
    ] as const)
      for (const [tool, args] of [
        [sessionGet, { sessionId: given }],
        [sessionWait, { sessionIds: [given] }],
        [queueMove, { sessionId: given, place: 1 }],
      ] as const)
        await expect(callTool(engine, tool, args)).rejects.toMatchObject({
          code: 'SESSION_NOT_FOUND',
          message: expect.stringContaining(says),
        });
    // of the same task, and another one all the same
    const other = `${session.slice(0, -4)}zzzz`;
    await expect(callTool(engine, sessionGet, { sessionId: other })).rejects.toMatchObject({
      message: `There is no session "${other}".`,
    });
  });

  it('that filters by what there is not is refused, where nothing can ever match', async () => {
    const engine = await makeEngine();
    const says = (message: string) => ({ code: 'INVALID_INPUT', message });
    for (const [type, message] of [
      ['session.faild', 'There is no event "session.faild". Did you mean "session.failed"?'],
      ['failed', 'There is no event "failed". Did you mean "session.failed"?'],
      ['session', 'There is no event "session". Did you mean "session.*"?'],
      ['sesion.*', 'There is no event "sesion.*". Did you mean "session.*"?'],
    ] as const)
      await expect(callTool(engine, eventList, { types: ['queue.*', type] })).rejects.toMatchObject(says(message));
    await expect(callTool(engine, eventList, { types: ['rubbish-of-mine'] })).rejects.toThrow('Kinds are: session.*, ');
    for (const type of ['*', 'session.st*', 'journal.lost'])
      expect(await callTool(engine, eventList, { types: [type] })).toMatchObject({ total: 0 });
    const { id } = await callTool(engine, sessionStart, { taskId: 'fix-login' });
    expect(await callTool(engine, sessionList, { parentId: id })).toMatchObject({ total: 0 });
    expect(await callTool(engine, sessionList, { taskId: 'none' })).toMatchObject({ total: 0 });
    await expect(callTool(engine, sessionList, { parentId: 'nobody-aaaa' })).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
  });

  it('with a session template that is not there is told which there are', async () => {
    const rules = new Map<string, string>();
    const engine = await makeEngine({ rules });
    const call = () => callTool(engine, sessionStart, { taskId: 'fix-login', template: 'nope' });
    const says = (message: string) => ({ code: 'RULE_NOT_FOUND', message: `There is no session template "nope". ${message}` });
    await expect(call()).rejects.toMatchObject(says('This workspace has none.'));
    rules.set('quick.md', '---\nkind: session\nagent: demo\n---\n');
    await expect(call()).rejects.toMatchObject(says('There are: quick.'));
    rules.set('nape.md', '---\nkind: session\nagent: demo\n---\n');
    await expect(call()).rejects.toMatchObject(says('Did you mean "nape"?'));
  });
});
