// Sessions in worktrees of their own, through the door, in a real git repository: nobody sees another's files, and no work is lost.
import { execFile } from 'node:child_process';
import { access, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { connect, type TestClient } from '../support/clients.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const SessionRow = z.looseObject({
  id: z.string(),
  status: z.string(),
  run: z.number().optional(),
  worktree: z.looseObject({ path: z.string(), branch: z.string() }),
  changes: z.looseObject({ files: z.array(z.string()), fileCount: z.number(), commitCount: z.number() }).optional(),
});
const Started = z.looseObject({ id: z.string() });
const NAMES = ['heron', 'grebe', 'bittern', 'crane'] as const;
const GIT = 'git -c user.name=Agent -c user.email=agent@example.invalid';
const bash = (command: string) => `@@tool Bash ${JSON.stringify({ command })}`;
/** Commits a file, leaves another, and lists what it sees when all four have got so far. */
const script = (name: string) =>
  [
    bash(`echo ${name} > ${name}.txt && ${GIT} add . && ${GIT} commit -qm ${name}`),
    bash(`echo ${name} > loose-${name}.txt; touch "$OTHERS/${name}"; until [ $(ls "$OTHERS" | wc -l) = 4 ]; do sleep 0.1; done`),
    bash('ls > seen.txt; git branch --show-current >> seen.txt'),
    '@@say done',
  ].join('\n');

const open: { workspace?: Workspace; client?: TestClient } = {};
afterEach(async () => {
  await open.client?.close();
  await open.workspace?.close();
  delete open.client;
  delete open.workspace;
});

async function begin(settings: object = {}) {
  const workspace = await makeWorkspace({
    git: true,
    tasks: { 'any.task.md': '# Any\n\n@@say done\n' },
    userConfig: { defaultAgent: 'demo', resources: { maxConcurrentSessions: 4 }, ...settings },
  });
  open.workspace = workspace;
  open.client = await connect('modern', { env: workspace.env, cwd: workspace.path });
  return { workspace, client: open.client };
}

async function settled(client: TestClient, ids: readonly string[]) {
  const wait = { sessionIds: ids, until: 'all', timeoutSeconds: 45 };
  expect(await client.call('session_wait', wait, { timeoutMs: 90_000 })).toMatchObject({ timedOut: false });
  return Promise.all(ids.map(async (sessionId) => SessionRow.parse(await client.call('session_get', { sessionId }))));
}

async function ran(client: TestClient, prompt: string, taskId?: string) {
  const args = { prompt, worktree: true, ...(taskId !== undefined && { taskId }) };
  const { id } = Started.parse(await client.call('session_start', args));
  const [row] = await settled(client, [id]);
  if (!row) throw new Error('It is gone.');
  return row;
}

const isThere = (file: string) =>
  access(file).then(
    () => true,
    () => false,
  );
const git = async (cwd: string, ...args: readonly string[]) =>
  (await promisify(execFile)('git', [...args], { cwd })).stdout.trim();

describe('four sessions in four worktrees at once', { timeout: 120_000 }, () => {
  it('each see their own files alone, and their receipts say what they made where', async () => {
    const { workspace, client } = await begin();
    const others = path.join(workspace.root, 't');
    const started = await Promise.all(
      NAMES.map(async (name, at) => {
        const worktree = at % 2 === 0 ? true : `feature/${name}`;
        const prompt = script(name).replaceAll('$OTHERS', others);
        return Started.parse(await client.call('session_start', { prompt, worktree })).id;
      }),
    );
    const rows = await settled(client, started);
    for (const [at, { id, status, worktree, changes }] of rows.entries()) {
      const name = NAMES[at] ?? '';
      const branch = at % 2 === 0 ? `scopecraft/${id}` : `feature/${name}`;
      const folder = path.join(workspace.path, '.scopecraft', 'worktrees', id);
      expect({ status, worktree }).toEqual({ status: 'completed', worktree: expect.objectContaining({ path: folder, branch }) });
      expect(changes).toMatchObject({ fileCount: 3, commitCount: 1 });
      expect(changes?.files.toSorted()).toEqual([`${name}.txt`, `loose-${name}.txt`, 'seen.txt']);
      const seen = (await readFile(path.join(folder, 'seen.txt'), 'utf8')).trim().split('\n');
      expect(seen).toEqual([`${name}.txt`, `loose-${name}.txt`, 'seen.txt', branch]);
      expect(await git(workspace.path, 'log', '--format=%s', `main..${branch}`)).toBe(name);
    }
    expect((await readdir(workspace.path)).filter((name) => name.endsWith('.txt'))).toEqual([]);
    expect(await git(workspace.path, 'status', '--porcelain', '--', ':!.tasks')).not.toMatch(/worktrees|\.txt/);
  });
});

