import { describe, expect, it } from 'vitest';
import { AgentResult } from '../../core/ending.ts';
import { factOfLine } from '../../runners/agent-record.ts';
import { createRunFacts } from '../../runners/run-facts.ts';
import { readLine } from '../../runners/transcript.ts';

const json = (value: unknown) => readLine(JSON.stringify(value), 'stream-json');
const assistant = (...content: unknown[]) => ({ type: 'assistant', message: { role: 'assistant', content }, session_id: 's' });
const user = (content: unknown) => ({ type: 'user', message: { role: 'user', content }, timestamp: '2026-11-24T09:00:00.000Z' });

const HOOK = { type: 'system', subtype: 'hook_response', hook_name: 'Stop', output: 'no\n' };

/** JSON that is nested deeper than functions that call themselves can bear. */
const DEEP = `${'['.repeat(9000)}${']'.repeat(9000)}`;

describe('a line of stream-json', () => {
  it.each([
    [
      'the beginning',
      { type: 'system', subtype: 'init', session_id: 'abc', model: 'opus', permissionMode: 'plan', tools: [] },
      [{ kind: 'start', text: 'conversation abc, model opus, permission mode plan' }],
    ],
    ['text', assistant({ type: 'text', text: 'hello\u2028there' }), [{ kind: 'text', text: 'hello\u2028there' }]],
    ['thinking', assistant({ type: 'thinking', thinking: 'hm', signature: 'x' }), [{ kind: 'thinking', text: 'hm' }]],
    ['hidden thinking', assistant({ type: 'thinking', thinking: '', signature: 'x' }), []],
    [
      'a tool call',
      assistant({ type: 'tool_use', id: 't1', name: 'Bash', input: { command: 'ls' } }),
      [{ kind: 'tool_use', tool: 'Bash', text: '{"command":"ls"}' }],
    ],
    ['an unknown block', assistant({ type: 'server_tool_use' }), [{ kind: 'output', text: '[server_tool_use]' }]],
    [
      'a tool answer as text',
      user([{ type: 'tool_result', tool_use_id: 't1', content: 'a\nb' }]),
      [{ at: '2026-11-24T09:00:00.000Z', kind: 'tool_result', text: 'a\nb' }],
    ],
    [
      'a tool answer in blocks',
      user([
        {
          type: 'tool_result',
          tool_use_id: 't1',
          content: [
            { type: 'text', text: 'a' },
            { type: 'image', source: {} },
          ],
        },
      ]),
      [{ at: '2026-11-24T09:00:00.000Z', kind: 'tool_result', text: 'a\n[image]' }],
    ],
    ['a prompt', user('go on'), [{ at: '2026-11-24T09:00:00.000Z', kind: 'prompt', text: 'go on' }]],
    [
      'what the agent says to itself',
      { ...user('Call it now.'), isSynthetic: true },
      [{ at: '2026-11-24T09:00:00.000Z', kind: 'output', text: 'Call it now.' }],
    ],
    [
      'that it was interrupted',
      user([{ type: 'text', text: '[Request interrupted by user for tool use]' }]),
      [{ at: '2026-11-24T09:00:00.000Z', kind: 'output', text: '[Request interrupted by user for tool use]' }],
    ],
    ['nothing of a request about it', { type: 'control_response', response: { subtype: 'success', request_id: 'x' } }, []],
    ['a quota that is fine', { type: 'rate_limit_event', rate_limit_info: { status: 'allowed' } }, []],
    [
      'a quota used up',
      { type: 'rate_limit_event', rate_limit_info: { status: 'rejected', resetsAt: 1_800_000_000 } },
      [{ kind: 'error', text: "the account's quota is used up; it resets at 2027-01-15T08:00:00.000Z" }],
    ],
    ['nothing of how far a message has come', { type: 'command_lifecycle', command_uuid: 'x', state: 'queued' }, []],
    ['nothing of how far a task has come', { type: 'system', subtype: 'task_progress', task_id: 'x', description: 'Reads' }, []],
    ['nothing of a hook that did well', { ...HOOK, outcome: 'success' }, []],
    ['a hook that failed', { ...HOOK, outcome: 'error' }, [{ kind: 'output', text: 'the hook Stop ended with error: no' }]],
    [
      'a note',
      { type: 'system', subtype: 'informational', content: 'Mind the gap.', level: 'notice' },
      [{ kind: 'output', text: 'Mind the gap.' }],
    ],
    [
      'a notice',
      { type: 'system', subtype: 'notification', key: 'x', text: 'A hook has a problem.' },
      [{ kind: 'output', text: 'A hook has a problem.' }],
    ],
    [
      'that a conversation was compacted',
      { type: 'system', subtype: 'compact_boundary', compact_metadata: { trigger: 'auto', pre_tokens: 1 } },
      [{ kind: 'output', text: 'the conversation was compacted (auto)' }],
    ],
  ])('tells %s', (_name, record, entries) => {
    expect(json(record).entries).toEqual(entries);
  });

  it('that asks for a permission, or does not any more, tells that and is no entry', () => {
    const request = { subtype: 'can_use_tool', tool_name: 'Bash', input: { command: 'ls' }, tool_use_id: 'toolu_1' };
    expect(json({ type: 'control_request', request_id: 'x', request })).toEqual({
      entries: [],
      works: true,
      asks: { callId: 'x', tool: 'Bash', input: { command: 'ls' } },
    });
    expect(json({ type: 'control_cancel_request', request_id: 'x' })).toEqual({ entries: [], withdrawn: 'x' });
    expect(json({ type: 'control_request', request_id: 'x', request: { subtype: 'mcp_message' } })).toEqual({ entries: [] });
  });

  it('that repeats a message is its receipt, and names only the last of those taken up together', () => {
    const texts = ['one', 'two'].map((text) => ({ type: 'text', text }));
    expect(json({ ...user(texts), isReplay: true, uuid: 'the-id' })).toEqual({
      entries: [{ at: '2026-11-24T09:00:00.000Z', kind: 'prompt', text: 'two' }],
      works: true,
      received: 'the-id',
    });
    expect(json({ ...user('go on'), uuid: 'the-id' }).received).toBeUndefined();
  });

  it('tells of a failed call, with its attempt and status', () => {
    const reading = json({
      type: 'system',
      subtype: 'api_retry',
      attempt: 3,
      max_retries: 10,
      retry_delay_ms: 2206.25,
      error_status: 529,
      error: 'overloaded',
    });
    expect(reading).toEqual({
      entries: [{ kind: 'retry', text: 'attempt 3 of 10 failed: overloaded 529, again in 2206 ms' }],
    });
    expect(json({ type: 'system', subtype: 'api_retry', attempt: 1, error_status: null }).entries).toEqual([
      { kind: 'retry', text: 'attempt 1 failed: no answer' },
    ]);
  });

  it('names the tool of an answer when its call was read before', () => {
    const tools = new Map<string, string>();
    readLine(JSON.stringify(assistant({ type: 'tool_use', id: 't9', name: 'Grep', input: {} })), 'stream-json', tools);
    expect(
      readLine(JSON.stringify(user([{ type: 'tool_result', tool_use_id: 't9', content: 'x' }])), 'stream-json', tools).entries[0]
        ?.tool,
    ).toBe('Grep');
  });

  it.each([
    '{"type":"assistant","message":{"con',
    'plain words',
    '[1]',
    'null',
    '{"type":"assistant"}',
    '{"type":"system","subtype":"new_thing"}',
    '{"type":"system","subtype":"task_started"}',
    '{"type":"system","subtype":"informational"}',
    '{"type":"system","subtype":"compact_boundary"}',
    '{"__proto__":1}',
    `{"a":${'['.repeat(5000)}`,
  ])('that is not understood is output: %.40s', (line) => {
    expect(readLine(line, 'stream-json')).toEqual({ entries: [{ kind: 'output', text: line }] });
  });

  it('that is empty says nothing, and in plain text is output', () => {
    expect(readLine('', 'stream-json').entries).toEqual([]);
    expect(readLine('', 'text').entries).toEqual([{ kind: 'output', text: '' }]);
    expect(readLine('{"type":"result"}', 'text')).toEqual({ entries: [{ kind: 'output', text: '{"type":"result"}' }] });
  });
});

