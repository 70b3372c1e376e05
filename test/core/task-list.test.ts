// task_list where nothing is found: it says where tasks belong, or what there is instead.
import { expect, it } from 'vitest';
import { taskList } from '../../tools/task-list.ts';
import { callTool } from '../support/call-tool.ts';
import { makeEngine } from '../support/engine.ts';

it('says where tasks belong when there are none', async () => {
  const engine = await makeEngine({ tasks: { list: async () => [] } });
  expect(await callTool(engine, taskList, {})).toMatchObject({
    summary: '0 of 0 tasks. A task is a Markdown file: .tasks/<id>.task.md.',
    total: 0,
  });
});

it('says how many there are, with which statuses, when none matches', async () => {
  const engine = await makeEngine();
  expect(await callTool(engine, taskList, { status: 'open' })).toMatchObject({
    summary: '0 of 0 tasks. None of the 2 there are matches. Statuses are: todo.',
    tasks: [],
  });
  expect(await callTool(engine, taskList, { status: 'to do', limit: 1 })).toMatchObject({ summary: '1 of 2 tasks.' });
});
