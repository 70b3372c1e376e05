import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { noteHub } from '../../runners/hub-note.ts';
import { isAlive, processAt } from '../../runners/process.ts';
import { readChild, readClaim, readExit, readFeeder } from '../../runners/run-folder.ts';
import { endAllMarked, processesLeft } from '../support/processes.ts';
import { eventually, SUPERVISE } from './rig.ts';

let root: string;
let count = 0;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'supervise-'));
});
afterAll(async () => {
  await endAllMarked(root);
  await rm(root, { recursive: true, force: true });
});

async function newFolder(prompt = ''): Promise<string> {
  const folder = path.join(root, `run ${++count}`);
  await mkdir(folder);
  await writeFile(path.join(folder, 'prompt'), prompt);
  return folder;
}

/** A folder of a run that can be told more. */
async function newFed(said = ''): Promise<string> {
  const folder = await newFolder();
  await rm(path.join(folder, 'prompt'));
  await writeFile(path.join(folder, 'in'), said);
  return folder;
}

interface Keeping {
  readonly hubPidFile: string;
  readonly keeper: string;
  /** A folder before all others on PATH. */
  readonly programs?: string;
  readonly script?: string;
}

/** Where it stands who a living hub is, and a keeper that says that it was started. */
async function keeping(name: string, pid: number | undefined): Promise<Keeping> {
  const [hubPidFile, keeper] = [path.join(root, `${name}.pid`), path.join(root, `${name}.sh`)];
  if (pid !== undefined) noteHub(hubPidFile, pid);
  await writeFile(keeper, 'echo started >>"$0.out"');
  return { hubPidFile, keeper };
}

function supervise(
  folder: string,
  argv: readonly string[],
  { hubPidFile, keeper, programs, script = SUPERVISE }: Keeping = { hubPidFile: '', keeper: '' },
): ChildProcess {
  const words = [script, folder, hubPidFile, keeper, 'the node', 'the $(hub)', root, '--', ...argv];
  const PATH = [programs, process.env.PATH].filter(Boolean).join(path.delimiter);
  const env = { PATH, HOME: root, ROOT: root, SECRET: 'value', RUN: `${folder}/` };
  return spawn('/bin/sh', words, { env, detached: true, stdio: 'ignore' });
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  const [code] = await once(child, 'exit');
  return typeof code === 'number' ? code : null;
}

it('of twenty supervisors on one run folder exactly one runs the agent', async () => {
  const folder = await newFolder();
  const codes = await Promise.all(
    Array.from({ length: 20 }, () => exitOf(supervise(folder, ['sh', '-c', 'echo ran; sleep 0.2']))),
  );
  expect(codes.filter((code) => code === 0)).toHaveLength(1);
  expect(codes.filter((code) => code === 125)).toHaveLength(19);
  expect(await readFile(path.join(folder, 'out'), 'utf8')).toBe('ran\n');
  // who tried for it stands there until it owns it or is gone
  const tried = (await readdir(folder)).filter((name) => name.startsWith('claim.'));
  const owner = readClaim(folder);
  expect(tried).toEqual([`claim.${owner === 'fenced' ? owner : owner?.pid}`]);
  expect(await readFile(path.join(folder, tried[0] ?? ''), 'utf8')).toBe(await readFile(path.join(folder, 'claim'), 'utf8'));
});

it('writes down itself and the agent by pid and start time before the agent does anything', async () => {
  const folder = await newFolder();
  const supervisor = supervise(folder, ['sh', '-c', 'cat "$0/child"; sleep 600', folder]);
  const child = await eventually(() => readChild(folder));
  const line = await eventually(async () => (await readFile(path.join(folder, 'out'), 'utf8')) || undefined);
  expect(line).toBe(await readFile(path.join(folder, 'child'), 'utf8'));
  expect(readClaim(folder)).toMatchObject({ pid: supervisor.pid });
  expect(isAlive(child)).toBe(true);
  expect(processAt(child.pid)).toMatchObject({ ppid: supervisor.pid, startedAt: child.startedAt });
  process.kill(child.pid, 'SIGTERM');
  expect(await exitOf(supervisor)).toBe(0);
  expect(readExit(folder)).toBe(143);
});