describe('a worktree', { timeout: 120_000 }, () => {
  it('on a branch that the workspace itself has is refused at once, and nothing is made', async () => {
    const { workspace, client } = await begin();
    await expect(client.call('session_start', { prompt: 'x', worktree: 'main' })).rejects.toThrow(
      `WORKTREE_FAILED: The branch "main" is checked out in ${workspace.path}.`,
    );
    expect(await client.call('session_list')).toMatchObject({ total: 0 });
  });

  it('with work that is nowhere else stays when it is to be removed, unless that is forced; its commits stay in any case', async () => {
    const { workspace, client } = await begin();
    const { id, worktree } = await ran(client, `${bash('echo loose > loose.txt')}\n@@say done`);
    const remove = (more: object = {}) => client.call('worktree_remove', { sessionId: id, ...more });
    expect(await remove()).toMatchObject({ isRemoved: false, reason: expect.stringMatching(/commit/) });
    expect(await readFile(path.join(worktree.path, 'loose.txt'), 'utf8')).toBe('loose\n');
    await git(worktree.path, 'add', '.');
    await git(worktree.path, '-c', 'user.name=T', '-c', 'user.email=t@example.invalid', 'commit', '-qm', 'Loose');
    expect(await remove()).toMatchObject({ isRemoved: false, reason: expect.stringContaining(worktree.branch) });
    expect(await isThere(worktree.path)).toBe(true);
    expect(await remove({ force: true })).toMatchObject({ isRemoved: true, branch: worktree.branch });
    expect(await isThere(worktree.path)).toBe(false);
    expect(await git(workspace.path, 'show', `${worktree.branch}:loose.txt`)).toBe('loose');

    const clean = await ran(client, '@@say nothing done');
    expect(await client.call('worktree_remove', { sessionId: clean.id })).toMatchObject({ isRemoved: true });
    expect(await isThere(clean.worktree.path)).toBe(false);
  });

  it('with unmerged work outlives the cleanup of its session; one without goes with it', async () => {
    const { client, workspace } = await begin({ cleanup: { keepSessions: 2, cleanupIntervalMs: 1000 } });
    const kept = (id: string) =>
      [`environments/${id}.json`, `sessions/${id}`].map((name) => path.join(workspace.path, '.scopecraft', 'state', name));
    const working = await ran(
      client,
      `${bash(`echo kept > kept.txt && ${GIT} add . && ${GIT} commit -qm Kept`)}\n@@say done`,
      'any',
    );
    const idle = await ran(client, '@@say nothing done', 'any');
    for (const file of kept(idle.id)) expect(await isThere(file)).toBe(true);
    for (let more = 0; more < 2; more += 1) {
      const { id } = Started.parse(await client.call('session_start', { taskId: 'any', prompt: '@@say more' }));
      await client.call('session_wait', { sessionIds: [id] });
    }
    for (const { id } of [working, idle])
      await expect
        .poll(() => client.call('session_get', { sessionId: id }).catch(String), { timeout: 30_000, interval: 500 })
        .toContain('SESSION_NOT_FOUND');
    // the folder goes first, then its branch
    await expect
      .poll(() => client.call('worktree_list'), { timeout: 20_000, interval: 200 })
      .toMatchObject({ total: 1, worktrees: [{ sessionId: working.id, status: 'removed', holds: expect.any(String) }] });
    expect(await isThere(idle.worktree.path)).toBe(false);
    for (const file of [...kept(idle.id), ...kept(working.id)])
      await expect.poll(() => isThere(file), { timeout: 10_000 }).toBe(false);
    expect(await readFile(path.join(working.worktree.path, 'kept.txt'), 'utf8')).toBe('kept\n');
  });

  it('is there again at its path when its session is gone on with', async () => {
    const { workspace, client } = await begin();
    const first = await ran(client, `${bash(`echo one > one.txt && ${GIT} add . && ${GIT} commit -qm One`)}\n@@say done`);
    await rm(first.worktree.path, { recursive: true });
    await client.call('session_prompt', {
      sessionId: first.id,
      prompt: `${bash('pwd > where.txt')}\n@@say again`,
      timeoutSeconds: 0,
    });
    const [second] = await settled(client, [first.id]);
    expect(second).toMatchObject({ status: 'completed', run: 2, result: 'again', worktree: first.worktree });
    expect((await readFile(path.join(first.worktree.path, 'where.txt'), 'utf8')).trim()).toBe(first.worktree.path);
    expect(await readFile(path.join(first.worktree.path, 'one.txt'), 'utf8')).toBe('one\n');
    expect(await isThere(path.join(workspace.path, 'where.txt'))).toBe(false);
  });
});
