// channelcoder's own session functions on our storage: what they save lies in the task file, and what they load comes from there.
import { mkdir, mkdtemp, readFile, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { type SessionState, session } from 'channelcoder';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ScopecraftError } from '../../core/errors.ts';
import { TaskSessionStorage } from '../../storage/channelcoder/task-session-storage.ts';
import { readBack } from '../../storage/task-splice.ts';
import { makeFakeClaude } from '../support/fake-claude.ts';
import { PROJECT } from '../support/project.ts';
import { runProgram } from '../support/run-program.ts';
import { makeWorkspace } from '../support/workspace.ts';
import { sessionOf, splice } from './sessions.ts';

const TASK =
  '# Fix the login\n\n---\ntype: bug   # a comment\nstatus: todo\n---\n\n## Instruction\nMend it.\n\n## Log\n- begun\n';
const CREATED = Date.UTC(2025, 4, 30, 10, 0, 0);

let workspace: string;
let storage: TaskSessionStorage;

beforeEach(async () => {
  workspace = await realpath(await mkdtemp(path.join(tmpdir(), 'cc-')));
  await mkdir(path.join(workspace, '.tasks', 'big'), { recursive: true });
  for (const name of ['fix-login.md', 'other.md', 'big/_overview.md', 'big/part.task.md']) await writeFile(taskFile(name), TASK);
  storage = new TaskSessionStorage({ workspace, taskId: 'fix-login' });
});

afterEach(() => rm(workspace, { recursive: true, force: true }));

const taskFile = (name = 'fix-login.md') => path.join(workspace, '.tasks', name);
const text = (name?: string) => readFile(taskFile(name), 'utf8');
const stateFile = (name: string, task = 'fix-login') =>
  path.join(workspace, '.scopecraft', 'state', 'channelcoder', task, `${name}.json`);

/** A conversation of so many prompts, each answered. */
function stateOf(prompts: readonly string[], more: Partial<SessionState> = {}): SessionState {
  const at = (index: number) => new Date(CREATED + 1000 * (index + 1));
  return {
    sessionChain: prompts.map((_prompt, index) => `conversation-${index + 1}`),
    currentSessionId: `conversation-${prompts.length}`,
    messages: prompts.flatMap((content, index) => [
      { role: 'user' as const, content, timestamp: at(index), sessionId: `conversation-${index + 1}` },
      {
        role: 'assistant' as const,
        content: `Answer to ${content}`,
        timestamp: at(index),
        sessionId: `conversation-${index + 1}`,
      },
    ]),
    metadata: { created: new Date(CREATED), lastActive: at(prompts.length) },
    ...more,
  };
}

async function codeOf(deed: Promise<unknown>): Promise<string> {
  const error = await deed.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return error instanceof ScopecraftError ? error.code : `not refused: ${error}`;
}

