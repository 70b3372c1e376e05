// What is kept of the environments sessions were started with, and by whom it can be read.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Environments } from '../../core/ports.ts';
import { createEnvironments } from '../../storage/environments.ts';

let stateDir = '';
let environments: Environments;
beforeEach(async () => {
  stateDir = await mkdtemp(path.join(tmpdir(), 'sc-environments-'));
  environments = createEnvironments(stateDir);
});
afterEach(() => rm(stateDir, { recursive: true, force: true }));

const fileOf = (id: string) => path.join(stateDir, 'environments', `${id}.json`);
const numberOf = async (id: string) => (await stat(fileOf(id))).ino;

it('what was kept is found by the next hub too, and readable by the owner alone', async () => {
  await environments.keep('a', { KEY: 'value' });
  expect(await createEnvironments(stateDir).find('a')).toEqual({ KEY: 'value' });
  expect((await stat(fileOf('a'))).mode & 0o777).toBe(0o600);
  expect(await environments.find('b')).toBeUndefined();
});

it('the same one is written once, also by many at once, and a different one is a file of its own', async () => {
  const ids = ['a', 'b', 'c', 'd'];
  await Promise.all(ids.map((id) => environments.keep(id, { KEY: 'value' })));
  await environments.keep('other', { KEY: 'another value' });
  await environments.keep('later', { KEY: 'value' });
  for (const id of [...ids, 'later']) expect(await environments.find(id)).toEqual({ KEY: 'value' });
  expect(await environments.find('other')).toEqual({ KEY: 'another value' });
  expect(await numberOf('later')).toBe(await numberOf('d'));
  expect(await numberOf('other')).not.toBe(await numberOf('a'));
});

it('it outlives the session that had it first, and is written anew when nobody has it any more', async () => {
  await environments.keep('first', { KEY: 'value' });
  await environments.keep('second', { KEY: 'value' });
  await environments.forget(['first', 'never-there', '../other/x']);
  expect(await environments.find('first')).toBeUndefined();
  expect(await environments.find('second')).toEqual({ KEY: 'value' });
  await environments.keep('third', { KEY: 'value' });
  expect(JSON.parse(await readFile(fileOf('third'), 'utf8'))).toEqual({ KEY: 'value' });
});

it('that of a session is never replaced', async () => {
  await environments.keep('a', { KEY: 'value' });
  await expect(environments.keep('a', { KEY: 'value' })).rejects.toMatchObject({ code: 'EEXIST' });
  const refused = environments.keep('a', { KEY: 'other' });
  const beside = environments.keep('b', { KEY: 'other' });
  await expect(refused).rejects.toMatchObject({ code: 'EEXIST' });
  await beside;
  expect(await environments.find('a')).toEqual({ KEY: 'value' });
  expect(await environments.find('b')).toEqual({ KEY: 'other' });
});

it('the file of one that is gone is not taken for its environment when another session has its name', async () => {
  await environments.keep('first', { KEY: 'value' });
  await environments.forget(['first']);
  await environments.keep('first', { KEY: 'other' });
  await environments.keep('second', { KEY: 'value' });
  expect(await environments.find('second')).toEqual({ KEY: 'value' });
});

it('one that could not be written leaves nothing behind', async () => {
  const module = JSON.stringify(fileURLToPath(new URL('../../storage/environments.ts', import.meta.url)));
  const script = path.join(stateDir, 'script.mts');
  await writeFile(
    script,
    `const { createEnvironments } = await import(${module});
     const environments = createEnvironments(${JSON.stringify(stateDir)});
     const env = { KEY: 'x'.repeat(4 << 20) };
     console.log(await environments.keep('a', env).then(() => 'kept', (error) => error.code), ...(await environments.kept()));`,
  );
  // a file that grows past the limit of the process is cut as on a full disk
  const limited = `trap '' XFSZ; ulimit -f 4096; exec "$0" --import tsx "$1"`;
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', limited, process.execPath, script]);
  expect(stdout).toBe('EFBIG\n');
});

it('it is known of which sessions something was kept', async () => {
  expect(await environments.kept()).toEqual([]);
  await environments.keep('a', { KEY: 'value' });
  await environments.keep('b.c', { KEY: 'value' });
  expect((await environments.kept()).toSorted()).toEqual(['a', 'b.c']);
});
