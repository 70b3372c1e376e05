// Steering and asking on the real thing: prompts with receipts, permissions and questions answered from outside, results as data.
import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { runClaude } from '../support/claude.ts';
import { connect, type TestClient } from '../support/clients.ts';
import { DOOR } from '../support/project.ts';
import { type StubModel, startStubModel } from '../support/stub-model.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const SessionRow = z.looseObject({
  id: z.string(),
  status: z.string(),
  result: z.string().optional(),
  cause: z.looseObject({ kind: z.string() }).optional(),
  data: z.unknown().optional(),
  requests: z.array(z.looseObject({ requestId: z.string(), kind: z.string(), text: z.string() })).optional(),
});
const Waited = z.looseObject({ sessions: z.array(SessionRow), timedOut: z.boolean(), cursor: z.string() });
const Receipt = z.looseObject({ receipt: z.looseObject({ state: z.string(), promptId: z.string() }), session: SessionRow });
const task = (lines: readonly string[]) =>
  `# A task\n\n---\ntype: test\nstatus: todo\narea: test\n---\n\n## Instruction\n\n${lines.join('\n')}\n`;
/** It asks before it runs anything. */
const CAREFUL = { claude: { kind: 'claude', command: 'claude', permissionMode: 'default' } };

let model: StubModel;
const open: { workspace?: Workspace; client?: TestClient } = {};
beforeAll(async () => {
  model = await startStubModel();
});
afterEach(async () => {
  await open.client?.close();
  await open.workspace?.close();
  delete open.client;
  delete open.workspace;
});
afterAll(() => model.close());

async function begin(tasks: Readonly<Record<string, readonly string[]>>, config: object = {}) {
  const workspace = await makeWorkspace({
    modelUrl: model.url,
    tasks: Object.fromEntries(Object.entries(tasks).map(([name, lines]) => [`${name}.task.md`, task(lines)])),
    userConfig: { defaultAgent: 'claude', ...config },
  });
  open.workspace = workspace;
  open.client = await connect('modern', { env: workspace.env, cwd: workspace.path });
  return { workspace, client: open.client };
}

const isThere = (file: string) =>
  stat(file).then(
    () => true,
    () => false,
  );

async function waited(client: TestClient, sessionId: string, until: (row: z.infer<typeof SessionRow>) => boolean) {
  let after: string | undefined;
  for (let tries = 0; tries < 12; tries += 1) {
    const args = { sessionIds: [sessionId], timeoutSeconds: 15, ...(after !== undefined && { after }) };
    const { sessions, cursor } = Waited.parse(await client.call('session_wait', args, { timeoutMs: 60_000 }));
    const [row] = sessions;
    if (row && until(row)) return row;
    after = cursor;
  }
  throw new Error('It did not come to that.');
}
const settled = (client: TestClient, id: string) => waited(client, id, ({ cause }) => cause !== undefined);
const asking = async (client: TestClient, id: string) => {
  const row = await waited(client, id, ({ requests }) => requests !== undefined);
  const request = row.requests?.[0];
  if (!request) throw new Error('Nothing is asked.');
  return request;
};