describe('the result of an agent', () => {
  const result = (fields: object) => json({ type: 'result', subtype: 'success', ...fields }).result;

  it('carries text, cost, turns, tokens and denials', () => {
    const usage = { input_tokens: 1, cache_creation_input_tokens: 10, cache_read_input_tokens: 100, output_tokens: 7 };
    const record = {
      is_error: false,
      result: 'done',
      total_cost_usd: 0.5,
      num_turns: 3,
      duration_ms: 9,
      usage,
      permission_denials: [{ tool_name: 'Bash', tool_use_id: 't', tool_input: {} }],
    };
    expect(result(record)).toEqual({
      text: 'done',
      isError: false,
      subtype: 'success',
      costUsd: 0.5,
      turns: 3,
      durationMs: 9,
      inputTokens: 111,
      outputTokens: 7,
      permissionDenials: ['Bash'],
    });
  });

  it.each([
    ['auth', { is_error: true, api_error_status: 403, result: 'Failed to authenticate. API Error: 403' }],
    ['auth', { is_error: true, result: 'Invalid API key · Please run /login' }],
    ['rate_limited', { is_error: true, api_error_status: 429, result: 'API Error: 429' }],
    ['rate_limited', { is_error: true, result: "You've hit your session limit · resets 3pm" }],
    ['budget', { is_error: true, subtype: 'error_max_budget_usd', errors: ['Reached maximum budget ($0.0001)'] }],
    ['refused', { is_error: false, stop_reason: 'refusal', result: '' }],
    ['agent_error', { is_error: true, subtype: 'error_max_turns', errors: ['Reached maximum number of turns (1)'] }],
    ['agent_error', { is_error: true, api_error_status: 529, result: 'API Error: Overloaded' }],
  ])('is an error about %s: %j', (errorKind, record) => {
    expect(result(record)).toMatchObject({ isError: true, errorKind });
  });

  it.each([
    [true, { api_error_status: 529, result: 'API Error: Overloaded' }],
    [true, { api_error_status: null, result: 'API Error: Repeated 529 Overloaded errors. The API is at capacity' }],
    [true, { result: 'API Error: 500 Internal server error' }],
    [undefined, { api_error_status: 400, result: 'API Error: 400 the overloaded operator is no tool' }],
    [undefined, { result: 'The class has an overloaded method, which I could not mend.' }],
  ])('may pass by itself: %s for %j', (isTransient, record) => {
    expect(result({ is_error: true, ...record })?.isTransient).toBe(isTransient);
  });

  it('carries the structured data of a turn that kept to its schema', () => {
    expect(result({ is_error: false, result: '{"n":1}', structured_output: { n: 1 } })).toMatchObject({ data: { n: 1 } });
  });

  it('of several turns is the word of the last and the work of all', () => {
    const facts = createRunFacts('stream-json');
    const turn = (fields: object) => facts.take(JSON.stringify({ type: 'result', duration_ms: 5, num_turns: 2, ...fields }), 1);
    turn({ is_error: true, total_cost_usd: 0.25, usage: { input_tokens: 1, output_tokens: 2 } });
    turn({ is_error: false, result: 'good', total_cost_usd: 0.75, usage: { input_tokens: 10, output_tokens: 20 } });
    expect(facts.result).toEqual({
      text: 'good',
      isError: false,
      costUsd: 0.75,
      turns: 4,
      durationMs: 10,
      inputTokens: 11,
      outputTokens: 22,
    });
  });

  it('is waited for no longer where an agent only acknowledges what it knows from before', () => {
    const echo = JSON.stringify({ ...user('known'), isReplay: true, uuid: 'the-id' });
    const resumed = createRunFacts('stream-json');
    expect(resumed.take(echo, 7)).toEqual({ received: 'the-id' });
    expect(resumed.doneAt).toBe(7);
    const begun = createRunFacts('stream-json');
    begun.take('{"type":"system","subtype":"init","session_id":"s"}', 6);
    begun.take(echo, 7);
    expect(begun.doneAt).toBeUndefined();
  });

  it('is no error because of words in its text', () => {
    expect(result({ is_error: false, result: 'I fixed the rate limit and the invalid api key handling' })).toEqual({
      text: 'I fixed the rate limit and the invalid api key handling',
      isError: false,
      subtype: 'success',
    });
  });

  it('is cut at 20,000 characters and survives odd fields', () => {
    expect(
      result({ is_error: false, result: 'x'.repeat(30_000), num_turns: 'many', usage: null, permission_denials: 5 }),
    ).toEqual({ text: 'x'.repeat(20_000), isError: false, subtype: 'success' });
  });

  it('keeps no figure that cannot be one', () => {
    const odd = { usage: { input_tokens: 0.5, output_tokens: 1e300 }, total_cost_usd: -1, num_turns: 1.5 };
    const { result } = json({ type: 'result', is_error: false, result: 'done', ...odd });
    expect(result).toEqual({ text: 'done', isError: false, turns: 1.5 });
    expect(AgentResult.parse(result)).toEqual(result);
  });

  it.each([
    ['a time that is none', '{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1.7e15}}'],
    [
      'a use of a tool',
      `{"type":"assistant","message":{"content":[{"type":"tool_use","id":"a","name":"Bash","input":${DEEP}}]}}`,
    ],
    ['a result', `{"type":"result","is_error":false,"result":"done","structured_output":${DEEP}}`],
  ])('of which one cannot make anything is told as it is: %s', (_, text) => {
    expect(readLine(text, 'stream-json').entries).toMatchObject([{ text: expect.any(String) }]);
    expect(createRunFacts('stream-json').take(text, 0)).toEqual({});
    expect(() => factOfLine(text)).not.toThrow();
  });

  it('takes the time of reset from an older text, or from the record before it', () => {
    expect(result({ is_error: true, result: 'Claude AI usage limit reached|1800000000' })).toMatchObject({
      errorKind: 'rate_limited',
      resetsAt: '2027-01-15T08:00:00.000Z',
    });
    const facts = createRunFacts('stream-json');
    facts.take('{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1800000000}}', 1);
    facts.take('{"type":"result","is_error":true,"api_error_status":429}', 2);
    expect(facts.result).toMatchObject({ errorKind: 'rate_limited', resetsAt: '2027-01-15T08:00:00.000Z' });
  });

  it('stays as it was once it is frozen, and is not looked for in plain text', () => {
    const facts = createRunFacts('stream-json');
    facts.take('{"type":"result","is_error":false,"result":"good"}', 5);
    expect(facts.doneAt).toBe(5);
    facts.freeze();
    facts.take('{"type":"result","is_error":true,"result":"interrupted"}', 6);
    expect(facts.result?.text).toBe('good');
    expect(facts.take(JSON.stringify({ ...user('late'), isReplay: true, uuid: 'late-id' }), 7)).toEqual({ received: 'late-id' });
    const plain = createRunFacts('text');
    plain.take('{"type":"result","is_error":false,"result":"said by a test"}', 1);
    expect(plain.result).toBeUndefined();
  });
});
