// Writing a file atomically: whole or not at all, with the mode asked for, and nothing left lying about.
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAtomic, writeAtomic, writeFully } from '../../storage/atomic-write.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sc-atomic-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('an atomic write', () => {
  it('puts the content in place, with exactly the mode asked for', async () => {
    const file = join(folder, 'a.json');
    await writeFile(file, 'old and longer', { mode: 0o644 });
    await writeAtomic(file, 'new');
    expect(await readFile(file, 'utf8')).toBe('new');
    expect((await stat(file)).mode & 0o7777).toBe(0o600);
    await writeAtomic(file, Buffer.from([0xff, 0]), 0o666);
    expect([...(await readFile(file))]).toEqual([0xff, 0]);
    expect((await stat(file)).mode & 0o7777).toBe(0o666);
    expect(await readdir(folder)).toEqual(['a.json']);
  });

  it('takes the place of a link, not of what it points to', async () => {
    await writeFile(join(folder, 'target'), 'kept');
    await symlink('target', join(folder, 'link'));
    await writeAtomic(join(folder, 'link'), 'new');
    expect(await readFile(join(folder, 'target'), 'utf8')).toBe('kept');
    expect((await lstat(join(folder, 'link'))).isSymbolicLink()).toBe(false);
  });

  it('leaves nothing behind when it fails', async () => {
    const file = join(folder, 'taken');
    await writeFile(file, 'a file where a folder should be');
    await expect(writeAtomic(join(file, 'a'), 'x')).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    await mkdir(join(folder, 'folder', 'full'), { recursive: true });
    await expect(writeAtomic(join(folder, 'folder'), 'x')).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    expect((await readdir(folder)).toSorted()).toEqual(['folder', 'taken']);
    expect(await readdir(join(folder, 'folder'))).toEqual(['full']);
  });

  it('by several at once leaves one of them whole', async () => {
    const file = join(folder, 'a');
    const contents = Array.from({ length: 20 }, (_, at) => String(at).repeat(10_000));
    await Promise.all(contents.map((content) => writeAtomic(file, content)));
    expect(contents).toContain(await readFile(file, 'utf8'));
    expect(await readdir(folder)).toEqual(['a']);
  });

  it('of a new file never takes the place of another, and only one of many makes it', async () => {
    const file = join(folder, 'a');
    const made = await Promise.all(Array.from({ length: 10 }, (_, at) => createAtomic(file, String(at), 0o640)));
    expect(made.filter(Boolean)).toHaveLength(1);
    expect(await readFile(file, 'utf8')).toBe(String(made.indexOf(true)));
    expect((await stat(file)).mode & 0o7777).toBe(0o640);
    expect(await readdir(folder)).toEqual(['a']);
  });
});

describe('writing fully', () => {
  it('goes on after a write that took only a part', async () => {
    const taken: number[] = [];
    await writeFully(
      {
        write: async (bytes, offset, length) => {
          const part = bytes.subarray(offset, offset + Math.min(3, length));
          taken.push(...part);
          return { bytesWritten: part.length };
        },
      },
      Buffer.from([1, 2, 3, 4, 5, 6, 7, 8]),
    );
    expect(taken).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('gives up when nothing is taken any more', async () => {
    await expect(writeFully({ write: async () => ({ bytesWritten: 0 }) }, Buffer.from('x'))).rejects.toThrow('Only 0 of 1 bytes');
  });
});
