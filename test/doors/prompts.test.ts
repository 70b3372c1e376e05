// Prompts through the built door: the same list for everybody, texts that name the calls, arguments that complete, news when files change.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CLIENT_KINDS, connect, sc, type TestClient } from '../support/clients.ts';
import { openRawDoor } from '../support/raw-door.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const REVISIONS = ['2026-07-28', '2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'];
const GUIDES = ['continue_session', 'delegate', 'review_session', 'start_task'];
const task = (title: string, lines: string) =>
  `# ${title}\n\n---\ntype: bug\nstatus: todo\narea: auth\n---\n\n## Instruction\n\n${lines}\n`;
const RULE = `---
name: Careful fix
description: Fix a bug, test first.
priority: 10
arguments:
  - { name: depth, description: How deep to look., required: false }
conditions:
  - { field: type, operator: equals, value: bug }
---
Fix this with care{{#args.depth}}, depth {{args.depth}}{{/args.depth}}: {{task.title}}
@@say fixed
`;

let workspace: Workspace;
let client: TestClient;
let sessionId: string;
const ruleFile = (name: string) => path.join(workspace.path, '.scopecraft', 'prompts', `${name}.md`);
const at = () => ({ env: workspace.env, cwd: workspace.path });

beforeAll(async () => {
  workspace = await makeWorkspace({
    tasks: {
      'fix-login': task('Fix the login', '@@say done'),
      'fix-logout': task('Fix the logout', '@@say done'),
      other: task('Other', 'x'),
    },
    userConfig: { defaultAgent: 'demo', server: { toolsets: ['all'] } },
  });
  await mkdir(path.dirname(ruleFile('x')), { recursive: true });
  await writeFile(ruleFile('careful'), RULE);
  client = await connect('modern', at());
  const { id } = z.looseObject({ id: z.string() }).parse(await client.call('session_start', { taskId: 'fix-login' }));
  sessionId = id;
  await client.call('session_wait', { sessionIds: [id], timeoutSeconds: 40 });
});

afterAll(async () => {
  await client?.close();
  await workspace?.close();
});

describe('the list of prompts', () => {
  it('is the same to the byte on every connection and in every revision, in order of name', async () => {
    const lists = await Promise.all(
      [...REVISIONS, '2026-07-28'].map(async (revision) => {
        const door = await openRawDoor(revision, at());
        const [first, second] = [await door.ask('prompts/list'), await door.ask('prompts/list')];
        await door.close();
        return [JSON.stringify(first.prompts), JSON.stringify(second.prompts)];
      }),
    );
    const [list = '', ...others] = lists.flat();
    expect(others.filter((other) => other !== list)).toEqual([]);
    const names = z
      .array(z.object({ name: z.string() }).loose())
      .parse(JSON.parse(list))
      .map(({ name }) => name);
    expect(names).toEqual([...names].sort());
    expect(names).toEqual(expect.arrayContaining([...GUIDES, 'careful', 'default', 'review']));
  });

  it.each(CLIENT_KINDS)('tells the %s client which arguments there are, and when a file changed', async (kind) => {
    const other = await connect(kind, at());
    try {
      const careful = (await other.prompts()).find(({ name }) => name === 'careful');
      expect(careful?.arguments).toMatchObject([
        { name: 'taskId', required: true },
        { name: 'depth', required: false },
      ]);
      let told = 0;
      const listening = await other.onPromptsChanged(() => {
        told++;
      });
      await writeFile(ruleFile(`new-${kind}`), RULE.replace('Careful fix', 'New'));
      await expect.poll(() => told).toBeGreaterThan(0);
      expect((await other.prompts()).map(({ name }) => name)).toContain(`new-${kind}`);
      const before = told;
      await rm(ruleFile(`new-${kind}`));
      await expect.poll(() => told).toBeGreaterThan(before);
      expect((await other.prompts()).map(({ name }) => name)).not.toContain(`new-${kind}`);
      await listening.close();
    } finally {
      await other.close();
    }
  });

  it('leaves out what is not enabled, and keeps its own names from rules', async () => {
    await writeFile(ruleFile('off'), RULE.replace('priority: 10', 'enabled: false'));
    await writeFile(ruleFile('start_task'), RULE);
    try {
      const { rules } = z.looseObject({ rules: z.array(z.looseObject({})) }).parse(await client.call('rule_list'));
      expect(rules).toEqual(expect.arrayContaining([expect.objectContaining({ enabled: false })]));
      const names = (await client.prompts()).map(({ name }) => name);
      expect(names).not.toContain('off');
      expect(names.filter((name) => name === 'start_task')).toHaveLength(1);
      expect(await client.prompt('start_task', { taskId: 'other' })).toContain('session_start');
    } finally {
      await rm(ruleFile('off'));
      await rm(ruleFile('start_task'));
    }
  });
});