describe('a running autonomous Claude', () => {
  it('gets a second message in the middle of its work and acts on it', { timeout: 120_000 }, async () => {
    const { workspace, client } = await begin(
      { long: ['@@tool Bash {"command":"touch started; until [ -f go ]; do sleep 0.1; done"}', '@@say first done'] },
      { agents: { claude: { kind: 'claude', command: 'claude', tools: ['Bash'] } } },
    );
    const { id } = SessionRow.parse(await client.call('session_start', { taskId: 'long' }));
    await expect.poll(() => isThere(path.join(workspace.path, 'started')), { timeout: 40_000 }).toBe(true);
    const said = Receipt.parse(
      await client.call('session_prompt', { sessionId: id, prompt: '@@say and the second too', timeoutSeconds: 0 }),
    );
    expect(said.receipt.state).toBe('pending');
    await writeFile(path.join(workspace.path, 'go'), '');
    const end = await settled(client, id);
    expect(end).toMatchObject({ status: 'completed', result: 'and the second too' });
    expect(await client.call('session_get', { sessionId: id })).toMatchObject({
      prompts: [{ promptId: said.receipt.promptId, state: 'delivered' }],
    });
    await expect.poll(() => workspace.task('long')).toContain('Custom prompt: "@@say and the second too"');
  });

  it('is continued with feedback once it has settled, in the same conversation', { timeout: 120_000 }, async () => {
    const { workspace, client } = await begin(
      { short: ['@@tool Bash {"command":"echo heron"}', '@@say first'] },
      { agents: { claude: { kind: 'claude', command: 'claude', tools: ['Bash'] } } },
    );
    const { id } = SessionRow.parse(await client.call('session_start', { taskId: 'short' }));
    await settled(client, id);
    const conversation = async (run: number) =>
      readFile(path.join(workspace.path, '.scopecraft/state/sessions', id, String(run), 'spec.json'), 'utf8').then((text) =>
        z.looseObject({ conversationId: z.string(), resume: z.boolean() }).parse(JSON.parse(text)),
      );
    await client.call('session_prompt', { sessionId: id, prompt: '@@say it was {{last}}', requestKey: 'feedback' });
    const end = await settled(client, id);
    expect(end).toMatchObject({ status: 'completed', result: 'it was heron', run: 2 });
    const [first, second] = [await conversation(1), await conversation(2)];
    expect(second).toMatchObject({ conversationId: first.conversationId, resume: true });
    // the same request again says nothing
    await client.call('session_prompt', { sessionId: id, prompt: '@@say it was {{last}}', requestKey: 'feedback' });
    expect(await client.call('session_get', { sessionId: id })).toMatchObject({ status: 'completed', run: 2 });
  });
});

describe('a child that asks for a permission', () => {
  const CHILD = ['@@tool Bash {"command":"echo made > made-by-child.txt"}', '@@say The shell said: {{last}}'];

  it.each([
    ['allow', true],
    ['deny', false],
  ] as const)(
    'gets the answer %s from its parent, the real Claude Code as the client',
    { timeout: 150_000 },
    async (decision, isMade) => {
      const { workspace, client } = await begin({ child: CHILD }, { agents: CAREFUL });
      const run = await runClaude({
        sandbox: { root: workspace.root, home: workspace.home, cwd: workspace.path, env: workspace.env, close: async () => {} },
        mcpServers: { scopecraft: { command: DOOR } },
        args: ['--allowedTools', 'mcp__scopecraft'],
        prompt: [
          '@@tool mcp__scopecraft__session_start {"taskId": "child"}',
          '@@tool mcp__scopecraft__session_wait {"sessionIds": ["{{last.id}}"], "timeoutSeconds": 40}',
          `@@tool mcp__scopecraft__request_answer {"requestId": "{{last.sessions.0.requests.0.requestId}}", "decision": "${decision}", "text": "because I say so"}`,
          '@@tool mcp__scopecraft__session_wait {"sessionIds": ["{{last.request.sessionId}}"], "timeoutSeconds": 40}',
          '@@say {{last.sessions.0.status}}: {{last.sessions.0.result}}',
        ].join('\n'),
      });
      expect(run.stderr).toBe('');
      expect(run.result).toMatchObject({ is_error: false, result: expect.stringContaining('completed: The shell said:') });
      expect(await isThere(path.join(workspace.path, 'made-by-child.txt'))).toBe(isMade);
      if (!isMade) expect(run.result).toMatchObject({ result: expect.stringContaining('because I say so') });
      const { sessions } = z
        .looseObject({ sessions: z.array(SessionRow) })
        .parse(await client.call('session_list', { taskId: 'child' }));
      expect(await client.call('session_get', { sessionId: sessions[0]?.id })).toMatchObject({
        answered: [{ kind: 'permission', tool: 'Bash', decision, answeredBy: expect.stringContaining('claude-code') }],
      });
      await expect.poll(() => workspace.task('child')).toMatch(/Answered by claude-code.*: (allow|deny)/);
    },
  );

  it('is denied by the policy when nobody answers in time, and by a rule without asking', { timeout: 120_000 }, async () => {
    const { workspace, client } = await begin(
      { child: ['@@tool Bash {"command":"rm -rf nothing"}', '@@tool Bash {"command":"touch asked"}', '@@say {{last}}'] },
      { agents: CAREFUL, requests: { timeoutMs: 1500, deny: ['Bash(rm *)'] } },
    );
    const { id } = SessionRow.parse(await client.call('session_start', { taskId: 'child' }));
    const end = await settled(client, id);
    expect(end).toMatchObject({ status: 'completed', result: expect.stringContaining('Nobody answered in time.') });
    expect(await isThere(path.join(workspace.path, 'asked'))).toBe(false);
    expect(await client.call('session_get', { sessionId: id })).toMatchObject({
      answered: [{ text: 'Bash: touch asked', decision: 'deny', answeredBy: 'the policy' }],
    });
  });

  it('waits on through a killed hub and gets the answer that is given then', { timeout: 150_000 }, async () => {
    const { workspace, client } = await begin({ child: CHILD }, { agents: CAREFUL });
    const { id } = SessionRow.parse(await client.call('session_start', { taskId: 'child' }));
    const { requestId } = await asking(client, id);
    const hub = await workspace.hub();
    if (!hub) throw new Error('There is no hub.');
    process.kill(hub.pid, 'SIGKILL');
    await client.call('request_answer', { requestId, decision: 'allow' });
    expect(await settled(client, id)).toMatchObject({ status: 'completed' });
    expect(await isThere(path.join(workspace.path, 'made-by-child.txt'))).toBe(true);
    const { events } = z
      .looseObject({ events: z.array(z.looseObject({ name: z.string() })) })
      .parse(await client.call('event_list', { types: ['session.waiting', 'session.answered'], sessionId: id }));
    expect(events.map(({ name }) => name).sort()).toEqual(['session.answered', 'session.waiting']);
  });
});