describe('a saved session', () => {
  it('is told in the task file: when it began, its prompts, and how to go on; nothing else there changes', async () => {
    await storage.save(stateOf(['Look at "JWT"', 'Now the tests']), 'fix-auth');
    const after = await text();
    expect(after).toContain(
      [
        'sessions:',
        '  - id: fix-auth',
        '    type: autonomous',
        '    status: waiting',
        '    startTime: 2025-05-30T10:00:00Z',
        '    agent: channelcoder',
        '    conversationId: conversation-2',
        '    customPrompts:',
        '      - "Look at \\"JWT\\""',
        '      - "Now the tests"',
        '---',
      ].join('\n'),
    );
    expect(after).toContain(
      [
        '## Session History',
        '### Session: fix-auth (Autonomous)',
        '- 2025-05-30 10:00:00: Session started (agent channelcoder)',
        '- 2025-05-30 10:00:01: Custom prompt: "Look at "JWT""',
        '- 2025-05-30 10:00:02: Custom prompt: "Now the tests"',
        '',
        '## Log',
      ].join('\n'),
    );
    const [front = ''] = after.split(/^sessions:/m);
    expect(TASK.startsWith(front)).toBe(true);
    expect(after.endsWith('## Log\n- begun\n')).toBe(true);
    expect(after).not.toContain('Answer to');
  });

  it('keeps every message in a file of the state folder that only its owner may read', async () => {
    const state = stateOf(['One', 'Two']);
    const file = await storage.save(state, 'fix-auth');
    expect(file).toBe(stateFile('fix-auth'));
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(path.dirname(file))).mode & 0o777).toBe(0o700);
    expect(await storage.getSessionHistory('fix-auth')).toEqual(state.messages);
    expect(await storage.loadSessionFromTask('fix-login')).toEqual({
      ...state,
      metadata: { ...state.metadata, name: 'fix-auth' },
    });
    expect(await storage.loadSessionFromTask('other')).toBeNull();
  });

  it('lies beside the sessions of the hub, and neither touches the other', async () => {
    const mixed = splice(TASK, [sessionOf('fix-login-k3xp')]);
    await writeFile(taskFile(), 'text' in mixed ? mixed.text : '');
    await storage.save(stateOf(['Mine']), 'mine');
    const again = splice(await text(), [sessionOf('fix-login-k3xp', { status: 'completed' })]);
    const told = readBack('text' in again ? again.text : '');
    expect(told).toMatchObject([
      { id: 'fix-login-k3xp', status: 'completed', agent: 'claude' },
      { id: 'mine', status: 'waiting', agent: 'channelcoder', customPrompts: ['Mine'] },
    ]);
    expect(await codeOf(storage.save(stateOf(['Yours']), 'fix-login-k3xp'))).toBe('INVALID_INPUT');
    expect(readBack(await text())[0]).toMatchObject({ id: 'fix-login-k3xp', agent: 'claude' });
    expect((await storage.list()).map(({ name }) => name)).toEqual(['mine']);
  });

  it('grows with its prompts, and the task file rests while only answers change', async () => {
    await storage.save(stateOf(['One']), 'fix-auth');
    const before = await stat(taskFile());
    const longer = stateOf(['One']);
    longer.messages[1] = {
      ...stateOf(['One']).messages[0],
      role: 'assistant',
      content: 'a longer answer',
      timestamp: new Date(),
      sessionId: 'x',
    };
    await storage.save(longer, 'fix-auth');
    expect((await stat(taskFile())).ino).toBe(before.ino);
    expect((await storage.getSessionHistory('fix-auth'))[1]?.content).toBe('a longer answer');
    await storage.save(stateOf(['One', 'Two']), 'fix-auth');
    expect(readBack(await text())).toMatchObject([{ customPrompts: ['One', 'Two'], history: [{}, {}, {}] }]);
  });

  it('can be on a subtask, which its short name finds too', async () => {
    const subtask = new TaskSessionStorage({ workspace, taskId: 'part' });
    const file = await subtask.save(stateOf(['One']), 'mine');
    expect(file).toBe(stateFile('mine', 'big%2Fpart'));
    expect(readBack(await text('big/part.task.md'))).toMatchObject([{ id: 'mine' }]);
    expect((await session.load(file, subtask)).messages()).toHaveLength(2);
  });

  it('is one of many that are saved at the same time', async () => {
    const other = new TaskSessionStorage({ workspace, taskId: 'fix-login' });
    const names = Array.from({ length: 6 }, (_, index) => `s${index}`);
    await Promise.all(names.map((name, index) => (index % 2 ? storage : other).save(stateOf([`Prompt of ${name}`]), name)));
    expect((await storage.list()).map(({ name }) => name).toSorted()).toEqual(names);
  });
});

