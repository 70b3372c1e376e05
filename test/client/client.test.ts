// The typed client against a real hub and the demo agent: methods, errors, watches and hooks, also when the hub is killed meanwhile.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ScopecraftClient } from '../../client/index.ts';
import { TOOLS } from '../../tools/index.ts';
import { builtClient } from '../support/built-client.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const { connect, ScopecraftError, SessionError } = await builtClient();

const task = (lines: string) => `# A task\n\n---\ntype: bug\nstatus: todo\n---\n\n## Instruction\n\n${lines}\n`;
const TASKS = {
  quick: task('@@cost 0.02\n@@say It is done.'),
  slow: task('@@sleep 4000\n@@say It took a while.'),
  failing: task('@@fail It cannot be done.'),
  hang: task('@@hang'),
};

let workspace: Workspace;
let client: ScopecraftClient;

const open = () => connect(workspace.path, { name: 'a test', env: workspace.env });

beforeAll(async () => {
  workspace = await makeWorkspace({ tasks: TASKS, userConfig: { defaultAgent: 'demo' } });
});

afterAll(async () => {
  await client?.close();
  await workspace?.close();
});

async function failureOf(deed: Promise<unknown>): Promise<InstanceType<typeof ScopecraftError>> {
  const error = await deed.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof ScopecraftError) return error;
  throw new Error(`Not failed as the table has it: ${error}`);
}

async function killHub(): Promise<number> {
  const hub = await workspace.hub();
  if (hub === undefined) throw new Error('No hub runs.');
  process.kill(hub.pid, 'SIGKILL');
  return hub.pid;
}

async function settled(sessionId: string): Promise<string> {
  const { sessions } = await client.sessionWait({ sessionIds: [sessionId], timeoutSeconds: 40 });
  return sessions[0]?.status ?? 'none';
}

describe('connecting', () => {
  it('does not start a hub when it is told not to, and says what can be done', async () => {
    const error = await failureOf(connect(workspace.path, { env: workspace.env, start: false }));
    expect(error).toMatchObject({ code: 'HUB_UNREACHABLE', retry: true, hint: expect.stringContaining('sc doctor') });
    expect(await workspace.hub()).toBeUndefined();
  });

  it('fails where the workspace is no folder', async () => {
    expect(await failureOf(connect(`${workspace.path}/none`, { env: workspace.env }))).toMatchObject({
      code: 'WORKSPACE_MISSING',
    });
  });

  it('starts the hub where there is none', async () => {
    client = await open();
    expect(client.workspace).toBe(workspace.path);
    expect(await workspace.hub()).toBeDefined();
  });

  it('gives a method for each tool and for nothing else', () => {
    const { workspace: _path, read: _read, watch: _watch, onSession: _on, close: _close, ...methods } = client;
    expect(Object.keys(methods)).toEqual(TOOLS.map(({ name }) => name.replace(/_[a-z]/g, (part) => part.slice(1).toUpperCase())));
  });
});

describe('the methods', () => {
  it('start a session, wait for it and read what it did', async () => {
    const { id, taskId } = await client.sessionStart({ taskId: 'quick', label: 'first' });
    expect(taskId).toBe('quick');
    expect(await settled(id)).toBe('completed');
    expect(await client.sessionGet({ sessionId: id })).toMatchObject({ result: 'It is done.', costUsd: 0.02 });
    expect((await client.sessionLogs({ sessionId: id })).entries.at(-1)).toMatchObject({ kind: 'result' });
    expect((await client.sessionList()).sessions.map((session) => session.id)).toContain(id);
    // who asked is told by the name of the program
    await expect.poll(() => workspace.task('quick')).toMatch(/Session queued by a test \d/);
  });

  it('fail with code, hint and retry as the table has them', async () => {
    const missing = await failureOf(client.sessionStart({ taskId: 'quik' }));
    expect(missing).toMatchObject({ name: 'ScopecraftError', code: 'TASK_NOT_FOUND', retry: false });
    expect(missing.message).toContain('Did you mean "quick"?');
    expect(missing.hint).toContain('task_list');
    expect(await failureOf(client.sessionWait({ sessionIds: ['nobody'] }))).toMatchObject({ code: 'SESSION_NOT_FOUND' });
  });

  it('fail with INVALID_INPUT where types did not look', async () => {
    const args: object = { taskId: 'quick', prioritty: 'high' };
    expect((await failureOf(client.sessionStart(args))).message).toContain('Did you mean "priority"?');
  });

  it('can be given up', async () => {
    const { id } = await client.sessionStart({ taskId: 'hang' });
    const giving = new AbortController();
    setTimeout(() => giving.abort(), 100);
    const since = performance.now();
    const error = await failureOf(client.sessionWait({ sessionIds: [id], timeoutSeconds: 30 }, { signal: giving.signal }));
    expect(error.code).toBe('CANCELLED');
    expect(performance.now() - since).toBeLessThan(5000);
    await client.sessionCancel({ sessionId: id });
    expect(await settled(id)).toBe('cancelled');
  });
});

