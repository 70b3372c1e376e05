// A real git repository in a temporary folder, with a user of its own, and what tests do in it.
import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { createGit, type RunGit } from '../../runners/git.ts';
import { type Environment, makeRoot } from './project.ts';

export interface TestRepository {
  /** Folder of everything. */
  readonly root: string;
  /** The checkout. */
  readonly path: string;
  readonly env: Environment;
  /** Git as the product runs it. */
  readonly run: RunGit;
  /** Runs git in the checkout, or in another folder, and answers what it printed. */
  git(...args: readonly string[]): Promise<string>;
  gitIn(folder: string, ...args: readonly string[]): Promise<string>;
  /** Writes a file by path from the checkout, or an absolute one. */
  write(file: string, text: string): Promise<void>;
  /** Writes the file and commits all there is. */
  commit(file: string, text: string, folder?: string): Promise<void>;
  close(): Promise<void>;
}

/** A new repository on branch `main`, with one commit unless told otherwise. */
export async function makeRepository({ isEmpty = false } = {}): Promise<TestRepository> {
  const root = await makeRoot();
  const home = path.join(root, 'home');
  const checkout = path.join(root, 'w');
  await mkdir(home);
  await mkdir(checkout);
  const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: home, TMPDIR: root };
  await writeFile(
    path.join(home, '.gitconfig'),
    '[user]\n\tname = Test\n\temail = test@example.invalid\n[init]\n\tdefaultBranch = main\n',
  );
  const gitIn = async (folder: string, ...args: readonly string[]) =>
    (await promisify(execFile)('git', [...args], { cwd: folder, env: { ...env, GIT_CONFIG_NOSYSTEM: '1' } })).stdout.trim();
  const git = (...args: readonly string[]) => gitIn(checkout, ...args);
  const write = async (file: string, text: string) => {
    const target = path.resolve(checkout, file);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, text);
  };
  const commit = async (file: string, text: string, folder = checkout) => {
    await write(path.resolve(folder, file), text);
    await gitIn(folder, 'add', '--all');
    await gitIn(folder, 'commit', '--quiet', '--message', `Write ${file}`);
  };
  await git('init', '--quiet');
  if (!isEmpty) await commit('start.txt', 'one\ntwo\nthree\n');
  return {
    root,
    path: checkout,
    env,
    run: createGit(env),
    git,
    gitIn,
    write,
    commit,
    close: () => rm(root, { recursive: true, force: true }),
  };
}
