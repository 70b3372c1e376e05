// `sc` as a person uses it: the demo, following with Ctrl-C, tables, status and doctor.
import { spawn } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { sc } from '../support/clients.ts';
import { CLI } from '../support/project.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const SLOW = '# Slow\n\n@@say begun\n@@sleep 2500\n@@say over\n';
const HANG = '# Hang\n\n@@hang\n';

const Id = z.looseObject({ id: z.string() });

let workspace: Workspace;
const at = () => ({ env: workspace.env, cwd: workspace.path });

beforeAll(async () => {
  workspace = await makeWorkspace({
    tasks: { 'slow.task.md': SLOW, 'hang.task.md': HANG },
    userConfig: { defaultAgent: 'demo', resources: { maxConcurrentSessions: 1 }, server: { idleExitMs: 4000 } },
  });
});

afterAll(() => workspace?.close());

/** Runs sc and sends SIGINT as soon as it said that word. */
async function interrupted(
  args: readonly string[],
  word: RegExp,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [CLI, ...args], { ...at(), stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    if (word.test(stdout)) child.kill('SIGINT');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, stdout, stderr };
}

describe('sc', () => {
  it('shows the whole line in its demo: task, start, live log, result, history, and how to go on', async () => {
    const tmp = path.join(workspace.home, 'tmp');
    await mkdir(tmp);
    const { code, stdout, stderr } = await sc(['demo'], { env: { ...workspace.env, TMPDIR: tmp }, cwd: workspace.path });
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const parts = [
      '# Write a greeting',
      'sc session start greeting',
      'is starting',
      'tool_use Write',
      'tool_result Bash',
      'completed',
      '$0.0042',
      '## Session History',
      'Session completed',
      'Go on from here',
    ];
    const places = parts.map((part) => stdout.indexOf(part));
    expect(places).not.toContain(-1);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    const [folder = ''] = await readdir(tmp).then((names) => names.filter((name) => name.startsWith('scopecraft-demo-')));
    const demo = { env: { ...workspace.env, TMPDIR: tmp }, cwd: path.join(tmp, folder) };
    expect((await sc(['session', 'list', `--workspace=${demo.cwd}`], demo)).stdout).toMatch(/greeting-\w{4} +completed/);
  });

  it('follows events: the newest, then each as it comes, once and in order, and Ctrl-C ends it', async () => {
    const started = async (prompt: string) => {
      const { stdout } = await sc(['session', 'start', '--prompt', prompt, '--format=json'], at());
      return Id.parse(JSON.parse(stdout)).id;
    };
    const before = await started('@@say one');
    const follower = spawn(process.execPath, [CLI, 'event', 'list', '--follow', '--types=session.*'], {
      ...at(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    follower.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    follower.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    const closed = new Promise<number | null>((resolve) => follower.once('close', resolve));
    const rows = () => [...stdout.matchAll(/^ *(\d+) {2}\d\d:\d\d:\d\d {2}(\S+) +(\S+)(?: {2}.*)?$/gm)];
    const seen = (id: string) => rows().flatMap(([, , name, session]) => (session === id ? [name] : []));
    const whole = ['session.queued', 'session.starting', 'session.started', 'session.completed'];
    const told = (id: string) => () => seen(id).filter((name) => whole.includes(name ?? ''));
    onTestFinished(() => void follower.kill('SIGKILL'));
    await expect.poll(told(before), { timeout: 20_000 }).toEqual(whole);
    await expect.poll(told(await started('@@say two')), { timeout: 20_000 }).toEqual(whole);
    // something of another kind, which was not asked for
    await sc(['queue', 'pause', '--reason=we deploy'], at());
    expect((await sc(['status'], at())).stdout).toMatch(/^paused +we deploy$/m);
    await sc(['queue', 'resume'], at());
    expect((await sc(['status'], at())).stdout).not.toContain('paused');
    follower.kill('SIGINT');
    expect(await closed).toBe(130);
    expect(stderr.trim()).toBe('The following ended.');
    const numbers = rows().map(([, seq]) => Number(seq));
    expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
    expect(rows().filter(([, , name]) => !name?.startsWith('session.'))).toEqual([]);
  });

  it('ends the following on Ctrl-C, not the session', async () => {
    const { code, stderr, stdout } = await interrupted(['session', 'start', 'slow', '--follow'], /text +begun/);
    expect(code).toBe(130);
    expect(stderr).toContain('the session goes on');
    const id = /Session (slow-\w{4})/.exec(stderr)?.[1] ?? '';
    expect(stdout).not.toMatch(/(text|result) +over/);
    const waited = await sc(['session', 'wait', id], at());
    expect(waited.stdout).toMatch(new RegExp(`${id} +completed`));
    expect((await sc(['session', 'logs', id], at())).stdout).toMatch(/text +begun[\s\S]*result +over/);
  });

  it('answers as JSON where that is asked for, and for people else', async () => {
    const { id } = JSON.parse((await sc(['session', 'start', '--prompt', '@@say over', '--format=json'], at())).stdout);
    for (const [key, ...words] of [
      ['sessions', 'session', 'wait', id],
      ['entries', 'session', 'logs', id],
      ['status', 'session', 'get', id],
      ['sessions', 'session', 'list'],
      ['slots', 'queue', 'status'],
      ['events', 'event', 'list'],
      ['tasks', 'task', 'list'],
    ]) {
      expect(JSON.parse((await sc([...words, '--format=json'], at())).stdout), words.join(' ')).toHaveProperty(key);
      expect((await sc(words, at())).stdout, words.join(' ')).not.toMatch(/^\s*[[{]/);
    }
    const followed = (await sc(['session', 'logs', id, '--follow', '--format=json'], at())).stdout.trim().split('\n');
    expect(followed.map((line) => JSON.parse(line))).toEqual(
      expect.arrayContaining([expect.objectContaining({ kind: 'result', text: 'over' })]),
    );
  });

  it('shows the line as a table that says who waits for what', async () => {
    const first = await sc(['session', 'start', 'hang', '--format=json'], at());
    const second = await sc(['session', 'start', 'slow', '--priority=low', '--concurrent'], at());
    expect(second.stdout).toMatch(/is queued: waits for a slot: 1 of 1 taken/);
    const { stdout } = await sc(['queue', 'status'], at());
    expect(stdout).toMatch(
      /PLACE +SESSION +PRIORITY +QUEUED +EXPECTED +WAITS\n1 +slow-\w{4} +low +\d\d:\d\d:\d\d +\d\d:\d\d:\d\d +waits for a slot: 1 of 1 taken/,
    );
    expect(stdout).toContain('1 of 1 slots taken, 1 waiting.');
    const listed = JSON.parse((await sc(['session', 'list', '--format=json', '--limit=1'], at())).stdout);
    expect(listed).toMatchObject({ sessions: [{ status: 'queued', position: 1 }], nextCursor: expect.any(String) });
    const rest = await sc(['session', 'list', `--cursor=${listed.nextCursor}`], at());
    expect(rest.stdout).toContain(JSON.parse(first.stdout).id);
    expect((await sc(['event', 'list', '--types=session.*', '--limit=3'], at())).stdout).toMatch(/SEQ +AT +EVENT +SESSION\b/);
    expect((await sc(['task', 'list'], at())).stdout).toMatch(/slow +\w+ +Slow/);
    for (const id of [listed.sessions[0].id, JSON.parse(first.stdout).id]) await sc(['session', 'cancel', id], at());
  });

  it('reads a prompt from standard input', async () => {
    const { stdout } = await sc(['session', 'start', '--prompt', '-', '--follow'], {
      ...at(),
      input: 'Say it.\n@@say from a pipe\n',
    });
    expect(stdout).toMatch(/result +from a pipe/);
  });

  it('says how things stand, and starts nothing for it', async () => {
    await expect.poll(() => workspace.hub(), { timeout: 15_000, interval: 200 }).toBeUndefined();
    expect(await sc(['status'], at())).toMatchObject({ code: 0, stdout: expect.stringMatching(/hub +not running/) });
    const doctor = await sc(['doctor'], at());
    expect(doctor.stdout).toMatch(/✓ node/);
    expect(doctor.stdout).toMatch(/! agent claude claude is not on PATH: npm install|✓ agent claude/);
    expect(doctor.stdout).toMatch(/✓ tasks +\d+ in \.tasks/);
    expect(await workspace.hub()).toBeUndefined();
    expect(JSON.parse((await sc(['doctor', '--format=json'], at())).stdout).findings.length).toBeGreaterThan(4);
    const hang = JSON.parse((await sc(['session', 'start', 'hang', '--format=json'], at())).stdout).id;
    await sc(['session', 'start', 'hang'], at());
    await expect.poll(async () => (await sc(['session', 'get', hang], at())).stdout).toMatch(/status +running/);
    const { total } = JSON.parse((await sc(['session', 'list', '--format=json'], at())).stdout);
    const { pid } = (await workspace.hub()) ?? {};
    const [workspaceLine, ...lines] = (await sc(['status'], at())).stdout.split('\n').map((line) => line.replace(/ {2,}/g, ' '));
    expect(workspaceLine).toBe(`workspace ${workspace.path}`);
    expect(lines.slice(0, 3)).toEqual(['hub running', `pid ${pid}`, expect.stringMatching(/^version \d+\.\d+\.\d+$/)]);
    expect(lines).toEqual(expect.arrayContaining(['slots 1 of 1 taken', 'waiting 1', `sessions ${total}`]));
    expect(lines.join('\n')).toMatch(new RegExp(`^ ${hang} running demo \\d\\d:`, 'm'));
    for (const { id } of JSON.parse((await sc(['session', 'list', '--task-id=hang', '--format=json'], at())).stdout).sessions)
      await sc(['session', 'cancel', id], at());
  });

  it('says what is missing on this machine, and how to get it', async () => {
    const bare = { env: { ...workspace.env, PATH: workspace.path }, cwd: '/' };
    const { code, stdout } = await sc(['doctor'], bare);
    expect(code).toBe(1);
    for (const line of [
      /^✗ workspace +None here\. .*make a folder `\.tasks`/m,
      /^! agent claude claude is not on PATH: npm install -g @anthropic-ai\/claude-code/m,
      /^! git +not on PATH; .*install git/m,
      /^! tmux +not on PATH; .*install tmux/m,
    ])
      expect(stdout).toMatch(line);
  });

  it('finds programs as a start does: no folder, and none in a relative folder of PATH', async () => {
    await mkdir(path.join(workspace.path, 'odd', 'git'), { recursive: true });
    await writeFile(path.join(workspace.path, 'odd', 'tmux'), '#!/bin/sh\n', { mode: 0o755 });
    const PATH = `${path.join(workspace.path, 'odd')}:odd`;
    const { stdout } = await sc(['doctor'], { ...at(), env: { ...workspace.env, PATH } });
    expect(stdout).toMatch(/^! git +not on PATH/m);
    expect(stdout).toContain(path.join(workspace.path, 'odd', 'tmux'));
    const relative = await sc(['doctor'], { ...at(), env: { ...workspace.env, PATH: 'odd' } });
    expect(relative.stdout).toMatch(/^! tmux +not on PATH/m);
  });

  it('helps and names its version', async () => {
    expect((await sc([], at())).stdout).toContain('Usage: sc <command>');
    for (const words of ['session start --help', 'session start -h', 'help session start'])
      expect((await sc(words.split(' '), at())).stdout, words).toContain('--max-cost-usd=N');
    expect((await sc(['help', 'session'], at())).stdout).toContain('Commands of session:');
    expect((await sc(['help', 'status'], at())).stdout).toContain('Usage: sc status');
    expect((await sc(['status', '--help'], at())).stdout).toContain('Usage: sc status');
    expect((await sc(['--version'], at())).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
