// Speaking to the real Claude Code through a run, on the stub model.
import { existsSync } from 'node:fs';
import { appendFile, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { AgentEntry } from '../../core/agent.ts';
import type { RunSpec } from '../../core/run-ports.ts';
import { createAutonomousRunner } from '../../runners/autonomous.ts';
import { readLine } from '../../runners/transcript.ts';
import { type ClaudeSandbox, claudeSandbox } from '../support/claude.ts';
import { processesLeft } from '../support/processes.ts';
import { type StubModel, startStubModel } from '../support/stub-model.ts';
import { eventually, followed, openRig, type Rig, said } from './rig.ts';

// on a busy machine Claude Code alone takes half a minute to start
vi.setConfig({ testTimeout: 180_000 });

let rig: Rig;
let stub: StubModel;
let sandbox: ClaudeSandbox;
beforeAll(async () => {
  rig = await openRig();
  stub = await startStubModel();
  sandbox = await claudeSandbox({ modelUrl: stub.url });
});
afterAll(async () => {
  await sandbox.close();
  await stub.close();
  await rig.close();
});

async function started(
  sessionId: string,
  text: string,
  more: Partial<RunSpec> = {},
  tools: readonly string[] = ['Bash'],
  { start } = rig.runner,
) {
  const first = said(text);
  const agent = { ...AgentEntry.parse({ kind: 'claude', permissionMode: 'default', tools }), name: 'claude' };
  const conversationId = crypto.randomUUID();
  const spec = { agent, messages: [first], cwd: sandbox.cwd, env: { ...sandbox.env }, conversationId, ...more };
  const run = await start(rig.spec(sessionId, '', undefined, spec));
  return { first, run, follow: followed(run), conversationId };
}

async function entriesOf(sessionId: string, kind: string): Promise<string[]> {
  const lines = (await readFile(path.join(rig.folder(sessionId), 'out'), 'utf8')).split('\n');
  const tools = new Map<string, string>();
  return lines
    .flatMap((line) => readLine(line, 'stream-json', tools).entries)
    .flatMap((entry) => (entry.kind === kind ? [entry.text] : []));
}

it('a message said during a command is acted on in the same run, and the log has it once', async () => {
  const { first, run, follow } = await started('during', '@@tool Bash {"command":"touch begun; sleep 2"}\n@@say first');
  await eventually(() => existsSync(path.join(sandbox.cwd, 'begun')) || undefined, 120_000);
  const second = said('Please:\n@@tool Bash {"command":"echo sec\u00f6nd \u{1F600}"}\n@@say got {{last}}');
  await run.tell(second);
  await run.tell(second);
  expect(await follow.done).toMatchObject({
    exit: { code: 0 },
    result: { isError: false, text: 'got secönd \u{1F600}', turns: 3 },
  });
  expect(follow.received()).toEqual([first.promptId, second.promptId]);
  expect(await entriesOf('during', 'prompt')).toEqual([first.text, second.text]);
  expect(await processesLeft(sandbox.root, 2000)).toEqual([]);
});

it('an interrupt ends the command that runs, and the run goes on with the message', async () => {
  await rm(path.join(sandbox.cwd, 'begun'), { force: true });
  const { first, run, follow } = await started('interrupt', '@@tool Bash {"command":"touch begun; sleep 600"}\n@@say never');
  await eventually(() => existsSync(path.join(sandbox.cwd, 'begun')) || undefined, 120_000);
  const second = said('@@say instead', 'interrupt');
  await run.tell(second);
  expect(await follow.done).toMatchObject({ exit: { code: 0 }, result: { isError: false, text: 'instead' } });
  expect(follow.received()).toEqual([first.promptId, second.promptId]);
  expect(await entriesOf('interrupt', 'prompt')).toEqual([first.text, second.text]);
  expect(await processesLeft(sandbox.root, 2000)).toEqual([]);
});

it('a settled conversation that is gone on with remembers, and takes a message it has only once', async () => {
  const { first, follow, conversationId } = await started('settled', '@@tool Bash {"command":"echo remembered"}\n@@say first');
  expect(await follow.done).toMatchObject({ exit: { code: 0 }, result: { text: 'first' } });
  const second = said('@@say it was {{last}}');
  const resumed = { run: 2, resume: true, conversationId };
  const next = await started('settled', '', { ...resumed, messages: [second] });
  expect(await next.follow.done).toMatchObject({ exit: { code: 0 }, result: { text: 'it was remembered' } });
  expect(next.follow.received()).toEqual([second.promptId]);
  const again = await started('settled', '', { ...resumed, run: 3, messages: [first] });
  expect(await again.follow.done).toMatchObject({ exit: { code: 0 }, result: undefined });
  expect(again.follow.received()).toEqual([first.promptId]);
  expect(stub.requests().filter(({ sessionId, turn }) => sessionId === conversationId && turn === 0)).toHaveLength(2);
});

it('ends with the data that was asked for', async () => {
  const resultSchema = JSON.stringify({ type: 'object', properties: { answer: { type: 'number' } }, required: ['answer'] });
  const script = '@@tool StructuredOutput {"answer":"bad"}\n@@tool StructuredOutput {"answer":42}';
  const { follow } = await started('data', script, { resultSchema });
  expect(await follow.done).toMatchObject({ exit: { code: 0 }, result: { isError: false, data: { answer: 42 } } });
});

/** The next thing it asks. */
const asksOf = ({ events }: ReturnType<typeof followed>) =>
  eventually(() => events.find((event) => event.kind === 'asks'), 120_000);
const ASKING = '@@tool Bash {"command":"echo \\"as\u00f6ked\\" >> permitted"}\n@@say it was {{last}}';
const permitted = () => readFile(path.join(sandbox.cwd, 'permitted'), 'utf8').catch(() => '');

it('asks about what nobody allowed, and does it when that is allowed', async () => {
  await rm(path.join(sandbox.cwd, 'permitted'), { force: true });
  const { run, follow } = await started('allowed', ASKING, {}, []);
  const { callId, tool, input } = await asksOf(follow);
  expect({ tool, input }).toEqual({ tool: 'Bash', input: { command: 'echo "as\u00f6ked" >> permitted' } });
  expect(await permitted()).toBe('');
  await run.answer(callId, { behavior: 'allow' });
  expect(await follow.done).toMatchObject({ exit: { code: 0 }, result: { isError: false } });
  expect(await permitted()).toBe('as\u00f6ked\n');
});

it('is told why it may not', async () => {
  await rm(path.join(sandbox.cwd, 'permitted'), { force: true });
  const { run, follow } = await started('denied', ASKING, {}, []);
  const { callId } = await asksOf(follow);
  await run.answer(callId, { behavior: 'deny', message: 'Not on a Friday.' });
  expect(await follow.done).toMatchObject({
    exit: { code: 0 },
    result: { text: 'it was Not on a Friday.', permissionDenials: ['Bash'] },
  });
  expect(await permitted()).toBe('');
});

it('is answered once, by the hub that follows it then', async () => {
  await rm(path.join(sandbox.cwd, 'permitted'), { force: true });
  const { follow } = await started('across', ASKING, {}, []);
  const { callId } = await asksOf(follow);
  const [second, third] = [createAutonomousRunner(rig.options), createAutonomousRunner(rig.options)];
  const next = await second.adopt('across', 1);
  if (!next) throw new Error('The run was not found.');
  const nextFollow = followed(next);
  expect(await asksOf(nextFollow)).toMatchObject({ callId, tool: 'Bash' });
  await next.answer('nobody asked this', { behavior: 'allow' });
  await Promise.all([next.answer(callId, { behavior: 'allow' }), next.answer(callId, { behavior: 'deny', message: 'late' })]);
  const last = await third.adopt('across', 1);
  const lastFollow = last && followed(last);
  expect(await nextFollow.done).toMatchObject({ exit: { code: 0 }, result: { isError: false } });
  await Promise.all([lastFollow?.done, follow.done]);
  expect(lastFollow?.events.filter(({ kind }) => kind === 'asks')).toEqual([]);
  expect(await permitted()).toBe('as\u00f6ked\n');
  const said = (await readFile(path.join(rig.folder('across'), 'in'), 'utf8')).split('\n');
  expect(said.filter((line) => line.includes('control_response'))).toHaveLength(1);
});

it('goes on with what it has at work in the background after its result, is answered, and says another result', async () => {
  await rm(path.join(sandbox.cwd, 'permitted'), { force: true });
  // quicker than its own agent, which asks after the result
  const impatient = createAutonomousRunner({ ...rig.options, resultGraceMs: 500 });
  const inner = `@@sleep 2000\n${ASKING}`;
  const nested = { description: 'inner', subagent_type: 'general-purpose', run_in_background: true, prompt: inner };
  const script = `@@tool Agent ${JSON.stringify(nested)}\n@@say outer is done`;
  const { run, follow } = await started('background', script, {}, [], impatient);
  const { callId } = await asksOf(follow);
  expect(await entriesOf('background', 'result')).toEqual(['outer is done']);
  await run.answer(callId, { behavior: 'allow' });
  const { exit, result } = await follow.done;
  expect({ exit, result }).toMatchObject({ exit: { code: 0 }, result: { isError: false, turns: 3 } });
  expect(await permitted()).toBe('as\u00f6ked\n');
  expect(await entriesOf('background', 'result')).toEqual(['outer is done', result?.text]);
  expect(await entriesOf('background', 'output')).toMatchObject([expect.stringMatching(/^a background task has completed: /)]);
});

it('tells nothing in its log that no person reads', async () => {
  const hook = (command: string) => [{ matcher: '*', hooks: [{ type: 'command', command }] }];
  const hooks = {
    SessionStart: hook('echo begun'),
    PreToolUse: hook('exit 0'),
    PostToolUse: hook('echo \'{"systemMessage":"noted"}\''),
  };
  const nested = {
    description: 'inner',
    subagent_type: 'general-purpose',
    run_in_background: false,
    prompt: '@@say inner is done',
  };
  const script = [
    `@@tool Agent ${JSON.stringify(nested)}`,
    // long enough to become a task
    '@@tool Bash {"command":"echo begun; sleep 4"}',
    '@@error 529 1',
    '@@say done',
  ].join('\n');
  const agent = AgentEntry.parse({
    kind: 'claude',
    tools: ['Bash', 'Agent', 'Task'],
    args: [`--settings=${JSON.stringify({ hooks })}`],
  });
  const { follow } = await started('quiet', script, { agent: { ...agent, name: 'claude' } });
  expect(await follow.done).toMatchObject({ exit: { code: 0 }, result: { text: 'done' } });
  const told = await entriesOf('quiet', 'output');
  expect(told.filter((text) => !text.endsWith('noted'))).toEqual([]);
  expect(await entriesOf('quiet', 'retry')).toHaveLength(1);
});

it('calls its hub on its output, from the first turn on, and the next hub knows what was answered', async () => {
  const { run, follow } = await started('calls', '@@tool mcp__scopecraft__greet {"name":"Ada"}\n@@say got {{last}}', {
    mcp: { url: 'http://127.0.0.1:1/mcp', token: 'never used' },
  });
  const schema = { type: 'object', properties: { name: { type: 'string' } } };
  const answers: Record<string, (params: unknown) => object> = {
    initialize: () => ({ protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'x', version: '1' } }),
    'tools/list': () => ({ tools: [{ name: 'greet', description: 'Greets.', inputSchema: schema }] }),
  };
  const Said = z.looseObject({ id: z.number().optional(), method: z.string(), params: z.unknown().optional() });
  const answer = async (seen: number) => {
    const call = await eventually(() => follow.events.filter(({ kind }) => kind === 'calls')[seen], 120_000);
    if (call.kind !== 'calls') throw new Error('It was something else.');
    const { id, method, params } = Said.parse(call.message);
    if (method === 'tools/call') return { ...call, id, params };
    await run.reply(call.callId, { jsonrpc: '2.0', id: id ?? 0, result: answers[method]?.(params) ?? {} });
    return answer(seen + 1);
  };
  const call = await answer(0);
  expect(call).toMatchObject({ isReplied: false, params: { name: 'greet', arguments: { name: 'Ada' } } });

  const next = await createAutonomousRunner(rig.options).adopt('calls', 1);
  if (!next) throw new Error('The run was not found.');
  const nextFollow = followed(next);
  const heard = () => nextFollow.events.flatMap((event) => (event.kind === 'calls' ? [event] : []));
  await eventually(() => heard().some(({ callId }) => callId === call.callId) || undefined, 20_000);
  expect(heard().filter(({ isReplied }) => !isReplied)).toMatchObject([{ callId: call.callId }]);
  expect(heard()[0]).toMatchObject({ isReplied: true, message: { method: 'initialize' } });
  const content = [{ type: 'text', text: 'Hello, Ad\u00e4.' }];
  const answered = { jsonrpc: '2.0', id: call.id, result: { content } };
  await next.reply(call.callId, answered);
  await Promise.all([next.reply(call.callId, { ...answered, result: {} }), run.reply(call.callId, { ...answered, result: {} })]);
  expect(await nextFollow.done).toMatchObject({ exit: { code: 0 }, result: { isError: false, text: 'got Hello, Ad\u00e4.' } });
  await follow.done;
  expect(await entriesOf('calls', 'output')).toEqual([]);
});

