import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunUsage } from '../../core/meter-ports.ts';
import { createMeter } from '../../runners/meter.ts';
import { type ProcessEntry, processAt, processTable } from '../../runners/process.ts';
import { readChild, readClaim } from '../../runners/run-folder.ts';
import { eventually, openRig, type Rig } from './rig.ts';

const MB = 1024 ** 2;
let rig: Rig;
const others: ChildProcess[] = [];
beforeAll(async () => {
  rig = await openRig();
});
afterAll(async () => {
  for (const child of others) child.kill('SIGKILL');
  await rig.close();
});

/** Starts a run of a shell script; answers when `ready` was printed. */
async function start(sessionId: string, script: string): Promise<void> {
  await rig.runner.start(rig.spec(sessionId, '', ['sh', '-c', script]));
  const out = path.join(rig.folder(sessionId), 'out');
  await eventually(async () => ((await readFile(out, 'utf8').catch(() => '')).includes('ready') ? true : undefined));
}

const meterOf = (options: object = {}) => createMeter({ stateDir: rig.options.stateDir, ...options });
type TestMeter = ReturnType<typeof meterOf>;

async function use(meter: TestMeter, sessionId: string): Promise<RunUsage | undefined> {
  return (await meter.sample([{ sessionId, run: 1 }])).runs.get(sessionId);
}

/** Node program that takes so much memory and says so. */
const holding = (mb: number) =>
  `node -e "const held = Buffer.alloc(${mb} << 20, 1); console.log('ready'); setInterval(() => held, 60000)"`;

