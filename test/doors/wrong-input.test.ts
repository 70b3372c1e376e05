// Wrong input, through a real door: each gets its clear error with what to do, and changes nothing.
import { existsSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLIENT_KINDS, connect, sc, type TestClient, ToolFailure } from '../support/clients.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const TASK = '# A task\n\n---\ntype: test\nstatus: todo\narea: test\n---\n\n## Instruction\n\n@@say done\n';

let workspace: Workspace;
let client: TestClient;

beforeAll(async () => {
  workspace = await makeWorkspace({
    tasks: { 'real.task.md': TASK, 'broken.task.md': '# Broken\n\n---\ntype: [unclosed\n---\n' },
    userConfig: { defaultAgent: 'demo', agents: { gone: { kind: 'command', command: 'no-such-program' } } },
  });
  await writeFile(path.join(workspace.home, 'secret.md'), TASK);
  await symlink(path.join(workspace.home, 'secret.md'), path.join(workspace.path, '.tasks', 'linked.task.md'));
  await symlink(workspace.home, path.join(workspace.path, 'way-out'));
  client = await connect('modern', { env: workspace.env, cwd: workspace.path });
});

afterAll(async () => {
  await client?.close();
  await workspace?.close();
});

async function failureOf(call: Promise<unknown>): Promise<ToolFailure> {
  const answer: unknown = await call.catch((error: unknown) => error);
  if (answer instanceof ToolFailure) return answer;
  throw new Error(`It was not refused: ${JSON.stringify(answer)}`);
}

const WRONG: readonly [string, string, object, string, RegExp][] = [
  ['an unknown task', 'session_start', { taskId: 'reel' }, 'TASK_NOT_FOUND', /no task "reel"\. Did you mean "real"\?/],
  ['an unknown session', 'session_get', { sessionId: 'nobody-aaaa' }, 'SESSION_NOT_FOUND', /no session "nobody-aaaa"/],
  ['an unknown session to wait for', 'session_wait', { sessionIds: ['nobody-aaaa'] }, 'SESSION_NOT_FOUND', /nobody-aaaa/],
  ['an unknown session to cancel', 'session_cancel', { sessionId: 'nobody-aaaa' }, 'SESSION_NOT_FOUND', /nobody-aaaa/],
  ['an unknown session to read', 'session_logs', { sessionId: 'nobody-aaaa' }, 'SESSION_NOT_FOUND', /nobody-aaaa/],
  [
    'an unknown agent',
    'session_start',
    { taskId: 'real', agent: 'cluade' },
    'AGENT_UNKNOWN',
    /"cluade"\. Did you mean "claude"\?/,
  ],
  [
    'an agent that is not installed',
    'session_start',
    { taskId: 'real', agent: 'gone' },
    'AGENT_MISSING',
    /"no-such-program" of agent "gone"/,
  ],
  ['an empty prompt', 'session_start', { prompt: '   ' }, 'PROMPT_EMPTY', /empty/],
  ['neither task nor prompt', 'session_start', {}, 'PROMPT_EMPTY', /Neither/],
  ['a path that climbs', 'session_start', { taskId: '../secret' }, 'PATH_OUTSIDE', /\.\.\/secret/],
  ['an absolute path', 'session_start', { taskId: '/etc/passwd' }, 'PATH_OUTSIDE', /\/etc\/passwd/],
  ['a link out of the workspace', 'session_start', { taskId: 'linked' }, 'PATH_OUTSIDE', /linked/],
  ['a folder outside', 'session_start', { taskId: 'real', cwd: '/etc' }, 'PATH_OUTSIDE', /"\/etc"/],
  ['a folder that is a link out', 'session_start', { taskId: 'real', cwd: 'way-out' }, 'PATH_OUTSIDE', /"way-out"/],
  ['a folder that is not there', 'session_start', { taskId: 'real', cwd: 'nowhere' }, 'INVALID_INPUT', /"nowhere" is no folder/],
  ['a task file that cannot be parsed', 'session_start', { taskId: 'broken' }, 'TASK_UNREADABLE', /broken/],
  ['a prompt of 2 MB', 'session_start', { prompt: 'x'.repeat(2 << 20) }, 'PROMPT_TOO_LARGE', /2097152 bytes; at most 262144/],
  [
    'an unknown argument',
    'session_start',
    { taskId: 'real', priorty: 'high' },
    'INVALID_INPUT',
    /"priorty"\. Did you mean "priority"\?/,
  ],
  [
    'a wrong value, with all problems at once',
    'session_start',
    { taskId: 7, priority: 'hgih', foo: 1 },
    'INVALID_INPUT',
    /"taskId".*"priority" must be one of: lowest.*"foo"/s,
  ],
  [
    'an option where a model belongs',
    'session_start',
    { taskId: 'real', model: '--dangerously-skip-permissions' },
    'INVALID_INPUT',
    /"model"/,
  ],
  ...['permissionMode', 'args', 'command', 'env', 'hooks', 'tools'].map((name): (typeof WRONG)[number] => [
    `how the agent is to be run, by "${name}"`,
    'session_start',
    { taskId: 'real', [name]: 'bypassPermissions' },
    'INVALID_INPUT',
    new RegExp(`"${name}"`),
  ]),
  ['a cursor of somebody else', 'session_list', { cursor: 'rubbish' }, 'CURSOR_INVALID', /"rubbish"/],
  ['a place that is none', 'event_list', { after: 'rubbish' }, 'CURSOR_INVALID', /"rubbish"/],
  ['a time that is none', 'session_list', { since: 'yesterday' }, 'INVALID_INPUT', /"yesterday" is not a time/],
];