it('lets INT reach an agent that has no handler of its own', async () => {
  const folder = await newFolder();
  const supervisor = supervise(folder, ['sleep', '600']);
  const child = await eventually(() => readChild(folder));
  await eventually(async () => ((await readFile(`/proc/${child.pid}/comm`, 'utf8')) === 'sleep\n' ? true : undefined));
  process.kill(child.pid, 'SIGINT');
  await exitOf(supervisor);
  expect(readExit(folder)).toBe(130);
});

it('outlives TERM, INT and HUP to itself and to its group, and records what became of the agent', async () => {
  const folder = await newFolder();
  const supervisor = supervise(folder, ['sh', '-c', 'trap "exit 9" TERM; echo ready; sleep 600 & wait']);
  const child = await eventually(() => readChild(folder));
  await eventually(async () => (await readFile(path.join(folder, 'out'), 'utf8').catch(() => '')) === 'ready\n' || undefined);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) supervisor.kill(signal);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(isAlive(child)).toBe(true);
  process.kill(-(supervisor.pid ?? 0), 'SIGTERM');
  await exitOf(supervisor);
  expect(readExit(folder)).toBe(9);
});

it('records 127 and the reason for a program that is not there', async () => {
  const folder = await newFolder();
  await exitOf(supervise(folder, ['/no/such/program']));
  expect(readExit(folder)).toBe(127);
  expect(await readFile(path.join(folder, 'err'), 'utf8')).toContain('/no/such/program');
});

it('starts the keeper when the hub is dead, with base variables only and in a session of its own', async () => {
  const folder = await newFolder();
  const keeper = path.join(root, 'keeper.sh');
  await writeFile(
    keeper,
    '{ for word; do echo "[$word]"; done; env; read -r stat </proc/$$/stat; echo "stat $stat"; } >"$0.tmp"; mv "$0.tmp" "$0.out"',
  );
  const dead = spawn('sleep', ['600']);
  const hubPidFile = path.join(root, 'hub.pid');
  noteHub(hubPidFile, dead.pid);
  dead.kill('SIGKILL');
  await once(dead, 'exit');
  await exitOf(supervise(folder, ['true'], { hubPidFile, keeper }));
  const told = await eventually(() => readFile(`${keeper}.out`, 'utf8').catch(() => undefined));
  expect(told.split('\n').slice(0, 3)).toEqual(['[the node]', '[the $(hub)]', `[${root}]`]);
  expect(told).toContain(`HOME=${root}\n`);
  expect(told).not.toMatch(/^(SECRET|ROOT)=/m);
  const [, pid, session] = /^stat (\d+) \(.*\) \S \d+ \d+ (\d+)/m.exec(told) ?? [];
  expect(session).toBe(pid);
});

it('starts no keeper while the hub lives', async () => {
  const kept = await keeping('living', process.pid);
  await exitOf(supervise(await newFolder(), ['true'], kept));
  await new Promise((resolve) => setTimeout(resolve, 200));
  await expect(readFile(`${kept.keeper}.out`)).rejects.toMatchObject({ code: 'ENOENT' });
});

it('starts the keeper when another process has got the pid of the dead hub', async () => {
  const kept = await keeping('given', process.pid);
  await writeFile(kept.hubPidFile, (await readFile(kept.hubPidFile, 'utf8')).replace(/\d+\n$/, '1\n'));
  await exitOf(supervise(await newFolder(), ['true'], kept));
  await eventually(() => readFile(`${kept.keeper}.out`, 'utf8').catch(() => undefined));
});