describe('the memory of a run', () => {
  it('is that of its whole tree, wherever in it the memory is, and of no other run', async () => {
    await start('big', `sh -c '${holding(300).replaceAll("'", `'"'"'`)}; :' & wait`);
    await start('small', 'echo ready; sleep 600');
    const meter = meterOf({ exactAbove: () => 0 });
    const { runs } = await meter.sample([
      { sessionId: 'big', run: 1 },
      { sessionId: 'small', run: 1 },
      { sessionId: 'never', run: 1 },
    ]);
    expect([...runs.keys()]).toEqual(['big', 'small']);
    expect(runs.get('big')?.memoryBytes).toBeGreaterThan(300 * MB);
    expect(runs.get('big')?.memoryBytes).toBeLessThan(420 * MB);
    // supervisor, sh, sh and node
    expect(runs.get('big')?.processes).toBe(4);
    expect(runs.get('small')?.memoryBytes).toBeLessThan(20 * MB);
  });

  it('counts pages that several processes share once', async () => {
    // perl's children share what the parent filled before
    await start(
      'shared',
      `exec perl -e '$| = 1; my $held = "x" x (100 << 20); for (1 .. 5) { fork or do { sleep 600; exit } } print "ready\\n"; sleep 600'`,
    );
    const exact = await use(meterOf({ exactAbove: () => 0 }), 'shared');
    expect(exact?.memoryBytes).toBeGreaterThan(99 * MB);
    expect(exact?.memoryBytes).toBeLessThan(250 * MB);
    // without credit resident sizes are all there is
    expect((await use(meterOf({ budgetMs: 0 }), 'shared'))?.memoryBytes).toBeGreaterThan(500 * MB);
    const frugal = meterOf({ budgetMs: 2 });
    await eventually(async () => (((await use(frugal, 'shared'))?.memoryBytes ?? 0) < 250 * MB ? true : undefined));
  });
});

describe('the processor time of a run', () => {
  it('is about one core for a busy loop, and nothing in the first sample', async () => {
    await start('busy', `echo ready; sh -c 'while :; do :; done'`);
    const meter = meterOf();
    expect((await use(meter, 'busy'))?.cpu).toBe(0);
    let cpu = 0;
    // the machine may have other things to do, and a process counts from the sample after that in which it was first seen
    for (let samples = 0; cpu <= 0.15 && samples < 10; samples += 1) {
      await delay(1000);
      cpu = (await use(meter, 'busy'))?.cpu ?? 0;
    }
    expect(cpu).toBeGreaterThan(0.15);
    expect(cpu).toBeLessThan(1.2);
    process.kill((await eventually(() => readChild(rig.folder('busy')))).pid, 'SIGKILL');
  });
});

describe('the processes of a run', () => {
  it('are found by their mark when they went into the background and their parent is gone', async () => {
    await start('left', `(setsid ${holding(60)} &) ; sleep 600`);
    const first = meterOf({ exactAbove: () => 0 });
    expect((await use(first, 'left'))?.memoryBytes).toBeGreaterThan(60 * MB);
    const agent = await eventually(() => readChild(rig.folder('left')));
    const claim = readClaim(rig.folder('left'));
    process.kill(agent.pid, 'SIGKILL');
    await eventually(() => (claim !== 'fenced' && claim && processAt(claim.pid) ? undefined : true));
    for (const meter of [first, meterOf({ exactAbove: () => 0 })]) {
      const usage = await use(meter, 'left');
      expect(usage?.memoryBytes).toBeGreaterThan(60 * MB);
      expect(usage?.processes).toBeLessThanOrEqual(2);
    }
  });

  // elsewhere there is no such list, and nothing that is kept open
  it.runIf(process.platform === 'linux')(
    'leave no file open here, however many of them end while they are looked at',
    async () => {
      await start('storm', 'echo ready; while :; do for n in 1 2 3 4 5 6 7 8 9 10; do sleep 0.05 & done; wait; done');
      const meter = meterOf();
      let seen = 0;
      for (let samples = 0; samples < 30; samples++) seen = Math.max(seen, (await use(meter, 'storm'))?.processes ?? 0);
      expect(seen).toBeGreaterThan(2);
      const files = await Promise.all(
        (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
      );
      expect(files.filter((file) => /^\/proc\/\d+\//.test(file))).toEqual([]);
    },
  );

  it('do not include zombies', async () => {
    await start('zombie', `exec perl -e '$| = 1; fork or exit; fork or exit; sleep 1; print "ready\\n"; sleep 600'`);
    const agent = await eventually(() => readChild(rig.folder('zombie')));
    const dead = (await processTable()).filter(({ ppid, state }) => ppid === agent.pid && state === 'Z');
    expect(dead).toHaveLength(2);
    expect((await use(meterOf(), 'zombie'))?.processes).toBe(2);
  });

  it('are none when the run is over, and then it is missing from the answer', async () => {
    await start('over', 'echo ready; exec sleep 600');
    const meter = meterOf();
    expect((await use(meter, 'over'))?.processes).toBe(2);
    process.kill((await eventually(() => readChild(rig.folder('over')))).pid, 'SIGKILL');
    await eventually(async () => ((await use(meter, 'over')) === undefined ? true : undefined));
  });

  it('do not include a process that has the pid of a claim but another start time', async () => {
    const child = spawn('sleep', ['600'], { env: { PATH: process.env.PATH ?? '' } });
    others.push(child);
    await once(child, 'spawn');
    const found = processAt(child.pid ?? -1);
    const claimed = async (sessionId: string, startedAt: string) => {
      await mkdir(rig.folder(sessionId), { recursive: true });
      await writeFile(path.join(rig.folder(sessionId), 'claim'), `${child.pid} - ${startedAt}\n`);
      return use(meterOf(), sessionId);
    };
    expect(await claimed('mine', found?.startedAt ?? '')).toMatchObject({ processes: 1 });
    expect(await claimed('reused', '1')).toBeUndefined();
    await mkdir(rig.folder('fenced'), { recursive: true });
    await writeFile(path.join(rig.folder('fenced'), 'claim'), 'fenced\n');
    expect(await use(meterOf(), 'fenced')).toBeUndefined();
  });
});

const LAST_PID = '/proc/sys/kernel/ns_last_pid';

// only root, and only on Linux, can say which pid comes next
it.runIf(existsSync(LAST_PID) && process.getuid?.() === 0)(
  'a process is measured that was given the pid of one measured before',
  async () => {
    const claimed = async (sessionId: string, { pid, startedAt }: ProcessEntry) => {
      await mkdir(rig.folder(sessionId), { recursive: true });
      await writeFile(path.join(rig.folder(sessionId), 'claim'), `${pid} - ${startedAt}\n`);
    };
    const sleeper = async () => {
      const child = spawn('sleep', ['600'], { env: { PATH: process.env.PATH ?? '' } });
      others.push(child);
      await once(child, 'spawn');
      return { child, entry: await eventually(() => processAt(child.pid ?? -1)) };
    };
    const meter = meterOf();
    const first = await sleeper();
    await claimed('first', first.entry);
    expect((await use(meter, 'first'))?.processes).toBe(1);
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    const second = await eventually(async () => {
      writeFileSync(LAST_PID, `${first.entry.pid - 1}`);
      const next = await sleeper();
      return next.entry.pid === first.entry.pid ? next : undefined;
    });
    await claimed('second', second.entry);
    const { runs } = await meter.sample(['first', 'second'].map((sessionId) => ({ sessionId, run: 1 })));
    expect(runs.has('first')).toBe(false);
    expect(runs.get('second')?.memoryBytes).toBeGreaterThan(0);
  },
);

it('the machine is measured without any run', async () => {
  const { machine, runs } = await meterOf().sample([]);
  expect(runs.size).toBe(0);
  expect(machine.freeMemoryBytes).toBeGreaterThan(10 * MB);
  expect(machine.cpuLoad).toBeGreaterThanOrEqual(0);
  if (machine.memoryPressure !== undefined) expect(machine.memoryPressure).toBeLessThanOrEqual(1);
});
