// Finding, reading, listing and making task files, in all layouts there are.
import { mkdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { createTaskFiles } from '../../storage/task-files.ts';
import { openEach, openTasks, outer, put, root, tasks } from './task-files-rig.ts';

openEach();

const ids = async () => (await tasks.list()).map(({ id }) => id);

it('a new file is seen in good time where the clock was set back', async () => {
  await put('.tasks/a.md');
  expect(await tasks.ids()).toEqual(['a']);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 3_600_000 });
  try {
    await put('.tasks/b.md');
    await expect.poll(() => tasks.ids(), { timeout: 5000, interval: 100 }).toEqual(['a', 'b']);
  } finally {
    vi.useRealTimers();
  }
});

describe('a task is found', () => {
  it.each([
    ['fix-05A', '.tasks/fix-05A.task.md'],
    ['fix-05A', '.tasks/fix-05A.md'],
    ['fix-05A', '.tasks/backlog/fix-05A.task.md'],
    ['fix-05A', '.tasks/current/fix-05A.task.md'],
    ['fix-05A', '.tasks/archive/2025-05/fix-05A.task.md'],
    ['big-05B', '.tasks/current/big-05B/_overview.md'],
    ['big-05B', '.tasks/archive/2024-12/big-05B/_overview.md'],
    ['big-05B/01_one-05C', '.tasks/current/big-05B/01_one-05C.task.md'],
    ['01_one-05C', '.tasks/backlog/big-05B/01_one-05C.task.md'],
    ['v1.2_x', '.tasks/v1.2_x.md'],
  ])('%s in %s', async (id, path) => {
    const file = await put(path);
    expect(await tasks.get(id)).toMatchObject({ file, title: path });
    expect(await tasks.locate(id)).toMatchObject({ file });
  });

  it('under its full id, when asked for a subtask by its bare name', async () => {
    await put('.tasks/current/big/01_one.task.md');
    expect((await tasks.get('01_one'))?.id).toBe('big/01_one');
  });

  it('with others at once, of which only those that are there have a file', async () => {
    const one = await put('.tasks/current/one.task.md');
    expect(await tasks.filesOf(['one', 'none', '../out'])).toEqual([one]);
    const { file } = await tasks.create({ id: 'two', title: 'Two', instruction: 'Do it.' });
    expect(await tasks.filesOf(new Set(['two', 'one']))).toEqual([file, one]);
  });

  it('only in the right case', async () => {
    await put('.tasks/Fix.task.md');
    expect(await tasks.get('fix')).toBeUndefined();
    expect(await tasks.get('Fix')).toBeDefined();
  });

  it('where it was moved to, a moment later', async () => {
    const file = await put('.tasks/backlog/a.task.md');
    await tasks.get('a');
    await mkdir(join(root, '.tasks/current'));
    await rename(file, join(root, '.tasks/current/a.task.md'));
    expect((await tasks.get('a'))?.file).toBe(join(root, '.tasks/current/a.task.md'));
  });

  it('in current before backlog before archive, newest month first, and the other is told of', async () => {
    for (const bin of ['archive/2024-01/', 'archive/2025-01/', 'backlog/', '', 'current/']) {
      await put(`.tasks/${bin}a.task.md`);
      await openTasks();
      expect((await tasks.get('a'))?.file).toBe(join(root, `.tasks/${bin}a.task.md`));
    }
    await put('.tasks/current/a.md');
    expect((await tasks.get('a'))?.file).toBe(join(root, '.tasks/current/a.task.md'));
    expect(await ids()).toEqual(['a']);
    expect((await tasks.problems()).filter(({ code }) => code === 'TASK_EXISTS')).toHaveLength(5);
  });

  it('in every folder of the config, below the workspace', async () => {
    await put('docs/tasks/b.md');
    await put('.tasks/a.md');
    await openTasks(['.tasks', 'docs/tasks']);
    expect(await ids()).toEqual(['a', 'b']);
  });

  it('not when two subtasks of different parents have the name; both are named', async () => {
    await put('.tasks/current/one/01_same.task.md');
    await put('.tasks/backlog/two/01_same.task.md');
    await expect(tasks.get('01_same')).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: '"01_same" is the name of 2 subtasks: one/01_same, two/01_same.',
    });
    expect(await tasks.get('two/01_same')).toBeDefined();
  });
});

