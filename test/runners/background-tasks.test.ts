// What Claude Code has at work in the background after its result, as its records tell of it: whether it is done.
import { describe, expect, it } from 'vitest';
import { createRunFacts } from '../../runners/run-facts.ts';
import { readLine } from '../../runners/transcript.ts';

const system = (subtype: string, fields: object = {}) => ({ type: 'system', subtype, session_id: 's', ...fields });
const INIT = system('init');
const RESULT = { type: 'result', is_error: false, result: 'good' };
const begun = (id: string, fields: object = {}) => system('task_started', { task_id: id, tool_use_id: `use ${id}`, ...fields });
const ended = (id: string) =>
  system('task_notification', { task_id: id, tool_use_id: `use ${id}`, status: 'completed', summary: 'it is done' });
const all = (...tasks: object[]) => system('background_tasks_changed', { tasks });
const said = (fields: object = {}) => ({ type: 'assistant', message: { content: [{ type: 'text', text: 'hm' }] }, ...fields });
const TOLD = {
  type: 'user',
  message: { content: '<task-notification>' },
  uuid: 'not said by us',
  isReplay: true,
  origin: { kind: 'task-notification' },
};

/** When it is done, after records that come a second after the other; the first at 1000. */
function doneAfter(...records: readonly object[]): number | undefined {
  const facts = createRunFacts('stream-json');
  for (const [at, record] of records.entries()) facts.take(JSON.stringify(record), (at + 1) * 1000);
  return facts.doneAt;
}

const WHILE_AT_WORK = 600_000;
const AFTER_ITS_END = 5000;

describe('an agent that said its result', () => {
  it('is not done while a task is at work in the background, unless it falls silent for ten minutes', () => {
    const records = [INIT, all({ task_id: 'a' }), begun('a', { is_backgrounded: true }), RESULT];
    expect(doneAfter(...records)).toBe(4000 + WHILE_AT_WORK);
    // its own agents say this, not the one that is done
    expect(doneAfter(...records, said({ parent_tool_use_id: 'use a' }))).toBe(5000 + WHILE_AT_WORK);
  });

  it('is done at once with the result of the turn that it takes when the task has ended', () => {
    const records = [INIT, all({ task_id: 'a' }), begun('a', { is_backgrounded: true }), RESULT, ended('a'), all()];
    expect(doneAfter(...records)).toBe(6000 + AFTER_ITS_END);
    expect(doneAfter(...records, INIT)).toBeUndefined();
    expect(doneAfter(...records, INIT, said(), RESULT)).toBe(9000);
  });

  it('still takes a turn for a task that ended before its result, unless it was told of that end', () => {
    const records = [INIT, all({ task_id: 'a' }), ended('a'), all()];
    expect(doneAfter(...records, said(), RESULT)).toBe(6000 + AFTER_ITS_END);
    expect(doneAfter(...records, TOLD, said(), RESULT)).toBe(7000);
  });

  it('is done at once where it waited for the task, or nobody has to', () => {
    expect(doneAfter(INIT, begun('a', { is_backgrounded: false }), ended('a'), RESULT)).toBe(4000);
    expect(doneAfter(INIT, begun('a', { is_backgrounded: false }), RESULT)).toBe(3000);
    expect(doneAfter(INIT, begun('a', { ambient: true }), RESULT)).toBe(3000);
    expect(doneAfter(INIT, all({ task_id: 'a', ambient: true }, { task_id: 'b', off_host: true }), RESULT)).toBe(3000);
  });

  it('is understood where an older version does not say what works in the background', () => {
    expect(doneAfter(INIT, begun('a'), ended('a'), said(), RESULT)).toBe(5000);
    expect(doneAfter(INIT, begun('a'), RESULT)).toBe(3000 + WHILE_AT_WORK);
    expect(doneAfter(INIT, begun('a'), RESULT, ended('a'))).toBe(4000 + AFTER_ITS_END);
    expect(doneAfter(INIT, begun('a'), RESULT, ended('a'), INIT, said(), RESULT)).toBe(7000);
  });
});

describe('a record of tasks', () => {
  const read = (record: object, tools?: Map<string, string>) => readLine(JSON.stringify(record), 'stream-json', tools);

  it('is in the log where a task has ended that nobody waited for', () => {
    const entries = [{ kind: 'output', text: 'a background task has completed: it is done' }];
    expect(read(ended('a'))).toEqual({ entries, task: { kind: 'ended', id: 'a' } });
    expect(read(ended('a'), new Map([['use a', 'Agent']])).entries).toEqual([]);
    expect(read({ ...ended('a'), status: undefined }).entries).toMatchObject([{ text: expect.stringContaining('task_not') }]);
  });

  it('is no receipt and no prompt, and in a transcript the only one of its kind', () => {
    expect(read(TOLD)).toEqual({ entries: [], works: true, task: { kind: 'told' } });
    const entries = [{ kind: 'output', text: '<task-notification>' }];
    expect(read({ ...TOLD, isReplay: undefined, sessionId: 's' }).entries).toEqual(entries);
    const attachment = { type: 'queued_command', commandMode: 'task-notification', prompt: '<task-notification>' };
    expect(read({ type: 'attachment', sessionId: 's', attachment }).entries).toEqual(entries);
  });
});