describe('a wrong call', () => {
  it.each(WRONG)('with %s', async (_what, tool, args, code, message) => {
    const failure = await failureOf(client.call(tool, { ...args }));
    expect(failure.body).toMatchObject({
      code,
      message: expect.stringMatching(message),
      hint: expect.stringMatching(/\.$/),
      retry: expect.any(Boolean),
    });
    expect(await client.call('session_list')).toMatchObject({ total: 0 });
    expect((await client.call('task_list')).total).toBe(1);
  });

  it.each(CLIENT_KINDS)('that is larger than a door takes is refused at once to the %s client', async (kind) => {
    const door = await connect(kind, { env: workspace.env, cwd: workspace.path });
    try {
      const call = door.call('session_start', { prompt: 'x'.repeat(5 << 20) }, { timeoutMs: 20_000 });
      await expect(call).rejects.toThrow('A message is longer than 4194304 bytes.');
      expect(await door.call('session_list')).toMatchObject({ total: 0 });
    } finally {
      await door.close();
    }
  });

  it('of a tool that is not there names the nearest one', async () => {
    await expect(client.call('session_strat')).rejects.toThrow('Did you mean "session_start"?');
  });

  it('on the command line has an exit code and says what to do', async () => {
    const at = { env: workspace.env, cwd: workspace.path };
    expect(await sc(['session', 'strat'], at)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Did you mean "sc session start"?'),
    });
    expect(await sc(['session', 'start', 'real', '--priorty=high'], at)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Did you mean "--priority"?'),
    });
    expect(await sc(['session', 'start', 'reel'], at)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/TASK_NOT_FOUND.*Did you mean "real"/s),
    });
    expect(await sc(['session', 'get', 'a', 'b'], at)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('"b" is one argument too many'),
    });
    expect(await sc(['session', 'wait', 'x', '--timeout-seconds=soon'], at)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('must be a number'),
    });
    expect(await sc(['session', 'start', '--prompt', '-'], { ...at, input: 'x'.repeat(7 << 20) })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^INVALID_INPUT: A message is longer than 4194304 bytes\.$/m),
    });
    expect(await sc(['session', 'get', 'nobody'], at)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Call `sc session list` to see the session ids of this workspace.'),
    });
    const asJson = await sc(['session', 'get', 'nobody', '--format=json'], at);
    expect(JSON.parse(asJson.stderr)).toMatchObject({ code: 'SESSION_NOT_FOUND', retry: false });
    expect(await sc(['session', 'list', '--status=running'], { ...at, cwd: '/' })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('WORKSPACE_MISSING'),
    });
  });
});