describe('a question', () => {
  it('of a child is answered by its parent, both the built-in agent', { timeout: 60_000 }, async () => {
    const { client } = await begin(
      {
        child: ['@@question Which heron?', '@@say It is the {{last.answer}} one.'],
        parent: [
          '@@mcp session_start {"taskId":"child"}',
          '@@mcp session_wait {"sessionIds":["{{last.id}}"]}',
          '@@mcp request_answer {"requestId":"{{last.sessions.0.requests.0.requestId}}","decision":"answer","text":"grey"}',
          '@@mcp session_wait {"sessionIds":["{{last.request.sessionId}}"],"until":"all"}',
          '@@say {{last.sessions.0.result}}',
        ],
      },
      { defaultAgent: 'demo' },
    );
    const { id } = SessionRow.parse(await client.call('session_start', { taskId: 'parent' }));
    expect(await settled(client, id)).toMatchObject({ status: 'completed', result: 'It is the grey one.' });
  });

  it('is nobody else’s to answer: not the session itself, nor one outside the tree', { timeout: 60_000 }, async () => {
    const { client } = await begin(
      {
        asks: ['@@question Which?', '@@say {{last}}'],
        other: [
          '@@mcp request_list {}',
          '@@mcp request_answer {"requestId":"REQUEST","decision":"answer","text":"mine"}',
          '@@say {{last}}',
        ],
      },
      { defaultAgent: 'demo' },
    );
    const { id } = SessionRow.parse(await client.call('session_start', { taskId: 'asks' }));
    const { requestId } = await asking(client, id);
    const prompt = `@@mcp request_list {}\n@@mcp request_answer {"requestId":"${requestId}","decision":"answer","text":"mine"}\n@@say {{last}}`;
    const other = SessionRow.parse(await client.call('session_start', { taskId: 'other', prompt }));
    expect((await settled(client, other.id)).result).toContain('did not come of session');
    await client.call('request_answer', { requestId, decision: 'answer', text: 'ours' });
    expect((await settled(client, id)).result).toContain('ours');
  });
});

describe('a structured result', () => {
  const resultSchema = JSON.stringify({
    type: 'object',
    properties: { count: { type: 'integer' } },
    required: ['count'],
    additionalProperties: false,
  });

  it('is checked and returned as data; what does not fit is an end of its own', { timeout: 60_000 }, async () => {
    const { client } = await begin({ fits: ['@@data {"count":3}'], odd: ['@@data {"count":"three"}'] }, { defaultAgent: 'demo' });
    const run = async (taskId: string) =>
      settled(client, SessionRow.parse(await client.call('session_start', { taskId, resultSchema })).id);
    expect(await run('fits')).toMatchObject({ status: 'completed', data: { count: 3 } });
    expect(await run('odd')).toMatchObject({
      status: 'failed',
      cause: { kind: 'schema_mismatch', reason: expect.stringContaining('count') },
    });
    await expect(client.call('session_start', { taskId: 'fits', resultSchema: '{"type":"string"}' })).rejects.toThrow('object');
  });
});
