// `sc` that waits for a session to its end: the exit code it ends with.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { sc } from '../support/clients.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

let workspace: Workspace;
const run = (...args: readonly string[]) => sc(args, { env: workspace.env, cwd: workspace.path });

beforeAll(async () => {
  workspace = await makeWorkspace({ userConfig: { defaultAgent: 'demo', resources: { maxConcurrentSessions: 4 } } });
});
afterAll(() => workspace?.close());

async function started(prompt: string): Promise<string> {
  const { stdout } = await run('session', 'start', '--prompt', prompt, '--format=json');
  return z.looseObject({ id: z.string() }).parse(JSON.parse(stdout)).id;
}

describe('sc session run, wait and start --follow', () => {
  it.each([
    ['@@say good', 0, 'completed'],
    ['@@fail broken', 1, 'failed'],
  ])('of %j end with %d', async (prompt, code, status) => {
    const says = new RegExp(`status +${status}`);
    expect(await run('session', 'run', '--prompt', prompt)).toMatchObject({ code, stdout: expect.stringMatching(says) });
    expect(await run('session', 'start', '--prompt', prompt, '--follow')).toMatchObject({
      code,
      stdout: expect.stringMatching(says),
    });
    const id = await started(prompt);
    expect(await run('session', 'wait', id)).toMatchObject({ code, stdout: expect.stringContaining(status) });
    // to have looked is no failure
    expect(await run('session', 'get', id)).toMatchObject({ code: 0, stdout: expect.stringMatching(says) });
  });

  it('end with 1 for a session that was cancelled, and with 75 for one that has not settled in the time given', async () => {
    const soon = '--timeout-seconds=0.2';
    const { code, stdout } = await run('session', 'run', '--prompt', '@@hang', soon, '--format=json');
    const { id, timedOut } = z.looseObject({ id: z.string(), timedOut: z.boolean() }).parse(JSON.parse(stdout));
    expect({ code, timedOut }).toEqual({ code: 75, timedOut: true });
    expect((await run('session', 'wait', id, soon)).code).toBe(75);
    await run('session', 'cancel', id);
    expect((await run('session', 'wait', id)).code).toBe(1);
  });

  it('take a time that is longer than one call waits, and start nothing with one that is none', async () => {
    const waits = ['--timeout-seconds=90', '--format=json'];
    const { code, stdout } = await run('session', 'run', '--prompt', '@@sleep 500\n@@say late', ...waits);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ status: 'completed', result: 'late', timedOut: false });
    expect((await run('session', 'wait', JSON.parse(stdout).id, ...waits)).code).toBe(0);
    const { total } = JSON.parse((await run('session', 'list', '--format=json')).stdout);
    expect(await run('session', 'run', '--prompt', '@@say no', '--timeout-seconds=-1')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('timeoutSeconds'),
    });
    expect(JSON.parse((await run('session', 'list', '--format=json')).stdout).total).toBe(total);
  });

  it('say in their help that they wait as long as it takes', async () => {
    for (const command of ['run', 'wait']) {
      const { stdout } = await run('session', command, '--help');
      expect(stdout).toMatch(/--timeout-seconds=N.*Default: as long as it takes\.$/m);
    }
  });
});
