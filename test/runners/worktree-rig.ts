// A repository with worktrees of sessions, and what tests look at in it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { Config } from '../../core/config.ts';
import type { Worktrees } from '../../core/git-ports.ts';
import { createGit } from '../../runners/git.ts';
import { createWorktrees } from '../../runners/worktrees.ts';
import { endAllMarked } from '../support/processes.ts';
import { type Environment, PROJECT } from '../support/project.ts';
import { makeRepository, type TestRepository } from '../support/repository.ts';

export interface WorktreeRig {
  readonly repository: TestRepository;
  readonly worktrees: Worktrees;
  /** May be changed by the test. */
  settings: Config['worktrees'];
  readonly stateDir: string;
  /** As another hub sees it: of another workspace, or with another environment. */
  worktreesOf(workspace?: string, env?: Environment): Worktrees;
  /** Another hub, a process of its own that opens these and ends; it may be killed. */
  openElsewhere(...sessionIds: readonly string[]): OtherHub;
  folderOf(sessionId: string): string;
  head(folder?: string): Promise<string>;
  branches(): Promise<string[]>;
  /** Folders that git has on record, without the workspace. */
  recorded(): Promise<string[]>;
  close(): Promise<void>;
}

export interface OtherHub {
  readonly ended: Promise<{ readonly code: unknown; readonly stderr: string }>;
  kill(): Promise<void>;
}

const OPENER = path.join(PROJECT, 'test', 'runners', 'worktree-opener.ts');

export async function openWorktreeRig(): Promise<WorktreeRig> {
  const repository = await makeRepository();
  const stateDir = path.join(repository.root, 'state');
  const worktreesOf = (workspace = repository.path, env = repository.env) =>
    createWorktrees({
      workspace,
      stateDir,
      git: createGit(env),
      settings: () => rig.settings,
      environmentOf: async (sessionId) => ({ ...repository.env, OF_SESSION: sessionId }),
    });
  const rig: WorktreeRig = {
    repository,
    worktrees: worktreesOf(),
    settings: Config.parse({}).worktrees,
    stateDir,
    worktreesOf,
    openElsewhere(...sessionIds) {
      const words = ['--import', 'tsx', OPENER, repository.path, stateDir, JSON.stringify(rig.settings), ...sessionIds];
      const child = spawn(process.execPath, words, { cwd: PROJECT, env: repository.env, stdio: ['ignore', 'ignore', 'pipe'] });
      let stderr = '';
      child.stderr.setEncoding('utf8').on('data', (part: string) => {
        stderr += part;
      });
      // not its close: what it started may hold the pipe
      const ended = once(child, 'exit').then(([code]: unknown[]) => ({ code, stderr }));
      return {
        ended,
        async kill() {
          child.kill('SIGKILL');
          await ended;
          child.stderr.destroy();
        },
      };
    },
    folderOf: (sessionId) => path.join(repository.path, '.scopecraft', 'worktrees', sessionId),
    head: (folder = repository.path) => repository.gitIn(folder, 'rev-parse', 'HEAD'),
    branches: async () => (await repository.git('for-each-ref', '--format=%(refname:short)', 'refs/heads')).split('\n'),
    async recorded() {
      const listed = await repository.git('worktree', 'list', '--porcelain');
      return [...listed.matchAll(/^worktree (.+)$/gm)]
        .map(([, place = '']) => place)
        .filter((place) => place !== repository.path);
    },
    async close() {
      await endAllMarked(repository.root);
      await repository.close();
    },
  };
  return rig;
}

export async function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

export const textOf = (...file: string[]) => readFile(path.join(...file), 'utf8');