describe('resources', () => {
  it('are read as they are now', async () => {
    expect(JSON.parse((await client.read('queue://status')).text)).toMatchObject({ isPaused: false });
    await client.queuePause();
    const { text, mimeType } = await client.read('queue://status');
    expect(mimeType).toBe('application/json');
    expect(JSON.parse(text)).toMatchObject({ isPaused: true });
    await client.queueResume();
  });

  it('that are not there can be neither read nor watched', async () => {
    expect(await failureOf(client.read('nothing://here'))).toMatchObject({ code: 'RESOURCE_NOT_FOUND' });
    expect(await failureOf(client.watch('session://nobody', () => undefined))).toMatchObject({ code: 'SESSION_NOT_FOUND' });
  });

  it('are watched by each who asked, until they close', async () => {
    const told: string[] = [];
    const first = await client.watch('queue://status', (uri) => told.push(`first ${uri}`));
    const second = await client.watch('queue://status', () => told.push('second'));
    await client.queuePause();
    await expect.poll(() => told).toEqual(expect.arrayContaining(['first queue://status', 'second']));
    await first.close();
    told.length = 0;
    await client.queueResume();
    await expect.poll(() => told).toContain('second');
    await second.close();
    expect(told).not.toContain('first queue://status');
    told.length = 0;
    await client.queuePause();
    await client.queueResume();
    await client.read('queue://status');
    expect(told).toEqual([]);
  });
});

describe('when the hub is killed', () => {
  it('a call under way is answered by the next hub, and a watch goes on', async () => {
    const { id } = await client.sessionStart({ taskId: 'slow' });
    const told: string[] = [];
    const watchings = [
      await client.watch(`session://${id}`, (uri) => told.push(uri)),
      await client.watch('queue://status', (uri) => told.push(uri)),
    ];
    const waiting = client.sessionWait({ sessionIds: [id], timeoutSeconds: 40 });
    await expect.poll(async () => (await client.sessionGet({ sessionId: id })).status).toBe('running');
    await expect.poll(() => told).toContain(`session://${id}`);
    told.length = 0;
    const dead = await killHub();
    expect((await waiting).sessions[0]).toMatchObject({ status: 'completed', result: 'It took a while.' });
    expect((await workspace.hub())?.pid).not.toBe(dead);
    // its end, which only the next hub saw
    await expect.poll(() => told).toContain(`session://${id}`);
    told.length = 0;
    await client.queuePause();
    await expect.poll(() => told).toContain('queue://status');
    await client.queueResume();
    for (const watching of watchings) await watching.close();
  });

  it('or ends in good order, a watch goes on as well', async () => {
    const told: string[] = [];
    const watching = await client.watch('queue://status', (uri) => told.push(uri));
    await workspace.endHub();
    await client.queuePause();
    await expect.poll(() => told).toContain('queue://status');
    told.length = 0;
    await client.queueResume();
    await expect.poll(() => told).toContain('queue://status');
    await watching.close();
  });

  it('a start that was under way is one start', async () => {
    const before = (await client.sessionList()).total;
    const starting = Promise.all(Array.from({ length: 5 }, () => client.sessionStart({ taskId: 'quick' })));
    await killHub();
    const ids = (await starting).map(({ id }) => id);
    expect(new Set(ids).size).toBe(5);
    expect((await client.sessionList()).total).toBe(before + 5);
    for (const id of ids) expect(await settled(id)).toBe('completed');
  });
});

