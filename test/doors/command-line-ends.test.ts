// `sc` that waits for a session to its end: the exit code it ends with, and what it says of one that asks.
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { sc } from '../support/clients.ts';
import { CLI } from '../support/project.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

let workspace: Workspace;
const at = () => ({ env: workspace.env, cwd: workspace.path });
const run = (...args: readonly string[]) => sc(args, at());

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

describe('a session that asks', () => {
  const ASKS =
    '@@permission Bash {"command":"true"}\n@@question {"question":"Which heron?","options":["grey","purple"]}\n@@say {{last.answer}}';
  const allow = (id: string) => `asks: Bash: true — answer with: sc request answer ${id}.1 allow`;
  const choose = (id: string) => `asks: Which heron? (grey, purple) — answer with: sc request answer ${id}.2 answer "…"`;

  it('is waited for until it asks, which is told with the command that answers it', async () => {
    const { code, stdout } = await run('session', 'run', '--prompt', ASKS);
    const id = /^id +(\S+)$/m.exec(stdout)?.[1] ?? '';
    expect({ code, stdout }).toEqual({ code: 75, stdout: expect.stringContaining(allow(id)) });
    for (const [command, exitCode] of [
      ['wait', 75],
      ['get', 0],
    ] as const)
      expect(await run('session', command, id)).toMatchObject({ code: exitCode, stdout: expect.stringContaining(allow(id)) });
    await run('request', 'answer', `${id}.1`, 'allow');
    expect(await run('session', 'wait', id)).toMatchObject({ code: 75, stdout: expect.stringContaining(choose(id)) });
    await run('request', 'answer', `${id}.2`, 'answer', 'grey');
    const end = await run('session', 'wait', id);
    expect(end).toMatchObject({ code: 0, stdout: expect.stringContaining('grey') });
    for (const answer of [end.stdout, (await run('session', 'get', id)).stdout]) expect(answer).not.toMatch(/asks:|Follow it/);
  });

  it.each(['table', 'json'])('is followed with each request once, as %s', async (format) => {
    const id = await started(ASKS);
    const child = spawn(process.execPath, [CLI, 'session', 'logs', id, '--follow', `--format=${format}`], {
      ...at(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
    for (const [request, said, answer] of [
      ['1', allow(id), ['allow']],
      ['2', choose(id), ['answer', 'purple']],
    ] as const) {
      const line = format === 'table' ? said : `{"request":{"requestId":"${id}.${request}"`;
      await expect.poll(() => stdout, { timeout: 10_000 }).toContain(line);
      await run('request', 'answer', `${id}.${request}`, ...answer);
    }
    expect(await closed).toBe(0);
    const lines = stdout.trim().split('\n');
    expect(lines.filter((line) => /^asks: |^{"request"/.test(line))).toHaveLength(2);
    if (format === 'json') for (const line of lines) expect(JSON.parse(line)).toBeInstanceOf(Object);
  });
});

it('started and followed where nobody sits, one that asks ends the following with 75, told once with the command that answers it', async () => {
  for (const format of ['table', 'json']) {
    const prompt = '@@permission Bash {"command":"true"}';
    const { code, stdout } = await run('session', 'start', '--prompt', prompt, '--follow', `--format=${format}`);
    expect(code).toBe(75);
    const lines = stdout.trim().split('\n');
    if (format === 'table') expect(lines.filter((line) => /^asks: .*sc request answer \S+ allow$/.test(line))).toHaveLength(1);
    else expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ status: 'waiting', requests: [{ text: 'Bash: true' }] });
    const id = /([\w-]+)\.1\b/.exec(lines.at(-1) ?? '')?.[1] ?? '';
    await run('session', 'cancel', id);
    expect((await run('session', 'wait', id)).code).toBe(1);
  }
});

it('follows only what matches', async () => {
  const id = await started('@@say a heron\n@@say a stork\n@@say a grey heron');
  const { stdout } = await run('session', 'logs', id, '--follow', '--grep=heron$', '--kinds=text');
  expect([...stdout.matchAll(/text +(.*)$/gm)].map(([, text]) => text)).toEqual(['a heron', 'a grey heron']);
});

it('followed as JSON, a start is an object a line, the session last', async () => {
  const { stdout } = await run('session', 'start', '--prompt', '@@say over', '--follow', '--format=json');
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines).toEqual(expect.arrayContaining([expect.objectContaining({ kind: 'result', text: 'over' })]));
  expect(lines.at(-1)).toMatchObject({ status: 'completed', result: 'over' });
});

it('says in the list of events why a session failed and the line was paused, and follows them so', async () => {
  const id = await started('@@fail broken');
  await run('session', 'wait', id);
  await run('queue', 'pause', '--reason=we deploy');
  await run('queue', 'resume');
  const { stdout } = await run('event', 'list');
  expect(stdout).toMatch(new RegExp(`session\\.failed +${id} +agent error: broken$`, 'm'));
  expect(stdout).toMatch(/queue\.paused +we deploy$/m);
  const follower = spawn(process.execPath, [CLI, 'event', 'list', '--follow'], { ...at(), stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void follower.kill('SIGKILL'));
  let told = '';
  follower.stdout.on('data', (chunk: Buffer) => {
    told += chunk.toString();
  });
  await expect.poll(() => told, { timeout: 10_000 }).toMatch(new RegExp(`session\\.failed +${id} {2}agent error: broken$`, 'm'));
  expect(told).toMatch(/queue\.paused +we deploy$/m);
});
