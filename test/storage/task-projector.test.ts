// The task file follows the ledger: what is written when, and what is left alone.
import { appendFile, mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createTaskFiles } from '../../storage/task-files.ts';
import { createTaskProjector, type ProjectionProblem } from '../../storage/task-projector.ts';
import { readBack } from '../../storage/task-splice.ts';
import { file, followAgain, ledger, problems, projectEach, projector, root, TEXT, text, told } from './projector-rig.ts';

projectEach();

describe('the projector', () => {
  it('writes each state into the file, and everything else stays', async () => {
    ledger.queue('a');
    await projector.settled();
    expect(await told()).toEqual([['a', 'queued']]);
    ledger.begin('a');
    await projector.settled();
    expect(await told()).toEqual([['a', 'running']]);
    ledger.prompt('a', 'and quickly');
    await projector.settled();
    expect(await text()).toMatch(/customPrompts:\s+- "and quickly"\n[\s\S]*Custom prompt: "and quickly"\n/);
    ledger.end('a');
    await projector.settled();
    expect(await told()).toEqual([['a', 'completed']]);
    expect(await text()).toContain(`## Session History
### Session: a (Autonomous)
- 2025-05-30 10:00:01: Session queued by a test with priority medium
- 2025-05-30 10:00:03: Session started with autonomous mode (agent demo)
- 2025-05-30 10:00:04: Custom prompt: "and quickly"
- 2025-05-30 10:00:05: Session completed, 1 prompt not delivered

## Log
- mine
`);
    expect(await text()).toContain('type: bug # why\n');
    expect((await stat(file)).mode & 0o7777).toBe(0o640);
    expect(await readdir(dirname(file))).toEqual(['fix-login.task.md']);
    expect(problems).toEqual([]);
  });

  it('writes once for many events that come together, of several sessions', async () => {
    const inodes = new Set<number>();
    for (const id of ['a', 'b', 'c']) ledger.queue(id);
    for (const id of ['a', 'b']) ledger.begin(id);
    for (let at = 0; at < 50; at++) ledger.prompt('a', `words ${at}`);
    const watching = setInterval(
      () =>
        void stat(file).then(
          ({ ino }) => inodes.add(ino),
          () => {},
        ),
      1,
    );
    await projector.settled();
    clearInterval(watching);
    expect(await told()).toEqual([
      ['a', 'running'],
      ['b', 'running'],
      ['c', 'queued'],
    ]);
    expect(inodes.size).toBeLessThanOrEqual(3);
  });

  it('lets whatever happens go first, also to other tasks', async () => {
    await projector.close();
    await followAgain([0], { restMs: 1_000, mostRestMs: 60_000 });
    ledger.queue('a');
    for (let at = 0; at < 60; at++) {
      await pause(25);
      ledger.queue(`other-${at}`, 'other');
    }
    expect(await text()).toBe(TEXT);
    await projector.settled();
    expect(await told()).toEqual([['a', 'queued']]);
  });

  it('does not wait for ever for a moment in which nothing happens', async () => {
    await projector.close();
    await followAgain([0], { restMs: 60_000, mostRestMs: 50 });
    ledger.queue('a');
    await projector.settled();
    expect(await told()).toEqual([['a', 'queued']]);
  });

  it('nor for a breath between two things that happen', async () => {
    await projector.close();
    await followAgain([0], { restMs: 0 });
    ledger.queue('a');
    let others = 0;
    const noise = setInterval(() => ledger.queue(`other-${others++}`, 'other'), 1);
    await expect.poll(told, { timeout: 10_000 }).toEqual([['a', 'queued']]);
    clearInterval(noise);
    await projector.settled();
  });

  it('begins one file in a turn of the event loop, so that a call waits for one of them at most', async () => {
    await projector.close();
    const ids = Array.from({ length: 8 }, (_, at) => `task-${at}`);
    for (const id of ids) await writeFile(join(root, '.tasks', `${id}.md`), `# ${id}\n`);
    const files = await createTaskFiles({ workspace: root });
    let turn = 0;
    let isOver = false;
    const count = () => {
      turn++;
      if (!isOver) setImmediate(count);
    };
    count();
    const begun: number[] = [];
    const locate = (id: string) => {
      begun.push(turn);
      return files.locate(id);
    };
    const onProblem = (problem: ProjectionProblem) => problems.push(problem);
    const other = createTaskProjector({
      ledger,
      taskFiles: { root: files.root, locate },
      onProblem,
      lateLooksMs: [0],
      restMs: 0,
    });
    for (const id of ids) ledger.queue(`${id}-s`, id);
    await other.settled();
    isOver = true;
    await other.close();
    expect(begun).toHaveLength(8);
    expect(new Set(begun).size).toBe(8);
    expect(problems).toEqual([]);
  });

  it('writes neither for words of the agent nor for a start that is being prepared', async () => {
    ledger.queue('a');
    await projector.settled();
    const { ino } = await stat(file);
    ledger.spoke('a');
    ledger.prepare('a');
    await projector.settled();
    expect((await stat(file)).ino).toBe(ino);
  });

  it('after a crash writes what the file does not say yet, and does not touch one that says it', async () => {
    ledger.queue('a');
    ledger.begin('a');
    await projector.settled();
    await projector.close();
    ledger.end('a');
    await followAgain();
    const session = ledger.session('a');
    if (!session) throw new Error('no session');
    expect(await told()).toEqual([['a', 'running']]);
    await projector.project(session);
    expect(await told()).toEqual([['a', 'completed']]);
    const { ino } = await stat(file);
    await projector.project(session);
    expect((await stat(file)).ino).toBe(ino);
  });

  it('finds the file again after it was moved', async () => {
    ledger.queue('a');
    await projector.settled();
    const moved = join(root, '.tasks/archive/2025-05/fix-login.task.md');
    await mkdir(dirname(moved), { recursive: true });
    await rename(file, moved);
    ledger.begin('a');
    await projector.settled();
    expect(readBack(await readFile(moved, 'utf8'))).toMatchObject([{ id: 'a', status: 'running' }]);
    expect(await readdir(dirname(file))).toEqual([]);
  });

  it('keeps going when many tasks change at once', async () => {
    const ids = Array.from({ length: 100 }, (_, at) => `task-${at}`);
    for (const id of ids) await writeFile(join(root, '.tasks', `${id}.md`), `# ${id}\n`);
    for (const id of ids) ledger.queue(`${id}-s`, id);
    for (const id of ids) ledger.begin(`${id}-s`);
    await projector.settled();
    for (const id of ids) {
      const written = await readFile(join(root, '.tasks', `${id}.md`), 'utf8');
      expect(readBack(written)).toMatchObject([{ id: `${id}-s`, status: 'running', history: [{}, {}] }]);
    }
    expect(problems).toEqual([]);
  });

  it('hears nothing after it was closed, but writes what it heard', async () => {
    ledger.queue('a');
    await projector.close();
    expect(ledger.listening).toBe(0);
    expect(await told()).toEqual([['a', 'queued']]);
  });
});