it('a call that is too long to be read is told as such, and can be refused', async () => {
  const run = await rig.runner.start(rig.spec('long', '@@hang'));
  const follow = followed(run);
  await eventually(() => follow.events.some(({ kind }) => kind === 'started') || undefined, 20_000);
  const call = { subtype: 'mcp_message', server_name: 'scopecraft', message: { method: 'x', params: 'x'.repeat(1_100_000) } };
  const line = JSON.stringify({ type: 'control_request', request_id: 'too-long', request: call });
  await appendFile(path.join(rig.folder('long'), 'out'), `${line}\n`);
  const calls = () => follow.events.filter(({ kind }) => kind === 'calls');
  await eventually(() => calls()[0], 20_000);
  expect(calls()).toEqual([{ kind: 'calls', callId: 'too-long', message: undefined, isReplied: false }]);
  await run.reply('too-long', undefined);
  const told = await readFile(path.join(rig.folder('long'), 'in'), 'utf8');
  expect(told).toContain('"subtype":"error","error":"A call may have at most 1 MB."');
  await run.stop({ kind: 'cancelled' });
  await follow.done;
});

it('withdraws what it asks when it is interrupted, and goes on with the message', async () => {
  await rm(path.join(sandbox.cwd, 'permitted'), { force: true });
  const { run, follow } = await started('withdrawn', ASKING, {}, []);
  const { callId } = await asksOf(follow);
  await run.tell(said('@@say instead', 'interrupt'));
  expect(await follow.done).toMatchObject({ exit: { code: 0 }, result: { isError: false, text: 'instead' } });
  expect(follow.events).toContainEqual({ kind: 'withdrawn', callId });
  expect(await permitted()).toBe('');
});

it('that is idle or at work leaves at once when it is stopped', async () => {
  await rm(path.join(sandbox.cwd, 'begun'), { force: true });
  const { run, follow } = await started('stopped', '@@tool Bash {"command":"touch begun; sleep 600"}');
  await eventually(() => existsSync(path.join(sandbox.cwd, 'begun')) || undefined, 120_000);
  const before = Date.now();
  await run.stop({ kind: 'cancelled' });
  await follow.done;
  expect(Date.now() - before).toBeLessThan(8000);
  expect(await processesLeft(sandbox.root, 2000)).toEqual([]);
});
