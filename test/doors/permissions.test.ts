// Who may use what, on the real Claude Code: rules of the settings where it asks nobody, and what it asks in its terminal answered from outside.
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestClient } from '../support/clients.ts';
import { type StubModel, startStubModel } from '../support/stub-model.ts';
import { Attachment, atPrompt, begin, closeAfterEach, killHub, SessionRow, stands, terminalIn } from './interactive-bench.ts';

const FULL = { timeout: 120_000 };
/** It asks before it runs anything. */
const CAREFUL = { agents: { claude: { kind: 'claude', command: 'claude', permissionMode: 'default' } } };

let model: StubModel;
beforeAll(async () => {
  model = await startStubModel();
});
closeAfterEach();
afterAll(() => model.close());

async function asked(config: object) {
  const { workspace, client } = await begin({ modelUrl: model.url, userConfig: { defaultAgent: 'claude', ...config } });
  const isThere = (name: string) =>
    stat(path.join(workspace.path, name)).then(
      () => true,
      () => false,
    );
  return { workspace, client, isThere };
}

describe('a rule of the settings that denies', () => {
  it.each(['autonomous', 'interactive'] as const)('holds for an %s Claude that would ask nobody', FULL, async (type) => {
    const { client, isThere } = await asked({
      agents: { claude: { kind: 'claude', command: 'claude', permissionMode: 'acceptEdits', tools: ['Bash'] } },
      requests: { deny: ['Bash(touch *)', 'Write'] },
    });
    const prompt = [
      '@@tool Bash {"command":"mkdir made"}',
      '@@tool Bash {"command":"true && touch touched"}',
      '@@tool Write {"file_path":"written","content":"x"}',
      '@@say The last: {{last}}',
    ].join('\n');
    const { id } = SessionRow.parse(await client.call('session_start', { prompt, type }));
    const end = await stands(client, id, ({ status }) => status === (type === 'interactive' ? 'waiting' : 'completed'));
    expect([await isThere('made'), await isThere('touched'), await isThere('written')]).toEqual([true, false, false]);
    if (type === 'interactive') {
      // its log may be behind how it stands
      await expect
        .poll(async () => JSON.stringify(await client.call('session_logs', { sessionId: id })))
        .toContain('Permission to use Bash with command true && touch touched has been denied');
      await client.call('session_cancel', { sessionId: id });
      await stands(client, id, ({ status }) => status === 'cancelled');
    } else {
      expect(end.result).toContain('No such tool available: Write');
      expect(await client.call('session_get', { sessionId: id })).toMatchObject({ permissionDenials: ['Bash'] });
    }
  });
});

describe('what an interactive Claude asks in its terminal', () => {
  const touch = (...names: string[]) => [
    ...names.map((name) => `@@tool Bash {"command":"touch ${name}"}`),
    '@@say The last: {{last}}',
  ];
  const start = async (client: TestClient, lines: readonly string[]) =>
    SessionRow.parse(await client.call('session_start', { prompt: lines.join('\n'), type: 'interactive' })).id;
  const asking = async (client: TestClient, id: string, text: string) => {
    const { requests = [] } = await stands(client, id, (row) => row.requests?.[0]?.text === text);
    return requests[0]?.requestId ?? '';
  };
  const end = async (client: TestClient, id: string) => {
    await client.call('session_cancel', { sessionId: id });
    return stands(client, id, ({ status }) => status === 'cancelled');
  };

  it('is allowed or denied by a caller, and the model hears why', FULL, async () => {
    const { client, isThere } = await asked(CAREFUL);
    const id = await start(client, touch('one', 'two'));
    const first = await asking(client, id, 'Bash: touch one');
    expect(await client.call('request_list', {})).toMatchObject({ requests: [{ requestId: first, sessionId: id }] });
    expect(await client.call('session_wait', { sessionIds: [id] })).toMatchObject({
      next: `request_answer { "requestId": "${first}", "decision": "allow or deny" }`,
    });
    await client.call('request_answer', { requestId: first, decision: 'allow' });
    await expect(client.call('request_answer', { requestId: first, decision: 'deny' })).rejects.toThrow('REQUEST_ANSWERED');
    const second = await asking(client, id, 'Bash: touch two');
    expect(await isThere('one')).toBe(true);
    await client.call('request_answer', { requestId: second, decision: 'deny', text: 'because I say so' });
    await atPrompt(client, id);
    expect(await isThere('two')).toBe(false);
    expect((await end(client, id)).result).toBe('The last: because I say so');
  });

  it('is answered by rules without being asked, and by the policy when nobody answers', FULL, async () => {
    const { client, isThere } = await asked({
      ...CAREFUL,
      requests: { allow: ['Bash(touch allowed)'], deny: ['WebFetch(http://127.0.0.1:1/*)'], timeoutMs: 1500 },
    });
    const fetch = '@@tool WebFetch {"url":"http://127.0.0.1:1/x","prompt":"x"}';
    const [first = '', second = '', last = ''] = touch('allowed', 'unanswered');
    const id = await start(client, [first, second, fetch, last]);
    await atPrompt(client, id);
    expect([await isThere('allowed'), await isThere('unanswered')]).toEqual([true, false]);
    expect(await client.call('session_get', { sessionId: id })).toMatchObject({
      answered: [{ text: 'Bash: touch unanswered', decision: 'deny', answeredBy: 'the policy' }],
    });
    const { result } = await end(client, id);
    expect(result).toBe('The last: The rule "WebFetch(http://127.0.0.1:1/*)" of the settings denies it.');
  });

  it('is a person’s to answer too, who withdraws it by that', FULL, async () => {
    const { workspace, client, isThere } = await asked(CAREFUL);
    const id = await start(client, touch('one', 'two'));
    await asking(client, id, 'Bash: touch one');
    const person = await terminalIn(workspace);
    await person.type(Attachment.parse(await client.call('session_attach', { sessionId: id })).command);
    await person.pressOn(/touch one(?:(?!touch two)[\s\S])*Do you want to proceed/, '1');
    await asking(client, id, 'Bash: touch two');
    expect(await isThere('one')).toBe(true);
    await person.pressOn('Do you want to proceed?', 'Escape');
    await atPrompt(client, id);
    expect(await isThere('two')).toBe(false);
    expect(await client.call('request_list', {})).toMatchObject({ total: 0 });
    expect(await client.call('session_get', { sessionId: id })).toMatchObject({
      answered: [
        { text: 'Bash: touch one', decision: 'allow', answeredBy: 'a person at the terminal' },
        { text: 'Bash: touch two', decision: 'deny', answeredBy: 'a person at the terminal' },
      ],
    });
    await end(client, id);
  });

  it('stays open through a killed hub, and is answered through the next one', FULL, async () => {
    const { workspace, client, isThere } = await asked(CAREFUL);
    const id = await start(client, touch('one'));
    const requestId = await asking(client, id, 'Bash: touch one');
    await killHub(workspace);
    await client.call('request_answer', { requestId, decision: 'allow' });
    await atPrompt(client, id);
    expect(await isThere('one')).toBe(true);
    expect(await client.call('session_get', { sessionId: id })).toMatchObject({ answered: [{ requestId, decision: 'allow' }] });
    await end(client, id);
  });

  it('is over with its session, and leaves nothing behind', FULL, async () => {
    const { client } = await asked(CAREFUL);
    const id = await start(client, touch('one'));
    await asking(client, id, 'Bash: touch one');
    await end(client, id);
    expect(await client.call('request_list', {})).toMatchObject({ total: 0 });
  });
});