describe("channelcoder's own functions", () => {
  it('save, list and load by name and by path', async () => {
    const made = session({ name: 'fix-auth', storage });
    const file = await made.save();
    await session({ storage }).save('second');
    expect((await session.list(storage)).map(({ name, path: at }) => [name, at])).toEqual([
      ['second', stateFile('second')],
      ['fix-auth', file],
    ]);
    await storage.save(stateOf(['One']), 'third.json');
    const loaded = await session.load('third', storage);
    expect(loaded.id()).toBe('conversation-1');
    expect(loaded.messages()).toEqual(stateOf(['One']).messages);
    expect((await session.load(stateFile('third'), storage)).id()).toBe('conversation-1');
    expect(await loaded.save()).toBe(stateFile('third'));
  });

  it('keep a nameless session under one name, and two of them under two', async () => {
    const [first, second] = [stateOf(['One']), stateOf(['One'])];
    const paths = [await storage.save(first), await storage.save(first), await storage.save(second)];
    expect(new Set(paths).size).toBe(2);
    const loaded = await storage.load(paths[0] ?? '');
    expect(await storage.save(loaded)).toBe(paths[0]);
    expect(await storage.list()).toHaveLength(2);
  });

  it('find sessions of all tasks where no task is given, and save them where they came from', async () => {
    await storage.save(stateOf(['One']), 'mine');
    await storage.save(stateOf(['One']), 'both');
    await new TaskSessionStorage({ workspace, taskId: 'other' }).save(stateOf(['Two']), 'both');
    const all = new TaskSessionStorage({ workspace });
    expect((await session.list(all)).map(({ name }) => name).toSorted()).toEqual(['both', 'both', 'mine']);
    const loaded = await all.load('mine');
    expect(await all.save({ ...loaded, messages: [] }).then(String, (error: Error) => error.message)).toContain(
      'without a taskId',
    );
    expect(await all.save(loaded)).toBe(stateFile('mine'));
    expect(await codeOf(session.load('both', all))).toBe('INVALID_INPUT');
    expect(await codeOf(session.load('none', all))).toBe('SESSION_NOT_FOUND');
    expect((await session.load(stateFile('both', 'other'), all)).messages()[0]?.content).toBe('Two');
  });

  it('go on from the task file alone, as in a fresh clone', async () => {
    const long = 'x'.repeat(300);
    await storage.save(stateOf(['One', long]), 'fix-auth');
    await rm(path.join(workspace, '.scopecraft'), { recursive: true });
    const fresh = new TaskSessionStorage({ workspace, taskId: 'fix-login' });
    expect(await session.list(fresh)).toMatchObject([
      { name: 'fix-auth', messageCount: 2, created: new Date(CREATED), lastActive: new Date(CREATED + 2000) },
    ]);
    const loaded = await fresh.load('fix-auth');
    expect(loaded).toMatchObject({ sessionChain: ['conversation-2'], currentSessionId: 'conversation-2' });
    expect(loaded.messages).toMatchObject([
      { role: 'user', content: 'One', timestamp: new Date(CREATED + 1000) },
      { role: 'user', content: `${'x'.repeat(200)}… (300 characters, whole in the log)` },
    ]);
  });
});

describe('what is refused', () => {
  it.each(['../evil', '..', '../../x.json', 'a/b', 'a\\b', '/etc/passwd', '~/x', 'C:x'])(
    'the path %j as a name',
    async (name) => {
      expect(await codeOf(storage.save(stateOf(['One']), name))).toBe('PATH_OUTSIDE');
      expect(await text()).toBe(TASK);
      expect(await codeOf(storage.load(name))).toBe('PATH_OUTSIDE');
    },
  );

  it.each(['', '.hidden', 'a b', 'a\nb', '-x', 'x'.repeat(101), '.json', 'a%2e'])('%j as a name', async (name) => {
    const state = stateOf(['One']);
    expect(await codeOf(storage.save({ ...state, metadata: { ...state.metadata, name } }))).toBe('INVALID_INPUT');
    expect(await codeOf(storage.load(name))).toBe('INVALID_INPUT');
    expect(await text()).toBe(TASK);
  });

  it('a path that only looks like one of ours', async () => {
    await storage.save(stateOf(['One']), 'mine');
    const base = path.join(workspace, '.scopecraft', 'state', 'channelcoder');
    for (const file of [
      `${base}/fix-login/../fix-login/mine.json`,
      `${base}/../../../../etc/passwd`,
      `${base}/..%2F..%2F..%2Fetc/mine.json`,
      `${base}/fix-login/.mine.json`,
      `${base}/fix-login/mine`,
      `${base}/mine.json`,
      `${base}/%zz/mine.json`,
      '.scopecraft/state/channelcoder/fix-login/mine.json',
    ])
      expect([file, await codeOf(storage.load(file))]).toEqual([file, 'PATH_OUTSIDE']);
  });

  it('a link in the place of a folder or a file of ours', async () => {
    const outside = path.join(workspace, 'outside');
    await mkdir(outside);
    await writeFile(path.join(outside, 'mine.json'), JSON.stringify(stateOf(['Foreign'])));
    await storage.save(stateOf(['One']), 'mine');
    await rm(stateFile('mine'));
    await symlink(path.join(outside, 'mine.json'), stateFile('mine'));
    expect(await codeOf(storage.load('mine'))).toBe('PATH_OUTSIDE');
    // a save puts a real file there
    await storage.save(stateOf(['One']), 'mine');
    expect(await readFile(path.join(outside, 'mine.json'), 'utf8')).toContain('Foreign');
    await rm(path.dirname(stateFile('mine')), { recursive: true });
    await symlink(outside, path.dirname(stateFile('mine')));
    expect(await codeOf(storage.save(stateOf(['One']), 'mine'))).toBe('STORAGE_FAILED');
    expect(await codeOf(storage.load('mine'))).toMatch(/PATH_OUTSIDE/);
    expect(await readFile(path.join(outside, 'mine.json'), 'utf8')).toContain('Foreign');
  });

  it('tasks that are not there, and what is no session', async () => {
    expect(await codeOf(new TaskSessionStorage({ workspace, taskId: 'none' }).save(stateOf(['One']), 'mine'))).toBe(
      'TASK_NOT_FOUND',
    );
    expect(await codeOf(new TaskSessionStorage({ workspace, taskId: '../x' }).list())).toBe('PATH_OUTSIDE');
    expect(await codeOf(new TaskSessionStorage({ workspace: `${workspace}/none` }).list())).toBe('WORKSPACE_MISSING');
    const broken = stateOf(['One'], { metadata: { created: new Date(Number.NaN), lastActive: new Date() } });
    expect(await codeOf(storage.save(broken, 'mine'))).toBe('INVALID_INPUT');
    await storage.save(stateOf(['One']), 'mine');
    await writeFile(stateFile('mine'), '{"messages": 3}');
    expect(await codeOf(storage.load('mine'))).toBe('STORAGE_FAILED');
  });

  it('to show a session in a task file that cannot be written; the session is kept all the same', async () => {
    await writeFile(taskFile(), '---\nsessions: 3\n---\nText\n');
    const error = await storage.save(stateOf(['One']), 'mine').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'TASK_UNREADABLE',
      message: expect.stringContaining('.tasks/fix-login.md: its `sessions:` key'),
    });
    expect(await text()).toBe('---\nsessions: 3\n---\nText\n');
    expect((await storage.load('mine')).messages).toHaveLength(2);
  });
});