describe('a prompt', () => {
  it.each(CLIENT_KINDS)('is the same text for the %s client as for a model by prompt_get', async (kind) => {
    const other = await connect(kind, at());
    try {
      for (const [name, args] of [
        ['careful', { taskId: 'fix-login', depth: '3' }],
        ['start_task', { taskId: 'fix-login' }],
        ['review_session', { sessionId }],
        ['continue_session', { sessionId, message: 'Look again.' }],
        ['delegate', { goal: 'Translate the docs.' }],
      ] as const) {
        const text = await other.prompt(name, args);
        expect(text.trim()).not.toBe('');
        const given = Object.entries(args).map(([key, value]) => `${key}=${value}`);
        expect((await client.call('prompt_get', { name, arguments: given })).text).toBe(text);
      }
    } finally {
      await other.close();
    }
  });

  it('of a rule says what its template says, with the values as data', async () => {
    expect(await client.prompt('careful', { taskId: 'fix-login', depth: '{{task.id}}' })).toBe(
      'Fix this with care, depth {{task.id}}: Fix the login\n@@say fixed',
    );
  });

  it('start_task shows the choice of the rules and the call that starts it, and who is on it already', async () => {
    const text = await client.prompt('start_task', { taskId: 'fix-login' });
    expect(text).toContain('session_start {"taskId":"fix-login"}');
    expect(text).toContain('(rule careful):\n\n<prompt>\nFix this with care: Fix the login');
    expect(text).not.toContain('is on this task already');
    expect(await client.prompt('start_task', { taskId: 'fix-login', rule: 'default' })).toContain('(rule default)');
    const notBefore = new Date(Date.now() + 3_600_000).toISOString();
    const { id } = await client.call('session_start', { taskId: 'fix-logout', notBefore });
    expect(await client.prompt('start_task', { taskId: 'fix-logout' })).toContain(
      `Session ${id} (queued) is on this task already`,
    );
    await client.call('session_cancel', { sessionId: id });
  });

  it('continue_session shows what a session came to and what the rules suggest; review_session asks for a verdict', async () => {
    const text = await client.prompt('continue_session', { sessionId });
    expect(text).toContain(`session_prompt {"sessionId":"${sessionId}"`);
    expect(text).toContain('<result>\nfixed\n</result>');
    expect(text).toContain('(rule go-on)');
    expect(await client.prompt('review_session', { sessionId })).toContain(`Review the work of session ${sessionId}`);
  });

  it('says where its words may be the first of more, and shows what a session asks', async () => {
    expect(await client.prompt('delegate', { goal: 'translate' })).toContain('the first word alone');
    expect(await client.prompt('delegate', { goal: 'translate it' })).not.toContain('the first word alone');
    expect(await client.prompt('delegate')).toContain('ask first');
    const { id } = await client.call('session_start', {
      taskId: 'fix-login',
      prompt: '@@question Which one?\n@@say {{last.answer}}',
    });
    await client.call('session_wait', { sessionIds: [id], timeoutSeconds: 40 });
    const text = await client.prompt('continue_session', { sessionId: String(id), message: 'go on' });
    expect(text).toContain(`- ${id}.1 (question): Which one?`);
    expect(text).toContain(`Say this to it: session_prompt {"sessionId":"${id}","prompt":"go on"}`);
    await client.call('session_cancel', { sessionId: id });
  });

  it('that does not exist, lacks an argument or names something unknown is refused with what to do', async () => {
    for (const [name, args, says] of [
      ['start_taks', {}, 'Did you mean "start_task"?'],
      ['start_task', {}, 'needs the argument "taskId"'],
      ['start_task', { taskId: ' ' }, 'needs the argument "taskId"'],
      ['start_task', { taskId: 'fix-login', nonsense: 'x' }, 'has no argument "nonsense". It has: taskId, rule.'],
      ['start_task', { taskId: 'fix-logn' }, 'There is no task "fix-logn"'],
      ['review_session', { sessionId: 'nobody' }, 'There is no session "nobody"'],
      ['start_task', { taskId: '../../etc/passwd' }, 'is a path'],
    ] as const)
      await expect(client.prompt(name, args), says).rejects.toMatchObject({
        code: -32602,
        message: expect.stringContaining(says),
      });
  });

  it('is there for people at the command line too', async () => {
    const listed = await sc(['prompt', 'get'], at());
    expect(listed.stdout).toMatch(/careful +taskId,depth\?|careful +taskId, ?depth\?/);
    const run = await sc(['prompt', 'get', 'start_task', '--arguments=taskId=fix-login', '--format=json'], at());
    expect(z.looseObject({ text: z.string() }).parse(JSON.parse(run.stdout)).text).toContain('session_start');
  });
});

describe('what is typed', () => {
  it.each(CLIENT_KINDS)('completes for the %s client: tasks, sessions, rules, variables of resources', async (kind) => {
    const other = await connect(kind, at());
    try {
      const of = (prompt: string, argument: string, typed: string) => other.complete({ prompt }, argument, typed);
      expect(await of('start_task', 'taskId', 'fix-')).toEqual({ values: ['fix-login', 'fix-logout'], total: 2, hasMore: false });
      // what begins with it goes before what holds it
      expect((await of('start_task', 'taskId', 'o')).values).toEqual(['other', 'fix-login', 'fix-logout']);
      expect((await of('careful', 'taskId', 'OTH')).values).toEqual(['other']);
      expect((await of('start_task', 'rule', 'care')).values).toEqual(['careful']);
      expect((await of('review_session', 'sessionId', '')).values).toContain(sessionId);
      expect((await of('delegate', 'goal', 'x')).values).toEqual([]);
      expect((await of('start_task', 'nonsense', 'x')).values).toEqual([]);
      const inside = (resource: string, typed: string) => other.complete({ resource }, 'id', typed);
      expect((await inside('session://{id}', sessionId.slice(0, 4))).values).toContain(sessionId);
      expect((await inside('task://{id}/history', 'oth')).values).toEqual(['other']);
      await expect(of('nobody', 'taskId', 'x')).rejects.toThrow('There is no prompt "nobody"');
      await expect(inside('nonsense://{id}', 'x')).rejects.toThrow('There is no resource');
    } finally {
      await other.close();
    }
  });

  it('knows a task file that somebody added', async () => {
    await writeFile(path.join(workspace.path, '.tasks', 'added-later.task.md'), task('Later', 'x'));
    await expect
      .poll(async () => (await client.complete({ prompt: 'start_task' }, 'taskId', 'added')).values)
      .toEqual(['added-later']);
  });
});
