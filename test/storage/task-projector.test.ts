// The task file follows the ledger: what is written when, what is left alone, and what is said when it cannot be.
import {
  appendFile,
  chmod,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventDraft } from '../../core/events.ts';
import type { Listener } from '../../core/ledger.ts';
import { apply, type Session } from '../../core/session.ts';
import { createTaskFiles } from '../../storage/task-files.ts';
import { createTaskProjector, type ProjectionProblem, type TaskProjector } from '../../storage/task-projector.ts';
import { readBack } from '../../storage/task-splice.ts';

let root = '';
let file = '';
let problems: ProjectionProblem[] = [];
let projector: TaskProjector;
let ledger: ReturnType<typeof ledgerInMemory>;

const TEXT = '# Fix the login\n\n---\ntype: bug # why\n---\n\n## Log\n- mine\n';

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sc-projector-'));
  file = join(root, '.tasks/current/fix-login.task.md');
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, TEXT, { mode: 0o640 });
  problems = [];
  ledger = ledgerInMemory();
  projector = await follow();
});
afterEach(async () => {
  await projector.close();
  await rm(root, { recursive: true, force: true });
});

async function follow(lateLooksMs: readonly number[] = [0]): Promise<TaskProjector> {
  const taskFiles = await createTaskFiles({ workspace: root });
  return createTaskProjector({ ledger, taskFiles, onProblem: (problem) => problems.push(problem), lateLooksMs });
}