describe('a config', () => {
  it('with mistakes is told whole, and works as soon as it is mended', async () => {
    const broken = await makeWorkspace({
      tasks: { 'real.task.md': TASK },
      userConfig: { resources: { maxConcurentSessions: 2, maxQueueSize: 'many' }, defaultAgnt: 'demo' },
    });
    const door = await connect('modern', { env: broken.env, cwd: broken.path });
    try {
      const { body } = await failureOf(door.call('session_start', { taskId: 'real', agent: 'demo' }));
      expect(body).toMatchObject({ code: 'CONFIG_INVALID' });
      expect(body.message).toMatch(/maxConcurentSessions". Did you mean "maxConcurrentSessions"\?/);
      expect(body.message).toMatch(/"resources\.maxQueueSize"/);
      expect(body.message).toMatch(/"defaultAgnt"\. Did you mean "defaultAgent"\?/);
      const doctor = await sc(['doctor'], { env: broken.env, cwd: broken.path });
      expect(doctor.code).toBe(1);
      for (const name of ['resources.maxConcurentSessions', 'resources.maxQueueSize', 'defaultAgnt'])
        expect(doctor.stdout).toMatch(new RegExp(`^✗ config .*"${name}"`, 'm'));
      expect(await door.call('task_list')).toMatchObject({ total: 1 });
      const file = path.join(broken.env.XDG_CONFIG_HOME ?? '', 'scopecraft', 'config.json');
      await writeFile(file, '{ "defaultAgent": "demo", ');
      expect((await failureOf(door.call('session_start', { taskId: 'real' }))).message).toMatch(/is not JSON/);
      await writeFile(file, '{ "defaultAgent": "demo" }');
      const { id } = await door.call('session_start', { taskId: 'real' });
      expect(await door.call('session_wait', { sessionIds: [id] })).toMatchObject({ sessions: [{ status: 'completed' }] });
    } finally {
      await door.close();
      await broken.close();
    }
  });

  it('of an untrusted workspace runs nothing it names, until a person trusts it as it is', async () => {
    const marker = 'it-ran';
    const evil = { kind: 'command', command: '/bin/sh', args: ['-c', `touch ${marker}`] };
    const cloned = await makeWorkspace({
      tasks: { 'real.task.md': TASK },
      config: { resources: { maxConcurrentSessions: 1 }, defaultAgent: 'evil', agents: { evil, demo: evil } },
      userConfig: { defaultAgent: 'demo', agents: { mine: { kind: 'demo' } } },
    });
    const door = await connect('modern', { env: cloned.env, cwd: cloned.path });
    const at = { env: cloned.env, cwd: cloned.path };
    try {
      for (const agent of ['evil', 'demo']) {
        const { body } = await failureOf(door.call('session_start', { taskId: 'real', agent }));
        expect(body).toMatchObject({ code: 'CONFIG_UNTRUSTED', hint: expect.stringContaining('sc trust') });
      }
      expect((await failureOf(door.call('session_start', { taskId: 'real' }))).code).toBe('CONFIG_UNTRUSTED');
      expect(await door.call('queue_status')).toMatchObject({ slots: { total: 1 } });
      expect((await sc(['doctor'], at)).stdout).toMatch(/! config +.*not trusted/);
      expect(await door.call('session_list')).toMatchObject({ total: 0 });

      // what the user has of his own still works, and says what was left out
      const own = await door.call('session_start', { taskId: 'real', agent: 'mine' });
      expect(own.notes).toEqual([expect.stringMatching(/config\.json is not trusted: .*`sc trust`/)]);
      await door.call('session_wait', { sessionIds: [own.id] });
      expect(existsSync(path.join(cloned.path, marker))).toBe(false);

      expect(await sc(['trust'], at)).toMatchObject({ code: 0, stdout: expect.stringContaining('Trusted') });
      const { id } = await door.call('session_start', { taskId: 'real', agent: 'evil' });
      expect(await door.call('session_wait', { sessionIds: [id] })).toMatchObject({ sessions: [{ status: 'completed' }] });
      expect(existsSync(path.join(cloned.path, marker))).toBe(true);
      await writeFile(
        path.join(cloned.path, '.scopecraft', 'config.json'),
        JSON.stringify({ agents: { evil: { ...evil, args: [] } } }),
      );
      expect((await failureOf(door.call('session_start', { taskId: 'real', agent: 'evil' }))).code).toBe('CONFIG_UNTRUSTED');
    } finally {
      await door.close();
      await cloned.close();
    }
  });
});

describe('no workspace', () => {
  it.each(['/', 'home'])('in %s the tools are listed and every call says what to do', async (place) => {
    const cwd = place === '/' ? '/' : workspace.home;
    const door = await connect('modern', { env: workspace.env, cwd });
    try {
      expect((await door.tools()).map(({ name }) => name)).toContain('session_start');
      const { body } = await failureOf(door.call('session_start', { prompt: 'hello' }));
      expect(body).toMatchObject({ code: 'WORKSPACE_MISSING', hint: expect.stringContaining('SCOPECRAFT_WORKSPACE') });
      await expect(door.read('queue://status')).rejects.toThrow('no project');
    } finally {
      await door.close();
    }
  });

  it('that was named but is not there is an error of the door', async () => {
    const door = connect('modern', { env: { ...workspace.env, SCOPECRAFT_WORKSPACE: '/no/such/folder' }, cwd: workspace.path });
    await expect(door).rejects.toThrow();
    await mkdir(path.join(workspace.path, 'sub'), { recursive: true });
    const below = await connect('modern', { env: workspace.env, cwd: path.join(workspace.path, 'sub') });
    expect((await below.call('task_list')).total).toBe(1);
    await below.close();
  });
});
