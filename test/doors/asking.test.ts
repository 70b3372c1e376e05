// Asking on the real thing: permissions and questions of sessions, answered from outside, by a parent, or by the policy.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type ClaudeRun, runClaude } from '../support/claude.ts';
import { DOOR } from '../support/project.ts';
import { aroundEach, asking, begin, isThere, SessionRow, settled } from './talk-bench.ts';

/** It asks before it runs anything. */
const CAREFUL = { claude: { kind: 'claude', command: 'claude', permissionMode: 'default' } };

aroundEach();

describe('a child that asks for a permission', () => {
  const CHILD = ['@@tool Bash {"command":"echo made > made-by-child.txt"}', '@@say The shell said: {{last}}'];

  const answering = (decision: string) => [
    `@@tool mcp__scopecraft__request_answer {"requestId": "{{last.sessions.0.requests.0.requestId}}", "decision": "${decision}", "text": "because I say so"}`,
    '@@tool mcp__scopecraft__session_wait {"sessionIds": ["{{last.request.sessionId}}"], "timeoutSeconds": 40}',
  ];
  const WAITING = [
    '@@tool mcp__scopecraft__session_wait {"sessionIds": ["{{last.sessions.0.id}}"], "until": "all", "after": "{{last.cursor}}", "timeoutSeconds": 20}',
  ];

  it.each([
    ['the answer allow', { steps: answering('allow'), decision: 'allow', by: 'claude-code', says: '' }],
    ['the answer deny', { steps: answering('deny'), decision: 'deny', by: 'claude-code', says: 'because I say so' }],
    ['no answer', { steps: WAITING, decision: 'deny', by: 'the policy', says: 'Nobody answered in time.' }],
  ])(
    'gets %s from its parent, the real Claude Code as the client, which hears how it ended',
    { timeout: 150_000 },
    async (_, { steps, decision, by, says }) => {
      const requests = { timeoutMs: by === 'the policy' ? 4000 : 600_000 };
      const { workspace, client } = await begin({ child: CHILD }, { agents: CAREFUL, requests });
      const run = await runClaude({
        sandbox: { root: workspace.root, home: workspace.home, cwd: workspace.path, env: workspace.env, close: async () => {} },
        mcpServers: { scopecraft: { command: DOOR } },
        args: ['--allowedTools', 'mcp__scopecraft'],
        prompt: [
          '@@tool mcp__scopecraft__session_start {"taskId": "child"}',
          '@@tool mcp__scopecraft__session_wait {"sessionIds": ["{{last.id}}"], "timeoutSeconds": 40}',
          ...steps,
          '@@say {{last.sessions.0.status}}: {{last.sessions.0.result}}',
        ].join('\n'),
      });
      expect(run.stderr).toBe('');
      expect(toldTo(run)).toContainEqual(
        expect.objectContaining({
          sessions: [expect.objectContaining({ requests: [expect.objectContaining({ tool: 'Bash' })] })],
        }),
      );
      expect(run.result).toMatchObject({ is_error: false, result: expect.stringContaining('completed: The shell said:') });
      expect(run.result).toMatchObject({ result: expect.stringContaining(says) });
      expect(await isThere(path.join(workspace.path, 'made-by-child.txt'))).toBe(decision === 'allow');
      const { sessions } = z
        .looseObject({ sessions: z.array(SessionRow) })
        .parse(await client.call('session_list', { taskId: 'child' }));
      expect(await client.call('session_get', { sessionId: sessions[0]?.id })).toMatchObject({
        answered: [{ kind: 'permission', tool: 'Bash', decision, answeredBy: expect.stringContaining(by) }],
      });
      await expect.poll(() => workspace.task('child')).toMatch(new RegExp(`Answered by ${by}.*: ${decision}`));
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
  it.each([
    ['demo', '@@question Which heron?'],
    ['claude', '@@tool mcp__scopecraft__session_ask {"question":"Which heron?"}'],
  ])('of a child, the agent %s, is answered by its parent', { timeout: 90_000 }, async (agent, question) => {
    const { client } = await begin(
      {
        child: [question, '@@say It is the {{last.answer}} one.'],
        parent: [
          `@@mcp session_start {"taskId":"child","agent":"${agent}"}`,
          '@@mcp session_wait {"sessionIds":["{{last.id}}"],"timeoutSeconds":40}',
          '@@mcp request_answer {"requestId":"{{last.sessions.0.requests.0.requestId}}","decision":"answer","text":"grey"}',
          '@@mcp session_wait {"sessionIds":["{{last.request.sessionId}}"],"until":"all","timeoutSeconds":40}',
          '@@say {{last.sessions.0.result}}',
        ],
      },
      { defaultAgent: 'demo' },
    );
    const { id } = SessionRow.parse(await client.call('session_start', { taskId: 'parent' }));
    expect(await settled(client, id)).toMatchObject({ status: 'completed', result: 'It is the grey one.' });
  });

  it('is told to whoever watches the resource of its session, before it is answered', { timeout: 60_000 }, async () => {
    const { workspace, client } = await begin(
      {
        asks: [
          '@@tool Bash {"command":"touch started; until [ -f go ]; do sleep 0.05; done"}',
          '@@question Which?',
          '@@say {{last}}',
        ],
      },
      { defaultAgent: 'demo' },
    );
    const { id } = SessionRow.parse(await client.call('session_start', { taskId: 'asks' }));
    await expect.poll(() => isThere(path.join(workspace.path, 'started')), { timeout: 20_000 }).toBe(true);
    const seen: string[] = [];
    const subscription = await client.subscribe([`session://${id}`], (uri) => seen.push(uri));
    // that it began is told within a second or so
    await delay(1500);
    seen.length = 0;
    await writeFile(path.join(workspace.path, 'go'), '');
    const { requestId, text } = await asking(client, id);
    await expect.poll(() => seen).toContain(`session://${id}`);
    expect(JSON.parse(await client.read(`session://${id}`))).toMatchObject({
      status: 'waiting',
      requests: [{ requestId, text }],
    });
    await subscription.close();
    await client.call('request_answer', { requestId, decision: 'answer', text: 'ours' });
    expect((await settled(client, id)).result).toContain('ours');
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

const ToolResults = z.looseObject({
  type: z.literal('user'),
  message: z.looseObject({ content: z.array(z.looseObject({ type: z.literal('tool_result'), content: z.unknown() })) }),
});
const Text = z.union([z.string(), z.tuple([z.looseObject({ text: z.string() })]).transform(([{ text }]) => text)]);

/** What its tools answered, as far as that is JSON. */
function toldTo({ records }: ClaudeRun): unknown[] {
  const blocks = records.flatMap((record) => ToolResults.safeParse(record).data?.message.content ?? []);
  return blocks.flatMap(({ content }) => {
    const text = Text.safeParse(content).data ?? '';
    return text.startsWith('{') ? [JSON.parse(text)] : [];
  });
}
