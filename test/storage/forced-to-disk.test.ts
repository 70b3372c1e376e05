// What is promised is on disk: bytes are forced there before they take the place of a file, and names after they changed.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createAtomic, writeAtomic } from '../../storage/atomic-write.ts';
import { rewriteFile } from '../../storage/file-rewrite.ts';

/** What was asked of the system, in order. */
const deeds = vi.hoisted((): string[] => []);

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  const fsync: typeof real.fsync = Object.assign((fd: number, done: (error: NodeJS.ErrnoException | null) => void) => {
    deeds.push(`sync ${real.readlinkSync(`/proc/self/fd/${fd}`)}`);
    real.fsync(fd, done);
  }, real.fsync);
  return { ...real, fsync };
});

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const open: typeof real.open = async (file, flags, mode) => {
    const handle = await real.open(file, flags, mode);
    const sync = handle.sync.bind(handle);
    handle.sync = () => {
      deeds.push(`sync ${String(file)}`);
      return sync();
    };
    return handle;
  };
  const rename: typeof real.rename = (from, to) => {
    deeds.push(`rename to ${String(to)}`);
    return real.rename(from, to);
  };
  const link: typeof real.link = (from, to) => {
    deeds.push(`link to ${String(to)}`);
    return real.link(from, to);
  };
  return { ...real, open, rename, link };
});

let folder = '';
let file = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sc-forced-'));
  file = path.join(folder, 'a');
  deeds.length = 0;
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The deeds, with paths as seen from the folder, and temporary names as one. */
const told = () => deeds.map((deed) => deed.replace(folder, '.').replace(/\.a\.[-0-9a-f]+\.tmp/, 'temporary'));

// only Linux tells which file a descriptor is of
it.runIf(process.platform === 'linux')(
  'a file is replaced only by bytes that are on disk, and then its new name is',
  async () => {
    await writeAtomic(file, 'new');
    expect(told()).toEqual(['sync ./temporary', 'rename to ./a', 'sync .']);
  },
);

it.runIf(process.platform === 'linux')('a new file is made of bytes that are on disk, and then its name is', async () => {
  await createAtomic(file, 'new');
  expect(told()).toEqual(['sync ./temporary', 'link to ./a', 'sync .']);
});

it.runIf(process.platform === 'linux')('a task file, too', async () => {
  writeFileSync(file, 'old');
  const outcome = await rewriteFile({
    root: folder,
    file,
    change: () => Buffer.from('new'),
    lateLooksMs: [],
    onDisk: (deed) => deed(),
  });
  expect(outcome).toEqual({ kind: 'written' });
  expect(told()).toEqual(['sync ./temporary', 'rename to ./a', 'sync .']);
});