it('knows the hub by what ps tells on a system without /proc', async () => {
  const [script, programs] = [path.join(root, 'without-proc.sh'), path.join(root, 'other ps')];
  await mkdir(programs);
  // the one of macOS fills up the line
  await writeFile(path.join(programs, 'ps'), '#!/bin/sh\necho "$(exec /bin/ps "$@")    "\n', { mode: 0o755 });
  await writeFile(script, (await readFile(SUPERVISE, 'utf8')).replaceAll('/proc/', '/no/proc/'));
  const lines = {
    known: execFileSync('ps', ['-o', 'lstart=', '-p', String(process.pid)], {
      encoding: 'utf8',
      env: { LC_ALL: 'C', TZ: 'UTC' },
    }),
    other: 'Thu Jan  1 00:00:00 1970\n',
  };
  const outputs: string[] = [];
  for (const [name, startedAt] of Object.entries(lines)) {
    const kept = { ...(await keeping(name, undefined)), script, programs };
    await writeFile(kept.hubPidFile, `${process.pid} - ${startedAt}`);
    await exitOf(supervise(await newFolder(), ['true'], kept));
    outputs.push(`${kept.keeper}.out`);
  }
  const [known = '', other = ''] = outputs;
  await eventually(() => readFile(other, 'utf8').catch(() => undefined));
  await expect(readFile(known)).rejects.toMatchObject({ code: 'ENOENT' });
});

it('starts no keeper where the run was removed meanwhile', async () => {
  const folder = await newFolder();
  const kept = await keeping('removed', undefined);
  await exitOf(supervise(folder, ['rm', '-r', folder], kept));
  await new Promise((resolve) => setTimeout(resolve, 300));
  await expect(readFile(`${kept.keeper}.out`)).rejects.toMatchObject({ code: 'ENOENT' });
});

it('feeds an agent whatever is added to its input, until the feeder is ended', async () => {
  const folder = await newFed('one\n');
  const supervisor = supervise(folder, ['cat'], await keeping('fed', process.pid));
  const out = () => readFile(path.join(folder, 'out'), 'utf8').catch(() => '');
  await eventually(async () => (await out()) === 'one\n' || undefined);
  await appendFile(path.join(folder, 'in'), 'tw');
  await appendFile(path.join(folder, 'in'), 'o\n');
  await eventually(async () => (await out()) === 'one\ntwo\n' || undefined);
  const feeder = await eventually(() => readFeeder(folder));
  expect(isAlive(feeder)).toBe(true);
  process.kill(feeder.pid, 'SIGTERM');
  await exitOf(supervisor);
  expect(readExit(folder)).toBe(0);
  expect(await processesLeft(`${folder}/`, 10_000)).toEqual([]);
});

it.each([
  ['ends at once', ['true'], 0],
  ['ends by itself later', ['sh', '-c', 'sleep 0.3; exit 7'], 7],
  ['is not there', ['/no/such/program'], 127],
])('leaves neither feeder nor watch behind when the agent %s', async (_how, argv, code) => {
  const folder = await newFed('one\n');
  await exitOf(supervise(folder, argv, await keeping('alive', process.pid)));
  expect(readExit(folder)).toBe(code);
  expect(await processesLeft(`${folder}/`, 10_000)).toEqual([]);
});

it('lets INT reach an agent that is fed, too', async () => {
  const folder = await newFed();
  const supervisor = supervise(folder, ['sleep', '600']);
  const child = await eventually(() => readChild(folder));
  expect(processAt(child.pid)).toMatchObject({ ppid: supervisor.pid });
  await eventually(async () => ((await readFile(`/proc/${child.pid}/comm`, 'utf8')) === 'sleep\n' ? true : undefined));
  process.kill(child.pid, 'SIGINT');
  await exitOf(supervisor);
  expect(readExit(folder)).toBe(130);
});

it('starts the keeper when the hub is dead while an agent waits to be told more', async () => {
  const folder = await newFed();
  const programs = path.join(root, 'short sleep');
  await mkdir(programs);
  await writeFile(path.join(programs, 'sleep'), '#!/bin/sh\nexec /bin/sleep 0.1\n', { mode: 0o755 });
  const hub = spawn('/bin/sleep', ['600']);
  const kept = { ...(await keeping('waits', hub.pid)), programs };
  const supervisor = supervise(folder, ['cat'], kept);
  const started = () => readFile(`${kept.keeper}.out`, 'utf8').catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 700));
  expect(await started()).toBeUndefined();
  hub.kill('SIGKILL');
  await once(hub, 'exit');
  await eventually(started);
  expect(readExit(folder)).toBeUndefined();
  process.kill((await eventually(() => readFeeder(folder))).pid, 'SIGTERM');
  await exitOf(supervisor);
  expect(readExit(folder)).toBe(0);
  expect(await processesLeft(`${folder}/`, 10_000)).toEqual([]);
});
