// Speaking to the real Claude Code through a run, on the stub model.
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { AgentEntry } from '../../core/agent.ts';
import type { RunSpec } from '../../core/run-ports.ts';
import { readLine } from '../../runners/transcript.ts';
import { type ClaudeSandbox, claudeSandbox } from '../support/claude.ts';
import { startPermissionServer } from '../support/permission-server.ts';
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

async function started(sessionId: string, text: string, more: Partial<RunSpec> = {}, tools: readonly string[] = ['Bash']) {
  const first = said(text);
  const agent = { ...AgentEntry.parse({ kind: 'claude', permissionMode: 'default', tools }), name: 'claude' };
  const conversationId = crypto.randomUUID();
  const spec = { agent, messages: [first], cwd: sandbox.cwd, env: { ...sandbox.env }, conversationId, ...more };
  const run = await rig.runner.start(rig.spec(sessionId, '', undefined, spec));
  return { first, run, follow: followed(run), conversationId };
}

async function entriesOf(sessionId: string, kind: string): Promise<string[]> {
  const lines = (await readFile(path.join(rig.folder(sessionId), 'out'), 'utf8')).split('\n');
  return lines
    .flatMap((line) => readLine(line, 'stream-json').entries)
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

it('asks the hub about what nobody allowed, and does what the answer says', async () => {
  const server = await startPermissionServer({ behavior: 'allow', updatedInput: { command: 'echo allowed > permitted' } });
  const mcp = { url: server.url, token: 'sc_token' };
  const { follow } = await started('asks', '@@tool Bash {"command":"echo asked > permitted"}\n@@say done', { mcp }, []);
  expect(await follow.done).toMatchObject({ exit: { code: 0 }, result: { text: 'done' } });
  expect(server.asked).toMatchObject([{ tool_name: 'Bash', input: { command: 'echo asked > permitted' } }]);
  expect(await readFile(path.join(sandbox.cwd, 'permitted'), 'utf8')).toBe('allowed\n');
  await server.close();
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
