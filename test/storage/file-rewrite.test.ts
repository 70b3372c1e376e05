// Changing a file that others edit at the same moment: what they did before, during and after is never lost.
import { appendFileSync, linkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import {
  appendFile,
  chmod,
  type FileHandle,
  link,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RewriteOutcome, rewriteFile } from '../../storage/file-rewrite.ts';

const onDisk = <Result>(deed: () => Promise<Result>): Promise<Result> => deed();

let root = '';
let file = '';
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sc-rewrite-'));
  file = join(root, 'a.md');
  await writeFile(file, 'one\ntwo\n');
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** Puts `ours` in front, once. */
const withOurs = (bytes: Buffer) =>
  bytes.toString().startsWith('ours\n') ? bytes : Buffer.concat([Buffer.from('ours\n'), bytes]);
const rewrite = (change: (bytes: Buffer) => Buffer | undefined = withOurs) =>
  rewriteFile({ root, file, change, lateLooksMs: [0, 30, 30], onDisk });
const text = () => readFile(file, 'utf8');

describe('a rewrite', () => {
  it('changes the file and keeps its mode', async () => {
    await chmod(file, 0o664);
    expect(await rewrite()).toEqual({ kind: 'written' });
    expect(await text()).toBe('ours\none\ntwo\n');
    expect((await stat(file)).mode & 0o7777).toBe(0o664);
    expect(await readdir(root)).toEqual(['a.md']);
  });

  it('touches nothing when nothing is to be changed', async () => {
    const before = await stat(file);
    expect(await rewrite((bytes) => Buffer.from(bytes))).toEqual({ kind: 'unchanged' });
    expect(await rewrite(() => undefined)).toEqual({ kind: 'unchanged' });
    expect((await stat(file)).ino).toBe(before.ino);
  });

  it.each([
    [
      'symlink',
      async () => {
        await rename(file, join(root, 'real.md'));
        await symlink('real.md', file);
      },
    ],
    ['hard_linked', () => link(file, join(root, 'second.md'))],
    ['read_only', () => chmod(file, 0o444)],
  ] as const)('leaves a file alone that is %s', async (why, prepare) => {
    await prepare();
    const before = (await stat(file)).ino;
    expect(await rewrite()).toEqual({ kind: 'protected', why });
    expect(await text()).toBe('one\ntwo\n');
    expect((await stat(file)).ino).toBe(before);
    expect((await readdir(root)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('waits while the file is empty for a moment only, as in the middle of a write', async () => {
    await writeFile(file, '');
    expect(await rewrite()).toEqual({ kind: 'again' });
    await pause(250);
    expect(await rewrite()).toEqual({ kind: 'written' });
    expect(await text()).toBe('ours\n');
  });

  it('does not wait for a time that is far ahead, where a clock was set wrong', async () => {
    await writeFile(file, '');
    const ahead = new Date(Date.now() + 3_600_000);
    await utimes(file, ahead, ahead);
    expect(await rewrite()).toEqual({ kind: 'written' });
  });

  it('throws the change’s own failure, with nothing left behind', async () => {
    const boom = () => {
      throw new Error('boom');
    };
    await expect(rewrite(boom)).rejects.toThrow('boom');
    expect(await readdir(root)).toEqual(['a.md']);
  });

  it('fails when the folder cannot be written to, and the file stands', async () => {
    const taken = join(root, 'folder');
    const change = (bytes: Buffer) => withOurs(bytes);
    await rm(file);
    await writeFile(taken, 'a file where a folder was');
    await expect(rewriteFile({ root, file: join(taken, 'a.md'), change, lateLooksMs: [], onDisk })).rejects.toMatchObject({
      code: 'ENOTDIR',
    });
    expect(await readFile(taken, 'utf8')).toBe('a file where a folder was');
  });

  it('is to be tried again when the file was changed, replaced, linked or removed before its turn came', async () => {
    const disturbed = (disturb: () => void) => (bytes: Buffer) => {
      disturb();
      return withOurs(bytes);
    };
    expect(await rewrite(disturbed(() => appendFileSync(file, 'theirs\n')))).toEqual({ kind: 'again' });
    expect(await text()).toBe('one\ntwo\ntheirs\n');
    const replace = () => {
      writeFileSync(join(root, 'new'), 'one\ntwo\ntheirs\n');
      renameSync(join(root, 'new'), file);
    };
    expect(await rewrite(disturbed(replace))).toEqual({ kind: 'again' });
    const second = join(root, 'second.md');
    expect(await rewrite(disturbed(() => linkSync(file, second)))).toEqual({ kind: 'again' });
    expect((await stat(file)).ino).toBe((await stat(second)).ino);
    rmSync(second);
    await expect(rewrite(disturbed(() => rmSync(file)))).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await readdir(root)).toEqual([]);
  });
});

describe('an edit that comes too late, through the old file', () => {
  it('is appended to the new one when it was appended', async () => {
    const old = await open(file, 'a');
    const done = rewriteFile({ root, file, change: withOurs, lateLooksMs: [0, 500, 1_500], onDisk });
    while (!(await text()).startsWith('ours\n')) await pause(1);
    await old.write('late\n');
    expect(await done).toEqual({ kind: 'written' });
    await old.close();
    expect(await text()).toBe('ours\none\ntwo\nlate\n');
  });

  it('is appended also when the new one was appended to as well', async () => {
    const outcome = await rewriteUnder('a', async (old) => {
      await appendFile(file, 'new\n');
      await old.write('late\n');
    });
    expect(outcome).toEqual({ kind: 'written' });
    expect(await text()).toBe('ours\none\ntwo\nnew\nlate\n');
  });

  it('is taken over when it was any other change', async () => {
    const outcome = await rewriteUnder('r+', async (old) => {
      await old.truncate();
      await old.write('theirs\n', 0);
    });
    expect(outcome).toEqual({ kind: 'written' });
    expect(await text()).toBe('ours\ntheirs\n');
  });

  it('is taken over as soon as it looks the same twice, and what took its place is watched as well', async () => {
    const times: number[] = [];
    const outcome = await rewriteUnder(
      'r+',
      async (old) => {
        times.push(performance.now());
        await old.truncate();
        await old.write('theirs\n', 0);
      },
      {
        looksMs: [0, 1, 2_000],
        async again(old) {
          times.push(performance.now());
          await old.write('again\n');
        },
      },
    );
    expect(outcome).toEqual({ kind: 'written' });
    expect(await text()).toBe('ours\ntheirs\nagain\n');
    const [edited = 0, takenOver = Number.POSITIVE_INFINITY] = times;
    expect(takenOver - edited).toBeLessThan(2_000);
  });

  it('is not taken over while it is only begun', async () => {
    expect(await rewriteUnder('r+', (old) => old.truncate())).toEqual({ kind: 'written' });
    expect(await text()).toBe('ours\none\ntwo\n');
  });

  it('is saved beside where the file was when it is gone', async () => {
    const outcome = await rewriteUnder('a', async (old) => {
      await rm(file);
      await old.write('late\n');
    });
    expect(outcome).toEqual({ kind: 'conflict', copy: 'a.md.conflict' });
    expect(await readFile(join(root, 'a.md.conflict'), 'utf8')).toBe('one\ntwo\nlate\n');
  });

  it('is saved beside the file when both were changed, each copy under a name of its own', async () => {
    for (const copy of ['a.md.conflict', 'a.md.conflict-2']) {
      await writeFile(file, 'one\ntwo\n');
      const outcome = await rewriteUnder('r+', async (old) => {
        await appendFile(file, 'new\n');
        await old.truncate();
        await old.write(`theirs in ${copy}\n`, 0);
      });
      expect(outcome).toEqual({ kind: 'conflict', copy });
      expect(await text()).toBe('ours\none\ntwo\nnew\n');
      expect(await readFile(join(root, copy), 'utf8')).toBe(`theirs in ${copy}\n`);
    }
  });
});

type LateEdit = (old: FileHandle) => Promise<unknown>;

/**
 * Rewrites the file, and edits it through a descriptor from before as soon as it was replaced, before anybody looks at it again; `again` does
 * the same to what took its place, when that is replaced too.
 */
async function rewriteUnder(
  flags: 'a' | 'r+',
  edit: LateEdit,
  { again, looksMs = [0, 1, 1] }: { readonly again?: LateEdit; readonly looksMs?: readonly number[] } = {},
): Promise<RewriteOutcome> {
  const handles = [await open(file, flags)];
  const edits = [edit, again];
  const editing = async <Result>(deed: () => Promise<Result>): Promise<Result> => {
    const result = await deed();
    const [late, old] = [edits.shift(), handles.at(-1)];
    if (edits[0]) handles.push(await open(file, 'a'));
    if (late && old) await late(old);
    return result;
  };
  try {
    return await rewriteFile({ root, file, change: withOurs, lateLooksMs: looksMs, onDisk: editing });
  } finally {
    for (const handle of handles) await handle.close();
  }
}
