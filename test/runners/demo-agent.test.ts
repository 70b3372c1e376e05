import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { userLine } from '../../runners/inbox.ts';
import { createRunFacts } from '../../runners/run-facts.ts';
import { readLine } from '../../runners/transcript.ts';
import { openRig, type Rig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterAll(() => rig.close());

/** Plays the prompt, or the lines given, each after the result of the one before. */
async function played(prompt: string, lines = [userLine({ promptId: 'the-prompt', text: prompt, mode: 'queue' })], env = {}) {
  const agent = spawn(process.execPath, [rig.options.scripts.demoAgent, '--session-id=the-id'], {
    env: { ...rig.env, ...env },
    cwd: rig.work,
  });
  const rest = [...lines];
  const sayNext = () => (rest.length > 1 ? agent.stdin.write(rest.shift() ?? '') : agent.stdin.end(rest.shift()));
  sayNext();
  let out = '';
  agent.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
    if (chunk.includes('"type":"result"') && rest.length > 0) sayNext();
  });
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
    agent.once('close', (...end) => resolve(end)),
  );
  const printed = out.split('\n').slice(0, -1);
  const facts = createRunFacts('stream-json');
  const receipts = printed.flatMap((line) => facts.take(line, 0).received ?? []);
  const entries = printed.flatMap((line) => readLine(line, 'stream-json').entries);
  return { code, signal, entries, texts: entries.map(({ kind, text }) => `${kind}: ${text}`), receipts, result: facts.result };
}

it('rehearses a task that has no script', async () => {
  const { code, texts, result } = await played('Fix the login form so that it works again with every browser we support');
  expect(code).toBe(0);
  expect(texts[0]).toBe('start: conversation the-id, model demo, permission mode default');
  expect(texts.filter((text) => /^text: \d\./.test(text))).toHaveLength(3);
  expect(result).toMatchObject({
    text: 'done: Fix the login form so that it works again with every browser',
    isError: false,
    turns: 5,
  });
});

it('plays directives anywhere in the prompt, in order, with the last answer filled in', async () => {
  const file = path.join(rig.work, 'made', 'note.txt');
  const prompt = [
    'Do this:',
    '  @@say first',
    '@@tool Bash {"command":"printf \'a \\"b\\"\'; exit 3"}',
    `@@tool Write {"file_path":${JSON.stringify(file)},"content":"got {{last}}"}`,
    '@@tool Fly {}',
    '@@say {{last}}',
    '@@unknown thing',
    '@@cost 1.25',
    'Thanks.',
  ];
  const { code, texts, result } = await played(prompt.join('\n'));
  expect(code).toBe(0);
  expect(await readFile(file, 'utf8')).toBe('got a "b"');
  expect(texts).toEqual(
    expect.arrayContaining([
      'text: first',
      'tool_result: a "b"',
      `tool_result: Wrote ${file}.`,
      'text: There is no tool Fly with this input.',
    ]),
  );
  expect(result).toMatchObject({ isError: false, costUsd: 1.25 });
});

it.each([
  ['@@fail it broke', { code: 1, signal: null, result: { text: 'it broke', isError: true } }],
  ['@@exit 42', { code: 42, signal: null, result: undefined }],
  ['@@die SIGKILL', { code: null, signal: 'SIGKILL', result: undefined }],
  ['@@die INT', { code: null, signal: 'SIGINT', result: undefined }],
  ['@@ask Which colour?', { code: 0, signal: null, result: { text: 'Which colour?', isError: false } }],
])('ends as told: %s', async (directive, expected) => {
  expect(await played(`${directive}\n@@say never`)).toMatchObject(expected);
});

it('asks aloud, once, and ends its turn with that', async () => {
  const { texts } = await played('@@ask Which colour?\n@@say never');
  expect(texts.slice(-2)).toEqual(['text: Which colour?', 'result: Which colour?']);
});

it('ends with what its script says last', async () => {
  const { texts, result } = await played('@@tool Bash {"command":"echo 5"}\n@@say The answer is {{last}}');
  expect(result).toMatchObject({ text: 'The answer is 5', isError: false });
  expect(texts.filter((text) => text === 'text: The answer is 5')).toHaveLength(1);
});

