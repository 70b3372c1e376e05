// Which workspace a process is about, as a table, and where its socket goes.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runtimeDirOf } from '../../server/runtime-dir.ts';
import { compareVersions } from '../../server/version.ts';
import { findWorkspace } from '../../server/workspace.ts';

let root = '';
const at = (place: string) => path.join(root, place);

beforeAll(() => {
  root = realpathSync(mkdtempSync(path.join(tmpdir(), 'sc-which-')));
  for (const folder of [
    'home/.tasks',
    'home/work/.tasks',
    'home/work/src/deep',
    'home/config/.scopecraft',
    'home/plain/sub',
    'home/repo/sub',
    'out/side/x',
  ])
    mkdirSync(at(folder), { recursive: true });
  writeFileSync(at('home/config/.scopecraft/config.json'), '{}');
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], { stdio: 'pipe' });
  git('init', '-q', at('home/repo'));
  writeFileSync(at('home/repo/sub/file'), '');
  git('-C', at('home/repo'), 'add', '.');
  git('-C', at('home/repo'), 'commit', '-qm', 'x');
  git('-C', at('home/repo'), 'worktree', 'add', '-q', at('home/linked'));
  git('-C', at('home/repo'), 'worktree', 'add', '-q', '-b', 'second', at('home/elsewhere/linked'));
  mkdirSync(at('home/linked/.tasks'));
  mkdirSync(at('home/linked/new'));
  git('clone', '-q', '--bare', at('home/repo'), at('home/bare.git'));
  git('-C', at('home/bare.git'), 'worktree', 'add', '-q', '-b', 'third', at('home/from-bare'));
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

test.each([
  ['the folder with .tasks', 'home/work', 'home/work'],
  ['the nearest one above', 'home/work/src/deep', 'home/work'],
  ['one with a config', 'home/config/.scopecraft', 'home/config'],
  ['this folder where nothing is marked', 'home/plain/sub', 'home/plain/sub'],
  ['the root of a git repository', 'home/repo/sub', 'home/repo'],
  ['the main worktree of a linked one', 'home/linked/sub', 'home/repo'],
  ['the main worktree, also with .tasks in the linked one', 'home/linked', 'home/repo'],
  ['the main worktree, for a folder only the linked one has', 'home/linked/new', 'home/repo'],
  ['the main worktree of one that lies deeper', 'home/elsewhere/linked/sub', 'home/repo'],
  ['a worktree of a bare repository itself', 'home/from-bare/sub', 'home/from-bare'],
  ['a folder outside $HOME', 'out/side/x', 'out/side/x'],
  ['none in $HOME, even with .tasks', 'home', undefined],
  ['none above $HOME', '.', undefined],
])('%s', (_what, cwd, expected) => {
  const found = findWorkspace({ environment: { home: at('home'), workspace: undefined }, cwd: at(cwd) });
  expect(found).toBe(expected === undefined ? undefined : at(expected));
});

test('there is none in /', () => {
  expect(findWorkspace({ environment: { home: at('home'), workspace: undefined }, cwd: '/' })).toBeUndefined();
});

test('what was said goes first: the flag, then the variable, also for $HOME; links are followed', () => {
  const environment = { home: at('home'), workspace: at('home') };
  expect(findWorkspace({ flag: '../plain', environment, cwd: at('home/work') })).toBe(at('home/plain'));
  expect(findWorkspace({ environment, cwd: at('home/work') })).toBe(at('home'));
  expect(findWorkspace({ flag: at('home/linked'), environment, cwd: '/' })).toBe(at('home/repo'));
});

test.each(['home/none', 'home/repo/sub/file'])('a named workspace that is no folder is an error with a sentence: %s', (place) => {
  const environment = { home: at('home'), workspace: at(place) };
  expect(() => findWorkspace({ environment, cwd: '/' })).toThrow(
    `There is no folder "${at(place)}", which SCOPECRAFT_WORKSPACE names as the workspace.`,
  );
  expect(() => findWorkspace({ flag: place, environment, cwd: root })).toThrow(
    `There is no folder "${place}", which --workspace names`,
  );
});

test('the socket goes to the runtime folder, else to the temporary one, and always fits', () => {
  const own = `scopecraft-${process.getuid?.()}`;
  const name = path.basename(runtimeDirOf(root, { runtimeFolder: root, temporaryFolder: '/tmp' }));
  expect(name).toMatch(/^[0-9a-f]{16}$/);
  expect(runtimeDirOf(root, { runtimeFolder: root, temporaryFolder: '/tmp' })).toBe(path.join(root, 'scopecraft', name));
  expect(runtimeDirOf(root, { runtimeFolder: '/no/such', temporaryFolder: root })).toBe(path.join(root, own, name));
  expect(runtimeDirOf(root, { runtimeFolder: undefined, temporaryFolder: `/${'long/'.repeat(20)}` })).toBe(
    path.join('/tmp', own, name),
  );
  expect(runtimeDirOf(at('home'), { runtimeFolder: root, temporaryFolder: '/tmp' })).not.toContain(name);
});

test('versions are compared by number, a pre-release before its release', () => {
  const ordered = ['0.9.0', '0.10.0-alpha.2', '0.10.0-alpha.10', '0.10.0-beta', '0.10.0', '0.10.1', '1.2.0', '1.10.0', '10.0.0'];
  const shuffled = [...ordered].reverse();
  expect(shuffled.sort(compareVersions)).toEqual(ordered);
  expect(compareVersions('v1.0.0+build', '1.0.0')).toBe(0);
});
