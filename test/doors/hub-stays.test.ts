// What outlives what: a hub its doors as long as it is needed, and no longer; a session both, also where all their groups are killed.
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { connect } from '../support/clients.ts';
import { CLI } from '../support/project.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const Sessions = z.looseObject({ sessions: z.array(z.looseObject({ id: z.string() })) });
const Events = z.looseObject({ events: z.array(z.looseObject({ name: z.string() })) });

let workspace: Workspace | undefined;
afterEach(() => workspace?.close());

it('a hub does not leave while a session runs or waits in the line, and leaves then', async () => {
  const opened = await makeWorkspace({ userConfig: { defaultAgent: 'demo', server: { idleExitMs: 300 } } });
  workspace = opened;
  const at = { env: opened.env, cwd: opened.path };
  const first = await connect('modern', at);
  const ids = [];
  for (const start of [
    { prompt: '@@sleep 1200\n@@say it ran' },
    { prompt: '@@say it waited', notBefore: new Date(Date.now() + 3000).toISOString() },
  ])
    ids.push((await first.call('session_start', start)).id);
  await first.close();
  await expect.poll(() => opened.hub()).toBeUndefined();
  const later = await connect('modern', at);
  try {
    for (const id of ids) expect(await later.call('session_get', { sessionId: id })).toMatchObject({ status: 'completed' });
    const { events } = Events.parse(await later.call('event_list', { types: ['hub.*'], limit: 20 }));
    expect(events.map(({ name }) => name).slice(0, 3)).toEqual(['hub.started', 'hub.stopped', 'hub.started']);
  } finally {
    await later.close();
  }
});

it('the hub outlives the process group of who started it, and a session that of its hub', async () => {
  const opened = await makeWorkspace({ userConfig: { defaultAgent: 'demo' } });
  workspace = opened;
  const at = { env: opened.env, cwd: opened.path };
  const prompt = '@@say begun\n@@tool Bash {"command":"until [ -f go ]; do sleep 0.1; done"}\n@@say over';
  // as a shell starts it, in a group of its own
  const starter = spawn(process.execPath, [CLI, 'session', 'start', '--prompt', prompt, '--follow'], {
    ...at,
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  onTestFinished(() => void starter.kill('SIGKILL'));
  await new Promise<void>((resolve) => starter.stdout.on('data', (chunk) => String(chunk).includes('begun') && resolve()));
  const { pid: first = 0 } = (await opened.hub()) ?? {};
  process.kill(-(starter.pid ?? 0), 'SIGKILL');
  const client = await connect('modern', at);
  try {
    expect((await opened.hub())?.pid).toBe(first);
    const { sessions } = Sessions.parse(await client.call('session_list', { status: 'running' }));
    process.kill(-(await groupOf(first)), 'SIGKILL');
    await writeFile(path.join(opened.path, 'go'), '');
    expect(await client.call('session_wait', { sessionIds: sessions.map(({ id }) => id) })).toMatchObject({
      sessions: [{ status: 'completed', result: 'over' }],
    });
    expect((await opened.hub())?.pid).not.toBe(first);
  } finally {
    await client.close();
  }
});

async function groupOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
}