describe('the list', () => {
  it('holds every task once, in order of id, and nothing else', async () => {
    for (const path of ['b.task.md', 'a.md', 'current/big/_overview.md', 'current/big/02_y.task.md', 'current/big/notes.md']) {
      await put(`.tasks/${path}`);
    }
    for (const path of [
      'README.md',
      'CLAUDE.md',
      '.hidden.md',
      '_template.md',
      'x.txt',
      '.autonomous-sessions/a.md',
      'a.md.conflict',
      'no id.md',
    ]) {
      await put(`.tasks/${path}`);
    }
    expect(await ids()).toEqual(['a', 'b', 'big', 'big/02_y']);
    expect(await tasks.problems()).toEqual([
      { file: '.tasks/no id.md', code: 'INVALID_INPUT', message: expect.stringContaining('no task id') },
    ]);
  });

  it('leaves out a file that cannot be read, and tells of it', async () => {
    await put('.tasks/good.md');
    await put('.tasks/bad.md', '---\na: [\n---\n');
    await put('.tasks/binary.md', 'a\0b');
    await mkdir(join(root, '.tasks/folder.md'));
    await symlink('nowhere', join(root, '.tasks/dangling.md'));
    expect(await ids()).toEqual(['good']);
    expect((await tasks.problems()).map(({ file, code }) => [file, code])).toEqual([
      ['.tasks/bad.md', 'TASK_UNREADABLE'],
      ['.tasks/binary.md', 'TASK_UNREADABLE'],
      ['.tasks/dangling.md', 'TASK_UNREADABLE'],
    ]);
    await expect(tasks.get('bad')).rejects.toMatchObject({
      code: 'TASK_UNREADABLE',
      message: 'The task file ".tasks/bad.md" cannot be read: its front matter is no YAML that can be read.',
      details: { file: '.tasks/bad.md' },
    });
  });

  it('is empty when there is no task folder, and sees one that comes', async () => {
    await rm(join(root, '.tasks'), { recursive: true });
    expect(await tasks.list()).toEqual([]);
    await put('.tasks/a.md');
    expect(await ids()).toEqual(['a']);
  });

  it('sees a change at once, also one that keeps length and time', async () => {
    const file = await put('.tasks/a.md', '# One\n');
    const old = new Date(Date.now() - 60_000);
    await utimes(file, old, old);
    const title = async () => (await tasks.list())[0]?.title;
    expect(await title()).toBe('One');
    for (const word of ['Two', 'Six', 'Ten']) {
      await writeFile(file, `# ${word}\n`);
      await utimes(file, old, old);
      expect(await title()).toBe(word);
    }
  });

  it('of 5,000 tasks is quick the second time', async () => {
    const bins = ['backlog', 'current', 'archive/2025-05', 'current/big'];
    for (const bin of bins) await mkdir(join(root, '.tasks', bin), { recursive: true });
    const text = '# T\n\n---\ntype: bug\nstatus: todo\narea: x\n---\n\n## Instruction\nDo it.\n';
    const numbers = Array.from({ length: 5000 }, (_, at) => at);
    await Promise.all(numbers.map((at) => writeFile(join(root, '.tasks', bins[at % 4] ?? '', `t${at}.task.md`), text)));
    expect(await tasks.list()).toHaveLength(5000);
    await pause(100);
    await tasks.list();
    const start = performance.now();
    expect(await tasks.list()).toHaveLength(5000);
    expect(performance.now() - start).toBeLessThan(3000);
  });
});

describe('a new task', () => {
  it('gets a file that says what it is', async () => {
    const task = await tasks.create({ id: 'fix-it', title: 'Fix\nit  ', instruction: '\nDo this.\n\n- and that\n' });
    expect(task).toEqual({
      id: 'fix-it',
      file: join(root, '.tasks/current/fix-it.task.md'),
      title: 'Fix it',
      fields: { type: 'task', status: 'in_progress', area: 'general' },
      body: '## Instruction\nDo this.\n\n- and that\n\n## Log',
    });
    expect(await readFile(task.file, 'utf8')).toBe(
      '# Fix it\n\n---\ntype: task\nstatus: in_progress\narea: general\n---\n\n## Instruction\nDo this.\n\n- and that\n\n## Log\n',
    );
    expect((await stat(task.file)).mode & 0o777).toBe(0o644);
    expect(await tasks.get('fix-it')).toEqual(task);
  });

  it('is refused when the id is taken, wherever, also by a file that cannot be read', async () => {
    await put('.tasks/archive/2025-01/old.task.md');
    await put('.tasks/bad.md', 'a\0');
    for (const id of ['old', 'bad']) {
      await expect(tasks.create({ id, title: 'x', instruction: 'x' })).rejects.toMatchObject({ code: 'TASK_EXISTS' });
    }
  });

  it('is made by one of many who ask at once', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, () => tasks.create({ id: 'a', title: 'a', instruction: 'x' })),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results) if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'TASK_EXISTS' });
  });

  it('is refused with an id that is a path or a subtask', async () => {
    await expect(tasks.create({ id: '../a', title: 'a', instruction: 'x' })).rejects.toMatchObject({ code: 'PATH_OUTSIDE' });
    await expect(tasks.create({ id: 'a/b', title: 'a', instruction: 'x' })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('fails in words when a file stands where a folder should be', async () => {
    await put('.tasks/current', 'a file');
    await expect(tasks.create({ id: 'a', title: 'a', instruction: 'x' })).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  });
});

it('a workspace that is not there is said to be missing', async () => {
  await expect(createTaskFiles({ workspace: join(outer, 'none') })).rejects.toMatchObject({ code: 'WORKSPACE_MISSING' });
});