describe('hooks', () => {
  it('tell of starts, ends and failures in order, across a killed hub, and go on from a cursor', async () => {
    const told: string[] = [];
    const errors: unknown[] = [];
    const hooks = {
      onSessionStart: ({ id }: { readonly id: string }) => void told.push(`start ${id}`),
      onSessionComplete: ({ id }: { readonly id: string }, { text, costUsd }: { text: string; costUsd?: number | undefined }) =>
        void told.push(`complete ${id} ${text} ${costUsd}`),
      onSessionError: ({ id }: { readonly id: string }, error: Error) => {
        errors.push(error);
        told.push(`error ${id} ${error.message}`);
      },
    };
    const { id: before } = await client.sessionStart({ taskId: 'quick' });
    await settled(before);
    const subscription = await client.onSession(hooks);
    const { id: good } = await client.sessionStart({ taskId: 'quick' });
    await settled(good);
    await expect.poll(() => told).toEqual([`start ${good}`, `complete ${good} It is done. 0.02`]);

    const { id: slow } = await client.sessionStart({ taskId: 'slow' });
    await expect.poll(() => told).toContain(`start ${slow}`);
    await killHub();
    expect(await settled(slow)).toBe('completed');
    await expect.poll(() => told.at(-1)).toBe(`complete ${slow} It took a while. 0`);
    await subscription.close();

    const { id: bad } = await client.sessionStart({ taskId: 'failing' });
    expect(await settled(bad)).toBe('failed');
    expect(told.join('\n')).not.toContain(bad);
    const later = await client.onSession(hooks, { after: subscription.cursor });
    await expect
      .poll(() => told.slice(-2))
      .toEqual([`start ${bad}`, expect.stringMatching(/^error failing-\w+ Session .* ended: agent error/)]);
    await later.close();
    expect(told).toHaveLength(6);
    expect(errors).toEqual([expect.any(SessionError)]);
    expect(errors[0]).toMatchObject({ sessionId: bad, endCause: { kind: 'agent_error' } });
  });

  it('cannot begin at a cursor that is none', async () => {
    expect(await failureOf(client.onSession({}, { after: 'yesterday' }))).toMatchObject({ code: 'CURSOR_INVALID' });
  });

  it('can be about one task only, and report what they throw', async () => {
    const problems: unknown[] = [];
    const told: string[] = [];
    const subscription = await client.onSession(
      {
        onSessionStart: () => Promise.reject(new Error('not today')),
        onSessionComplete: ({ taskId }) => void told.push(taskId),
        onProblem: (problem) => void problems.push(problem),
      },
      { taskId: 'quick' },
    );
    const { id: other } = await client.sessionStart({ taskId: 'slow' });
    const { id } = await client.sessionStart({ taskId: 'quick' });
    await settled(id);
    await settled(other);
    await expect.poll(() => told).toEqual(['quick']);
    expect(problems).toEqual([expect.objectContaining({ message: 'not today' })]);
    await subscription.close();
  });
});

describe('closing', () => {
  it('gives up the calls under way and refuses new ones, while sessions and hub go on', async () => {
    const other = await open();
    const { id } = await other.sessionStart({ taskId: 'hang' });
    const watching = await other.watch('queue://status', () => undefined);
    const waiting = failureOf(other.sessionWait({ sessionIds: [id], timeoutSeconds: 30 }));
    await other.queueStatus();
    await other.close();
    expect(await waiting).toMatchObject({ code: 'CANCELLED' });
    expect(await failureOf(other.queueStatus())).toMatchObject({ code: 'CANCELLED', message: 'This client is closed.' });
    await watching.close();
    await other.close();
    expect((await client.sessionGet({ sessionId: id })).status).toMatch(/starting|running/);
    await client.sessionCancel({ sessionId: id });
    expect(await settled(id)).toBe('cancelled');
  });
});
