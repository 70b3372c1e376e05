// Ids and links that want to lead out of the workspace: nothing there is read, made or told of.
import { link, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { openEach, openTasks, outer, put, root, tasks } from './task-files-rig.ts';

openEach();

describe('nothing outside the workspace is read', () => {
  it.each(['../secret', 'a/../../secret', '/etc/passwd', '\\\\host\\x', 'C:\\x', '~/x', '..'])('by the id %s', async (id) => {
    await writeFile(join(outer, 'secret.md'), '# secret');
    await expect(tasks.get(id)).rejects.toMatchObject({ code: 'PATH_OUTSIDE' });
  });

  it.each(['', ' ', 'a b', 'a\0', 'a\n', '.hidden', '_x', 'a/b/c', 'a/', 'x'.repeat(129), 'ä', '-x', 'a/.b'])(
    'nor by the id %j',
    async (id) => {
      await expect(tasks.get(id)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    },
  );

  it('through a link to a file', async () => {
    await writeFile(join(outer, 'secret.md'), '# secret');
    await symlink(join(outer, 'secret.md'), join(root, '.tasks/a.md'));
    await symlink('../../secret.md', join(root, '.tasks/b.md'));
    await expect(tasks.get('a')).rejects.toMatchObject({ code: 'PATH_OUTSIDE', message: expect.not.stringContaining('secret') });
    await expect(tasks.get('b')).rejects.toMatchObject({ code: 'PATH_OUTSIDE' });
    expect(await tasks.list()).toEqual([]);
    expect((await tasks.problems()).map(({ code }) => code)).toEqual(['PATH_OUTSIDE', 'PATH_OUTSIDE']);
  });

  it('through a link to a folder, whichever it is', async () => {
    await mkdir(join(outer, 'elsewhere/current'), { recursive: true });
    for (const path of ['a.task.md', '_overview.md', 'current/a.task.md'])
      await writeFile(join(outer, 'elsewhere', path), '# secret');
    for (const [name, id] of [
      ['big', 'big/a'],
      ['big', 'big'],
      ['current', 'a'],
      ['archive', 'a'],
    ] as const) {
      await symlink(join(outer, 'elsewhere'), join(root, '.tasks', name));
      await expect(tasks.get(id)).rejects.toMatchObject({ code: 'PATH_OUTSIDE' });
      expect(await tasks.list()).toEqual([]);
      expect(await tasks.problems()).toMatchObject([{ file: `.tasks/${name}`, code: 'PATH_OUTSIDE' }]);
      await rm(join(root, '.tasks', name));
    }
    await rm(join(root, '.tasks'), { recursive: true });
    await symlink(join(outer, 'elsewhere'), join(root, '.tasks'));
    await expect(tasks.get('a')).rejects.toMatchObject({ code: 'PATH_OUTSIDE' });
    await expect(tasks.create({ id: 'n', title: 'n', instruction: 'n' })).rejects.toMatchObject({ code: 'PATH_OUTSIDE' });
  });

  it('through a folder of the config that lies outside', async () => {
    await mkdir(join(outer, 'w-evil'));
    await writeFile(join(outer, 'w-evil/a.md'), '# secret');
    await openTasks(['../w-evil']);
    await expect(tasks.get('a')).rejects.toMatchObject({ code: 'PATH_OUTSIDE' });
    await expect(tasks.create({ id: 'n', title: 'n', instruction: 'n' })).rejects.toMatchObject({ code: 'PATH_OUTSIDE' });
  });

  it('but a link inside it is followed', async () => {
    await put('docs/real.md', '# Real');
    await symlink('../docs/real.md', join(root, '.tasks/a.md'));
    await put('elsewhere/b.task.md', '# B');
    await symlink('../elsewhere', join(root, '.tasks/current'));
    expect((await tasks.list()).map(({ id, title }) => [id, title])).toEqual([
      ['a', 'Real'],
      ['b', 'B'],
    ]);
  });

  it('while somebody swaps a folder for a link, over and over', async () => {
    await put('.tasks/big/_overview.md', '# mine');
    await mkdir(join(outer, 'elsewhere'));
    await writeFile(join(outer, 'elsewhere/_overview.md'), '# secret');
    await symlink(join(outer, 'elsewhere'), join(root, 'trap'));
    let swapping = true;
    const swap = async () => {
      while (swapping) {
        await rename(join(root, '.tasks/big'), join(root, 'aside'));
        await rename(join(root, 'trap'), join(root, '.tasks/big'));
        await rename(join(root, '.tasks/big'), join(root, 'trap'));
        await rename(join(root, 'aside'), join(root, '.tasks/big'));
        await pause(1);
      }
    };
    const swapper = swap();
    const titles = new Set<string | undefined>();
    for (let round = 0; round < 500; round++)
      titles.add(
        await tasks.get('big').then(
          (task) => task?.title,
          () => 'refused',
        ),
      );
    swapping = false;
    await swapper;
    expect(titles).not.toContain('secret');
    expect(titles).toContain('mine');
  });

  it('and a file with a second name elsewhere is an ordinary file', async () => {
    await put('.tasks/a.md', '# A');
    await link(join(root, '.tasks/a.md'), join(root, 'second.md'));
    expect((await tasks.get('a'))?.title).toBe('A');
  });
});