it('fills in fields of an answer, and leaves what is meant for a nested script', async () => {
  const answer = JSON.stringify({ id: 'a-1', list: [{ n: 7 }], text: 'say "hi"' });
  const { texts } = await played(
    [
      `@@tool Bash {"command":${JSON.stringify(`printf '%s' '${answer}'`)}}`,
      '@@say {{last.id}} {{last.list.0.n}} {{last.list}} [{{last.none.more}}] {{!last.id}}',
      '@@tool Say {"id":"{{last.id}}","text":"{{last.text}}","list":{{last.list}}}',
    ].join('\n'),
  );
  expect(texts).toContain('text: a-1 7 [{"n":7}] [] {{last.id}}');
  expect(texts).toContain('tool_use: {"id":"a-1","text":"say \\"hi\\"","list":[{"n":7}]}');
});

it('says so when there is no hub to call', async () => {
  expect((await played('@@mcp session_list {}')).texts).toContain('tool_result: This run was not given the address of a hub.');
});

it('floods', async () => {
  const { entries } = await played('@@flood 5000');
  expect(entries.filter(({ kind, text }) => kind === 'text' && text.endsWith('of 5000'))).toHaveLength(5000);
});

it('plays each message in a turn of its own, acknowledges it by its id, and counts its cost over all', async () => {
  const lines = ['@@cost 0.5\n@@say one', '@@say two'].map((text, at) => userLine({ promptId: `id-${at}`, text, mode: 'queue' }));
  const { code, texts, result, receipts } = await played('', lines);
  expect(code).toBe(0);
  expect(receipts).toEqual(['id-0', 'id-1']);
  expect(texts.filter((text) => /^(start|result)/.test(text)).map((text) => text.slice(0, 12))).toEqual([
    'start: conve',
    'result: one',
    'start: conve',
    'result: two',
  ]);
  expect(result).toMatchObject({ text: 'two', costUsd: 0.5, turns: 2 });
});

it('ends at a line that is not JSON, as Claude Code does', async () => {
  expect(await played('', ['plain words\n'])).toMatchObject({ code: 1, entries: [] });
});

it('ends with data', async () => {
  const echo = JSON.stringify({ command: `echo '{"n":7}'` });
  const { result } = await played(`@@tool Bash ${echo}\n@@data {"n":{{last.n}}}\n@@say never`);
  expect(result).toMatchObject({ isError: false, text: '{"n":7}', data: { n: 7 } });
});

/** Plays the prompt and answers each control request as told, or ends the input. */
async function asking(prompt: string, answer: (line: string) => string | undefined) {
  const agent = spawn(process.execPath, [rig.options.scripts.demoAgent], { env: rig.env, cwd: rig.work });
  agent.stdin.write(userLine({ promptId: 'the-prompt', text: prompt, mode: 'queue' }));
  const texts: string[] = [];
  for await (const line of createInterface(agent.stdout)) {
    const { entries, asks, withdrawn, result } = readLine(line, 'stream-json');
    texts.push(...entries.map(({ kind, text }) => `${kind}: ${text}`));
    if (asks) {
      texts.push(`asks: ${asks.tool} ${JSON.stringify(asks.input)}`);
      const said = answer(asks.callId);
      if (said === undefined) agent.stdin.end();
      else agent.stdin.write(said);
    }
    if (withdrawn !== undefined) texts.push('withdrawn');
    if (result) agent.stdin.end();
  }
  return texts;
}

const answerOf = (response: object) => (callId: string) =>
  `${JSON.stringify({ type: 'control_response', response: { subtype: 'success', request_id: callId, response } })}\n`;

it('asks for permission on its output, and does as it is told on its input', async () => {
  const script = '@@permission Bash {"command":"echo asked"}\n@@say it was {{last}}';
  const allowed = await asking(script, answerOf({ behavior: 'allow', updatedInput: { command: 'echo changed' } }));
  expect(allowed).toContain('asks: Bash {"command":"echo asked"}');
  expect(allowed).toContain('result: it was changed');
  expect(await asking(script, answerOf({ behavior: 'deny', message: 'Not on a Friday.' }))).toContain(
    'result: it was Not on a Friday.',
  );
  expect(await asking(script, () => undefined)).toContain('result: it was Tool permission request failed: the input has ended.');
});

it('withdraws what it asks when it is interrupted', async () => {
  const interrupt = `${JSON.stringify({ type: 'control_request', request_id: 'i', request: { subtype: 'interrupt' } })}\n`;
  const texts = await asking('@@permission Bash {"command":"echo asked"}\n@@say never', () => interrupt);
  expect(texts).toContain('withdrawn');
  expect(texts.at(-1)).toBe('result: agent_error: error_during_execution');
});

it('says so when there is no hub to ask a question through', async () => {
  expect((await played('@@question Which colour?')).texts).toContain('tool_result: This run was not given the address of a hub.');
});