/** A ledger that is durable at once. */
function ledgerInMemory() {
  const sessions = new Map<string, Session>();
  const listeners = new Set<Listener>();
  let seq = 0;
  return {
    session: (id: string) => sessions.get(id),
    subscribe(listener: Listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    get listening() {
      return listeners.size;
    },
    record(draft: EventDraft) {
      seq++;
      const event = { seq, at: Date.UTC(2025, 4, 30, 10, 0, seq), node: 'test/1', ...draft };
      if ('sessionId' in event.data) sessions.set(event.data.sessionId, apply(sessions.get(event.data.sessionId), event));
      for (const listener of listeners) listener(event);
    },
    spoke(sessionId: string) {
      for (const listener of listeners) listener({ name: 'session.spoke', sessionId, bytes: 1 });
    },
  };
}

function queue(sessionId: string, taskId = 'fix-login'): void {
  ledger.record({
    name: 'session.queued',
    data: {
      sessionId,
      taskId,
      taskTitle: 'T',
      type: 'autonomous',
      agent: 'demo',
      cwd: root,
      priority: 'medium',
      prompt: 'p',
      by: 'a test',
      position: 1,
    },
  });
}
const begin = (sessionId: string) => {
  ledger.record({ name: 'session.starting', data: { sessionId, run: 1, resume: false } });
  ledger.record({ name: 'session.started', data: { sessionId, run: 1, process: { pid: 1, startedAt: 'x' } } });
};
const end = (sessionId: string) =>
  ledger.record({ name: 'session.completed', data: { sessionId, run: 1, cause: { kind: 'done' } } });
const prompt = (sessionId: string, words: string) =>
  ledger.record({ name: 'session.prompted', data: { sessionId, prompt: words, by: 'x' } });

const text = () => readFile(file, 'utf8');
const told = async () => readBack(await text()).map(({ id, status }) => [id, status]);

describe('the projector', () => {
  it('writes each state into the file, and everything else stays', async () => {
    queue('a');
    await projector.settled();
    expect(await told()).toEqual([['a', 'queued']]);
    begin('a');
    await projector.settled();
    expect(await told()).toEqual([['a', 'running']]);
    prompt('a', 'and quickly');
    end('a');
    await projector.settled();
    expect(await told()).toEqual([['a', 'completed']]);
    expect(await text()).toContain(`## Session History
### Session: a (Autonomous)
- 2025-05-30 10:00:01: Session queued by a test with priority medium
- 2025-05-30 10:00:03: Session started with autonomous mode (agent demo)
- 2025-05-30 10:00:04: Custom prompt: "and quickly"
- 2025-05-30 10:00:05: Session completed

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
    for (const id of ['a', 'b', 'c']) queue(id);
    for (const id of ['a', 'b']) begin(id);
    for (let at = 0; at < 50; at++) prompt('a', `words ${at}`);
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

  it('writes neither for words of the agent nor for a start that is being prepared', async () => {
    queue('a');
    await projector.settled();
    const { ino } = await stat(file);
    ledger.spoke('a');
    ledger.record({ name: 'session.starting', data: { sessionId: 'a', run: 1, resume: false } });
    await projector.settled();
    expect((await stat(file)).ino).toBe(ino);
  });

  it('after a crash writes what the file does not say yet, and does not touch one that says it', async () => {
    queue('a');
    begin('a');
    await projector.settled();
    await projector.close();
    end('a');
    projector = await follow();
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
    queue('a');
    await projector.settled();
    const moved = join(root, '.tasks/archive/2025-05/fix-login.task.md');
    await mkdir(dirname(moved), { recursive: true });
    await rename(file, moved);
    begin('a');
    await projector.settled();
    expect(readBack(await readFile(moved, 'utf8'))).toMatchObject([{ id: 'a', status: 'running' }]);
    expect(await readdir(dirname(file))).toEqual([]);
  });

  it('keeps going when many tasks change at once', async () => {
    const ids = Array.from({ length: 100 }, (_, at) => `task-${at}`);
    for (const id of ids) await writeFile(join(root, '.tasks', `${id}.md`), `# ${id}\n`);
    for (const id of ids) queue(`${id}-s`, id);
    for (const id of ids) begin(`${id}-s`);
    await projector.settled();
    for (const id of ids) {
      const written = await readFile(join(root, '.tasks', `${id}.md`), 'utf8');
      expect(readBack(written)).toMatchObject([{ id: `${id}-s`, status: 'running', history: [{}, {}] }]);
    }
    expect(problems).toEqual([]);
  });

  it('hears nothing after it was closed, but writes what it heard', async () => {
    queue('a');
    await projector.close();
    expect(ledger.listening).toBe(0);
    expect(await told()).toEqual([['a', 'queued']]);
  });
});

describe('what it cannot write it reports, once', () => {
  const reported = () => problems.map(({ code }) => code);

  it.each([
    [
      'symlink',
      async () => {
        await rename(file, join(root, 'real.md'));
        await symlink('../../real.md', file);
      },
    ],
    [
      'symlink',
      async () => {
        await rm(file);
        await symlink('/etc/passwd', file);
      },
    ],
    ['hard_linked', () => link(file, join(root, 'second.md'))],
    ['read_only', () => chmod(file, 0o440)],
    ['not_a_list', () => writeFile(file, '---\nsessions: none\n---\n')],
    ['broken_front_matter', () => writeFile(file, '---\na: [\n---\n')],
    ['toml', () => writeFile(file, '+++\na = 1\n+++\n')],
    ['open_fence', () => writeFile(file, '```\n')],
    ['not_text', () => writeFile(file, Buffer.from('# T', 'utf16le'))],
    ['unreadable', () => writeFile(file, 'x'.repeat(2_000_000))],
    ['missing', () => rm(file)],
    [
      'missing',
      async () => {
        await rm(join(root, '.tasks'), { recursive: true });
        await writeFile(join(root, '.tasks'), 'a file where a folder was');
      },
    ],
    [
      'outside',
      async () => {
        await rm(join(root, '.tasks'), { recursive: true });
        await symlink('/etc', join(root, '.tasks'));
      },
    ],
  ] as const)('%s', async (code, prepare) => {
    await prepare();
    const before = await text().catch(() => 'nothing');
    queue('a');
    await projector.settled();
    begin('a');
    await projector.settled();
    expect(problems).toMatchObject([
      { taskId: 'fix-login', code, message: expect.stringMatching(/^Task "fix-login" does not show its sessions: .+\.$/) },
    ]);
    expect(await text().catch(() => 'nothing')).toBe(before);
  });

  it('a deleted file, which does not come back', async () => {
    queue('a');
    await projector.settled();
    await rm(file);
    begin('a');
    await projector.settled();
    expect(reported()).toEqual(['missing']);
    expect(await readdir(dirname(file))).toEqual([]);
  });

  it('anew when it was mended in between', async () => {
    for (let round = 0; round < 2; round++) {
      await chmod(file, 0o440);
      queue(`a-${round}`);
      await projector.settled();
      await chmod(file, 0o640);
      queue(`b-${round}`);
      await projector.settled();
    }
    expect(reported()).toEqual(['read_only', 'read_only']);
    expect((await told()).map(([id]) => id)).toEqual(['b-0', 'b-1']);
  });

  it('and nothing of it reaches the ledger', () => {
    expect(() => queue('a', '../outside')).not.toThrow();
    expect(() => queue('b', '')).not.toThrow();
  });
});

it('an edit made between two writes is kept', async () => {
  queue('a');
  await projector.settled();
  await appendFile(file, '- by an agent\n');
  begin('a');
  await projector.settled();
  expect(await text()).toMatch(/## Log\n- mine\n- by an agent\n$/);
  expect(await told()).toEqual([['a', 'running']]);
});
