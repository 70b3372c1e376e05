import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentEntry } from '../../core/agent.ts';
import { isAlive } from '../../runners/process.ts';
import { readChild, readClaim, readExit } from '../../runners/run-folder.ts';
import { processesLeft, processesMarked } from '../support/processes.ts';
import { allEvents, bundled, ending, eventually, openRig, type Rig, realClock } from './rig.ts';

let rig: Rig;
/** Its graces are ten times as long, so that what comes at once is told from them also on a slow machine. */
let patient: Rig;
beforeAll(async () => {
  rig = await openRig({ resultGraceMs: 500 });
  patient = await openRig({ clock: { ...realClock, elapsed: () => performance.now() / 10 } });
});
afterAll(async () => {
  await rig.close();
  await patient.close();
});

const supervisorOf = async (sessionId: string, of = rig) => {
  const claim = readClaim(of.folder(sessionId));
  return claim === 'fenced' ? undefined : claim;
};

describe('a run of the autonomous runner', () => {
  it('tells that it started, that it spoke, and how it ended', async () => {
    const run = await rig.runner.start(rig.spec('tells', '@@say hello\n@@retry 529\n@@cost 0.25'));
    const events = await allEvents(run);
    expect(events.map((event) => event.kind)).toEqual(expect.arrayContaining(['started', 'spoke', 'ended']));
    expect(events[0]?.kind).toBe('started');
    expect(events.at(-1)).toMatchObject({
      kind: 'ended',
      exit: { code: 0 },
      result: { isError: false, costUsd: 0.25, text: 'done: @@say hello @@retry 529 @@cost 0.25' },
    });
    const { size } = await stat(path.join(rig.folder('tells'), 'out'));
    expect(events.filter((event) => event.kind === 'spoke').at(-1)).toEqual({ kind: 'spoke', bytes: size });
  });

  it('keeps the exit code and the end of standard error', async () => {
    const run = await rig.runner.start(rig.spec('seven', '', ['sh', '-c', 'echo because >&2; exit 7']));
    const events = await allEvents(run);
    expect(events.at(-1)).toMatchObject({ kind: 'ended', exit: { code: 7 }, result: undefined, stderr: 'because\n' });
    expect(events).toContainEqual({ kind: 'complained', bytes: 8 });
  });

  it('hands over arguments and prompt byte for byte', async () => {
    const words = ['a"b', "c'd", '$(id)', '`id`', ';exit 3', '*', '', 'two\nlines', '-n'];
    const prompt = 'a prompt with $(id) `id` ; "quotes" \'too\' {id} \u{1F600}\nand a second line';
    const script =
      "const { readFileSync } = require('node:fs'); console.log(JSON.stringify([process.argv.slice(1), readFileSync(0, 'utf8')]))";
    const run = await rig.runner.start(rig.spec('intact', prompt, [process.execPath, '-e', script, '--', ...words]));
    expect((await ending(run)).exit).toEqual({ code: 0 });
    expect(JSON.parse(await readFile(path.join(rig.folder('intact'), 'out'), 'utf8'))).toEqual([words, prompt]);
  });

  it('keeps no value of the environment, and lets nobody else read its files', async () => {
    await ending(
      await rig.runner.start(rig.spec('private', '', ['sh', '-c', 'umask'], { env: { ...rig.env, API_SECRET: 's3cret-value' } })),
    );
    const folder = rig.folder('private');
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    for (const name of await readdir(folder)) {
      const isOpen = /^(?:claim|claim\.\d+|child|exit)$/.test(name);
      if (!isOpen) expect((await stat(path.join(folder, name))).mode & 0o777, name).toBe(0o600);
      expect(await readFile(path.join(folder, name), 'utf8'), name).not.toContain('s3cret-value');
    }
    expect(await readFile(path.join(folder, 'out'), 'utf8')).toBe(`0${process.umask().toString(8).padStart(3, '0')}\n`);
  });

  it('fails with AGENT_MISSING when the program is not there, and then leaves no run behind', async () => {
    for (const program of ['no-such-program-anywhere', '/no/such/program', './work', rig.work]) {
      await expect(rig.runner.start(rig.spec('missing', '', [program]))).rejects.toMatchObject({ code: 'AGENT_MISSING' });
    }
    await expect(stat(rig.folder('missing'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('fails with STORAGE_FAILED when its folder cannot be written or its working folder is gone', async () => {
    await expect(rig.runner.start(rig.spec('nowhere', '', ['true'], { cwd: '/no/such/folder' }))).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
    });
    await writeFile(path.join(rig.root, 'file'), '');
    const other = await openRig({ stateDir: path.join(rig.root, 'file') });
    await expect(other.runner.start(other.spec('full', '', ['true']))).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    await other.close();
  });

  it('is not started a second time under the same number', async () => {
    const spec = rig.spec('twice', '', ['sh', '-c', 'echo once']);
    const run = await rig.runner.start(spec);
    await expect(rig.runner.start(spec)).rejects.toMatchObject({ code: 'INTERNAL' });
    expect((await ending(run)).exit).toEqual({ code: 0 });
    expect(await readFile(path.join(rig.folder('twice'), 'out'), 'utf8')).toBe('once\n');
  });

  it('takes down an agent that stays after its result, and the result counts', async () => {
    const script = `echo '{"type":"result","subtype":"success","is_error":false,"result":"all done"}'; exec sleep 600`;
    const spec = rig.spec('stays', '', ['sh', '-c', script]);
    const run = await rig.runner.start({ ...spec, agent: { ...spec.agent, output: 'stream-json' } });
    expect(await ending(run)).toMatchObject({ exit: { code: 143 }, result: { text: 'all done', isError: false } });
  });

  it('does not disturb an agent that works on after a first result', async () => {
    const result = (text: string) => `echo '{"type":"result","is_error":false,"result":"${text}"}'`;
    const works = `echo '{"type":"assistant","message":{"content":[{"type":"text","text":"more"}]}}'`;
    const spec = rig.spec('works-on', '', ['sh', '-c', `${result('one')}; ${works}; sleep 1; ${result('two')}`]);
    const run = await rig.runner.start({ ...spec, agent: { ...spec.agent, output: 'stream-json' } });
    expect(await ending(run)).toMatchObject({ exit: { code: 0 }, result: { text: 'two' } });
  });

  it('has ended only when what it left in the background is gone too', async () => {
    const run = await rig.runner.start(rig.spec('leftover', '@@fork 600\n@@say bye'));
    expect(await ending(run)).toMatchObject({ exit: { code: 0 }, result: { isError: false } });
    expect(await processesLeft(rig.root, 2000)).toEqual([]);
  });
});

describe('a run whose hub is gone', () => {
  it('runs on and is adopted with its result, also when it ended in between', async () => {
    const starter = await bundled('test/runners/starter.ts', rig.root);
    const spec = rig.spec('orphan', '@@sleep 400\n@@say still here\n@@exit 7');
    const hub = spawn(process.execPath, [starter, JSON.stringify(rig.options), JSON.stringify(spec)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(hub.stdout, 'data');
    await eventually(() => readChild(rig.folder('orphan')));
    hub.kill('SIGKILL');
    await once(hub, 'exit');
    const alive = await rig.runner.adopt('orphan', 1);
    const events = alive ? await allEvents(alive) : [];
    expect(events.map((event) => event.kind)).toEqual(expect.arrayContaining(['started', 'spoke', 'ended']));
    expect(events.at(-1)).toMatchObject({ exit: { code: 7 } });
    const ended = await rig.runner.adopt('orphan', 1);
    expect(ended && (await allEvents(ended)).map((event) => event.kind)).toEqual(['started', 'received', 'spoke', 'ended']);
    expect(await readFile(path.join(rig.folder('orphan'), 'out'), 'utf8')).toContain('still here');
  });

  it('can be stopped by the one that adopted it', async () => {
    await rig.runner.start(rig.spec('adopted', '@@hang'));
    await eventually(() => readChild(rig.folder('adopted')));
    const run = await rig.runner.adopt('adopted', 1);
    await run?.stop({ kind: 'cancelled' });
    await run?.stop({ kind: 'cancelled' });
    expect(run && (await ending(run)).exit).toEqual({ code: 143 });
  });

  it('can be ended where nobody follows it, with what it left in the background', async () => {
    await rig.runner.start(rig.spec('unfollowed', '@@fork 600\n@@stubborn\n@@hang'));
    const child = await eventually(() => readChild(rig.folder('unfollowed')));
    await rig.runner.end('unfollowed', 1);
    expect(isAlive(child)).toBe(false);
    expect(await processesLeft(rig.root, 0)).toEqual([]);
  });

  it('that never started is fenced: it is not there, and never will be', async () => {
    expect(await rig.runner.adopt('never', 1)).toBeUndefined();
    expect(await rig.runner.adopt('never', 1)).toBeUndefined();
    const folder = rig.folder('never');
    await writeFile(path.join(folder, 'prompt'), '');
    const late = spawn('/bin/sh', [rig.options.scripts.supervise, folder, '', '', '', '', '', '--', 'sh', '-c', 'echo ran']);
    expect(await once(late, 'exit')).toEqual([125, null]);
    expect((await readdir(folder)).sort()).toEqual(['claim', 'prompt']);
  });
});

describe('a run whose supervisor was killed', () => {
  it('is followed to its end, and then lost, with the result it gave', async () => {
    const go = path.join(rig.root, 'unsupervised.go');
    const wait = `@@tool Bash ${JSON.stringify({ command: `while [ ! -e ${go} ]; do sleep 0.05; done` })}`;
    const run = await rig.runner.start(rig.spec('unsupervised', `${wait}\n@@say last words`));
    const supervisor = await eventually(() => supervisorOf('unsupervised'));
    const child = await eventually(() => readChild(rig.folder('unsupervised')));
    process.kill(supervisor.pid, 'SIGKILL');
    const ended = ending(run);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(isAlive(child)).toBe(true);
    await writeFile(go, '');
    expect(await ended).toMatchObject({ exit: 'lost', result: { text: 'last words' } });
  });

  it('is lost at once when the agent is gone too', async () => {
    const run = await patient.runner.start(patient.spec('both', '@@hang'));
    const supervisor = await eventually(() => supervisorOf('both', patient));
    const child = await eventually(() => readChild(patient.folder('both')));
    process.kill(supervisor.pid, 'SIGKILL');
    process.kill(child.pid, 'SIGKILL');
    const before = Date.now();
    expect(await ending(run)).toMatchObject({ exit: 'lost', result: undefined });
    expect(Date.now() - before).toBeLessThan(10_000);
  });

  it('is lost when the supervisor died before it claimed the run, and cannot start any more', async () => {
    const other = await openRig({ scripts: { ...rig.options.scripts, supervise: '/no/such/script.sh' } });
    expect(await ending(await other.runner.start(other.spec('unclaimed', '', ['true'])))).toMatchObject({ exit: 'lost' });
    expect(await other.runner.adopt('unclaimed', 1)).toBeUndefined();
    await other.close();
  });
});

describe('stopping a run', () => {
  it('ends an agent that ignores INT and TERM', async () => {
    const run = await rig.runner.start(rig.spec('stubborn', '@@stubborn\n@@say I stay\n@@hang'));
    const out = path.join(rig.folder('stubborn'), 'out');
    // its own words: what it is told is repeated there before it is done
    await eventually(async () => (await readFile(out, 'utf8')).includes('"text":"I stay"') || undefined);
    await run.stop({ kind: 'timeout' });
    expect((await ending(run)).exit).toEqual({ code: 137 });
    expect(await processesLeft(rig.root, 2000)).toEqual([]);
  });

  it('asks claude with INT first, and with TERM only when that did not help', async () => {
    const stopped = async (sessionId: string, script: string) => {
      const program = path.join(rig.root, sessionId);
      await writeFile(program, `#!/bin/sh\n${script}\necho ready\nwhile :; do sleep 0.05; done\n`, { mode: 0o755 });
      const agent = { ...AgentEntry.parse({ kind: 'claude', command: program }), name: 'claude' };
      const run = await rig.runner.start(rig.spec(sessionId, '', undefined, { agent }));
      const out = path.join(rig.folder(sessionId), 'out');
      await eventually(async () => (await readFile(out, 'utf8')).includes('ready') || undefined);
      const before = Date.now();
      await run.stop({ kind: 'cancelled' });
      const { exit } = await ending(run);
      return { exit, ms: Date.now() - before };
    };
    const [polite, deaf, stubborn] = await Promise.all([
      stopped('polite', 'trap "exit 3" INT; trap "exit 4" TERM'),
      stopped('deaf', 'trap "" INT; trap "exit 4" TERM'),
      stopped('deaf-to-both', 'trap "" INT TERM'),
    ]);
    expect(polite.exit).toEqual({ code: 3 });
    expect(polite.ms).toBeLessThan(2500);
    expect(deaf.exit).toEqual({ code: 4 });
    expect(deaf.ms).toBeGreaterThan(2900);
    expect(stubborn.exit).toEqual({ code: 137 });
    // what is promised of a cancelled session
    expect(stubborn.ms).toBeLessThan(8000);
  });

  it('ends the tool of the agent, which has a session of its own, and keeps the exit code', async () => {
    const run = await patient.runner.start(patient.spec('tool', '@@tool Bash {"command":"sleep 600 & exec sleep 601"}'));
    await eventually(async () =>
      (await processesMarked(patient.root)).some(({ command }) => command === 'sleep 601') ? true : undefined,
    );
    const before = Date.now();
    await run.stop({ kind: 'cancelled' });
    expect((await ending(run)).exit).toEqual({ code: 143 });
    expect(Date.now() - before).toBeLessThan(10_000);
    expect(await processesLeft(patient.root, 2000)).toEqual([]);
  });

  it('kills at once for memory', async () => {
    const run = await patient.runner.start(patient.spec('memory', '@@stubborn\n@@tool Bash {"command":"sleep 600"}'));
    await eventually(async () =>
      (await processesMarked(patient.root)).some(({ command }) => command === 'sleep 600') ? true : undefined,
    );
    await run.stop({ kind: 'cancelled' });
    const before = Date.now();
    await run.stop({ kind: 'memory' });
    expect((await ending(run)).exit).toEqual({ code: 137 });
    expect(Date.now() - before).toBeLessThan(10_000);
  });

  it('may be asked before the agent is there, and after everything is over', async () => {
    const run = await rig.runner.start(rig.spec('early', '@@hang'));
    await run.stop({ kind: 'cancelled' });
    await ending(run);
    await run.stop({ kind: 'cancelled' });
    expect(readExit(rig.folder('early'))).toBeGreaterThan(125);
    expect(await processesLeft(rig.root, 2000)).toEqual([]);
  });

  it('survives that the run folder was removed', async () => {
    const run = await rig.runner.start(rig.spec('removed', '@@hang'));
    await eventually(() => readChild(rig.folder('removed')));
    const ended = ending(run);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await rm(rig.folder('removed'), { recursive: true });
    await run.stop({ kind: 'cancelled' });
    expect((await ended).exit).toBe('lost');
  });
});