it('a file rests after an event, so that what follows at once shares its write', async () => {
  await projector.close();
  await followAgain([0], { restMs: 1_000, mostRestMs: 60_000 });
  const inodes = new Set<number>();
  const seen = setInterval(() => stat(file).then(({ ino }) => inodes.add(ino)), 5);
  ledger.queue('a');
  ledger.begin('a');
  expect(await told()).toEqual([]);
  ledger.end('a');
  await projector.settled();
  clearInterval(seen);
  expect(await told()).toEqual([['a', 'completed']]);
  // the file as it was, and one that took its place
  expect(inodes.size).toBeLessThanOrEqual(2);
});

it('what a hub before left unwritten is caught up with, and no more of it once it was closed', async () => {
  await projector.close();
  for (const id of ['a', 'b']) ledger.queue(id);
  await followAgain();
  const sessions = ['a', 'b'].flatMap((id) => ledger.session(id) ?? []);
  await projector.catchUp(sessions);
  expect((await told()).toSorted()).toEqual([
    ['a', 'queued'],
    ['b', 'queued'],
  ]);
  ledger.record({ name: 'session.cancelled', data: { sessionId: 'a', run: 0, cause: { kind: 'done' } } });
  await projector.close();
  await writeFile(file, TEXT);
  await projector.catchUp(sessions);
  expect(await told()).toEqual([]);
});

it('names the tmux session of an interactive one as long as it runs, for who wants to attach', async () => {
  const said = async () => {
    await projector.settled();
    return readBack(await text()).map(({ tmuxSession }) => tmuxSession);
  };
  ledger.queue('Fix_Login-1', 'fix-login', 'interactive');
  expect(await said()).toEqual([undefined]);
  ledger.begin('Fix_Login-1');
  expect(await said()).toEqual(['s-fix-login-1']);
  ledger.end('Fix_Login-1');
  expect(await said()).toEqual([undefined]);
  ledger.queue('other');
  ledger.begin('other');
  expect(await said()).toEqual([undefined, undefined]);
});

it('an edit made between two writes is kept', async () => {
  ledger.queue('a');
  await projector.settled();
  await appendFile(file, '- by an agent\n');
  ledger.begin('a');
  await projector.settled();
  expect(await text()).toMatch(/## Log\n- mine\n- by an agent\n$/);
  expect(await told()).toEqual([['a', 'running']]);
});
