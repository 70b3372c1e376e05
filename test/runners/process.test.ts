import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import {
  argvOf,
  isAlive,
  markOf,
  parsePs,
  parseStat,
  processAt,
  processTable,
  RUN_MARK,
  signalProcess,
} from '../../runners/process.ts';
import { createProcessTree } from '../../runners/process-tree.ts';
import { LEFTOVERS, takeDown } from '../../runners/stop-ladder.ts';
import { endAllMarked } from '../support/processes.ts';
import { eventually } from './rig.ts';

const mark = `${randomUUID()}/session/1`;
const env = { PATH: process.env.PATH ?? '', [RUN_MARK]: mark };
afterEach(() => endAllMarked(mark));

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const end = (tree: ReturnType<typeof createProcessTree>) =>
  takeDown({ tree, steps: LEFTOVERS, agent: () => undefined, isUrgent: () => false, pause, elapsed: () => performance.now() });

function known(pid: number | undefined) {
  const entry = processAt(pid ?? -1);
  if (!entry) throw new Error(`There is no process ${pid}.`);
  return entry;
}

describe('a process', () => {
  it('is read from its stat line whatever its name is', () => {
    const fields = `S 1 2 3 0 -1 4 0 0 0 0 150 25 0 0 20 0 1 0 777 0 0`;
    const used = { cpuMs: 1750, residentBytes: 0 };
    expect(parseStat(`42 (a) b) (c) ${fields}`)).toEqual({
      pid: 42,
      state: 'S',
      ppid: 1,
      pgid: 2,
      sid: 3,
      startedAt: '777',
      used,
    });
    expect(parseStat('')).toBeUndefined();
  });

  // elsewhere it is not told with the rest
  it.runIf(process.platform === 'linux')('tells what it uses', () => {
    const { user, system } = process.cpuUsage();
    const { cpuMs = 0, residentBytes = 0 } = known(process.pid).used ?? {};
    expect(Math.abs(cpuMs - (user + system) / 1000)).toBeLessThan(100);
    expect(residentBytes / process.memoryUsage.rss()).toBeGreaterThan(0.8);
    expect(residentBytes / process.memoryUsage.rss()).toBeLessThan(1.25);
  });

  it('is read from ps too', () => {
    const text = execFileSync('ps', ['-o', 'pid=,ppid=,pgid=,stat=,lstart=', '-p', `${process.pid}`], {
      encoding: 'utf8',
      env: { LC_ALL: 'C', TZ: 'UTC' },
    });
    const { pid, ppid, pgid } = known(process.pid);
    expect(parsePs(text)).toEqual([
      {
        pid,
        ppid,
        pgid,
        sid: 0,
        state: expect.any(String),
        startedAt: expect.stringMatching(/^\w{3} \w{3} +\d+ [\d:]{8} \d{4}$/),
      },
    ]);
  });

  it('is dead as a zombie, though its pid can still be signalled', async () => {
    // the parent never waits for its child
    const parent = spawn('perl', ['-e', '$| = 1; my $pid = fork // die; exit 0 unless $pid; print "$pid\n"; sleep 600'], { env });
    const [line] = await once(parent.stdout, 'data');
    const zombie = await eventually(() => {
      const entry = processAt(Number(line));
      return entry?.state === 'Z' ? entry : undefined;
    });
    expect(process.kill(zombie.pid, 0)).toBe(true);
    expect(isAlive(zombie)).toBe(false);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
  });

  it('is never signalled when its start time is another one', async () => {
    const child = spawn('sleep', ['600'], { env });
    const ref = known(child.pid);
    expect(signalProcess({ ...ref, startedAt: `${Number(ref.startedAt) - 1}` }, 'SIGKILL')).toBe(false);
    await pause(50);
    expect(isAlive(ref)).toBe(true);
    expect(signalProcess(ref, 'SIGKILL')).toBe(true);
    await once(child, 'exit');
    expect(signalProcess(ref, 'SIGKILL')).toBe(false);
  });

  it('is in the table with its mark', async () => {
    const child = spawn('sleep', ['600'], { env });
    await once(child, 'spawn');
    const row = (await processTable()).find(({ pid }) => pid === child.pid);
    expect(row).toMatchObject({ ppid: process.pid, startedAt: known(child.pid).startedAt });
    expect(markOf(child.pid ?? 0)).toBe(mark);
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
});

describe('the tree of a run', () => {
  const SEVEN = `
    use POSIX;
    sub child { my ($deed) = @_; my $pid = fork // die; return if $pid; $deed->(); exec 'sleep', '600'; }
    child(sub {});                                                     # plain
    child(sub { child(sub {}) });                                      # a grandchild below another
    child(sub { setpgrp });                                            # a group of its own
    child(sub { setsid });                                             # a session of its own
    child(sub { $SIG{INT} = $SIG{TERM} = $SIG{HUP} = 'IGNORE' });      # stubborn
    child(sub { fork && exit 0; setsid; fork && exit 0 });             # a daemon by double fork
    exec 'sleep', '600';
  `;

  async function marked() {
    const table = await processTable();
    return table.filter(({ pid, state }) => state !== 'Z' && markOf(pid) === mark);
  }

  /** All are there, and those that only made others are gone. */
  async function isComplete(): Promise<true | undefined> {
    const all = await marked();
    return all.length === 8 && all.every(({ pid }) => argvOf(pid)[0] === 'sleep') ? true : undefined;
  }

  it('with groups, sessions and daemons of its own is taken down to the last process', async () => {
    const agent = spawn('perl', ['-e', SEVEN], { env, detached: true, stdio: 'ignore' });
    await eventually(isComplete);
    const root = known(agent.pid);
    const tree = createProcessTree(() => ({ mark, supervisor: undefined, agent: root }));
    expect(await tree.members()).toHaveLength(8);
    const before = Date.now();
    expect(await end(tree)).toBe(true);
    expect(Date.now() - before).toBeLessThan(4000);
    expect(await marked()).toEqual([]);
  });

  it('is found by its mark alone when everything else is lost', async () => {
    spawn('perl', ['-e', SEVEN], { env, detached: true, stdio: 'ignore' });
    await eventually(isComplete);
    expect(await end(createProcessTree(() => ({ mark, supervisor: undefined, agent: undefined })))).toBe(true);
    expect(await marked()).toEqual([]);
  });

  it('holds a process that dropped its mark, as long as it was seen below the agent once', async () => {
    const script = 'env -i sleep 600 & echo $!; wait';
    const agent = spawn('/bin/sh', ['-c', script], { env, detached: true });
    const [line] = await once(agent.stdout, 'data');
    const wiped = known(Number(line));
    const root = known(agent.pid);
    const tree = createProcessTree(() => ({ mark, supervisor: undefined, agent: root }));
    expect((await tree.members()).map(({ pid }) => pid)).toContain(wiped.pid);
    agent.kill('SIGKILL');
    await once(agent, 'exit');
    expect((await tree.members()).map(({ pid }) => pid)).toEqual([wiped.pid]);
    expect(await end(tree)).toBe(true);
    expect(isAlive(wiped)).toBe(false);
  });

  it('leaves out the supervisor, its own short-lived programs, and the processes of other runs below it', async () => {
    const supervisor = spawn('/bin/sh', ['-c', 'sleep 600 & echo $!; sleep 601 & SCOPECRAFT_RUN=other/run/1 sleep 602 & wait'], {
      env,
      detached: true,
    });
    const [line] = await once(supervisor.stdout, 'data');
    const agent = known(Number(line));
    const ref = known(supervisor.pid);
    await pause(100);
    const tree = createProcessTree(() => ({ mark, supervisor: ref, agent }));
    expect((await tree.members()).map(({ pid }) => pid)).toEqual([agent.pid]);
    await end(tree);
    expect(isAlive(ref)).toBe(true);
    const all = (await processTable()).filter(({ sid, state }) => sid === ref.pid && state !== 'Z');
    expect(all).toHaveLength(3);
    for (const entry of all) signalProcess(entry, 'SIGKILL');
    await once(supervisor, 'exit');
  });
});