describe('with a claude program', () => {
  it('a session goes on in another process with the conversation of the first', async () => {
    const home = await makeWorkspace({ tasks: { 'fix-login': TASK } });
    try {
      const claude = await makeFakeClaude(path.join(home.root, 'fake'));
      const env = { ...home.env, PATH: `${claude.bin}:${home.env.PATH}` };
      const run = async (...args: string[]) => {
        const program = path.join(PROJECT, 'test', 'support', 'channelcoder-program.ts');
        const tsx = pathToFileURL(path.join(PROJECT, 'node_modules', 'tsx', 'dist', 'loader.mjs')).href;
        const { code, stdout, stderr } = await runProgram(
          process.execPath,
          ['--import', tsx, program, home.path, 'fix-login', ...args],
          {
            env,
            cwd: home.path,
          },
        );
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
        return JSON.parse(stdout);
      };
      expect(await run('begin', 'fix-auth', 'Find it.', 'Mend it.')).toMatchObject({ id: 'conversation-2' });
      const { id, messages } = await run('go-on', 'fix-auth', 'Test it.');
      expect(id).toBe('conversation-3');
      expect(messages.map(({ content }: { content: string }) => content)).toEqual([
        'Find it.',
        'You said: Find it.',
        'Mend it.',
        'You said: Mend it.',
        'Test it.',
        'You said: Test it.',
      ]);
      const resumed = (await claude.calls()).map(({ args }) => args.slice(0, 2));
      expect(resumed).toEqual([
        expect.not.arrayContaining(['--resume']),
        ['--resume', 'conversation-1'],
        ['--resume', 'conversation-2'],
      ]);
      expect(readBack(await home.task('fix-login'))).toMatchObject([
        { id: 'fix-auth', conversationId: 'conversation-3', customPrompts: ['Find it.', 'Mend it.', 'Test it.'] },
      ]);

      // saved with every part of the answer, it is told once
      await run('stream', 'streamed', 'Tell me.');
      const streamed = readBack(await home.task('fix-login')).find(({ id: name }) => name === 'streamed');
      expect(streamed).toMatchObject({ customPrompts: ['Tell me.'], history: [{}, { text: 'Custom prompt: "Tell me."' }] });
      const kept = await new TaskSessionStorage({ workspace: home.path, taskId: 'fix-login' }).getSessionHistory('streamed');
      expect(kept[1]).toMatchObject({ role: 'assistant', content: 'part 1 part 2 part 3 part 4 part 5 ' });
    } finally {
      await home.close();
    }
  }, 180_000);
});
