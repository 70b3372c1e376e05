// The port `Worktrees`: each session that wants one gets a git worktree of its own in `<workspace>/.scopecraft/worktrees/<session id>`.
//
// Always the same path for the same session, because an agent's transcript is found by its working folder. What changes the repository is done one
// deed after the other; where another process holds one of git's locks, it is tried again. The user's `post-checkout` hook runs when a worktree is
// made, as it does for `git worktree add` by hand; no other hook does.
//
// Git is called by argv and not through channelcoder's `worktreeUtils`, because there a fault cannot be told from an answer: `list`, `find` and
// `exists` say "there is none" when git fails (a removal decided by that would lose work), print the failure on standard output, and see nothing from
// a subfolder of the repository; `create` takes no commit to start from; and all of them, `remove` too, take the environment of this process and can
// neither be stopped nor end by themselves when git hangs. Measured with 3.0.2.
import { lstat, mkdir, realpath, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../core/config.ts';
import { fail, ScopecraftError } from '../core/errors.ts';
import type { FoundWorktree, Worktree, Worktrees } from '../core/git-ports.ts';
import { oneAfterTheOther } from '../core/in-turn.ts';
import { endMarked } from './end-marked.ts';
import { complaintOf, type RunGit } from './git.ts';
import { checkBranchName, refsBelow, repositoryOf, tipOf, worktreeRecords } from './git-repository.ts';
import { errnoOf, placeOf, RUN_MARK } from './process.ts';
import { copyFiles, isAsCopied } from './worktree-copy.ts';
import { baseOf, changing, discard, headOf, makeWorktree, refuseTaken } from './worktree-make.ts';
import { isCheckout, readNote, writeNote } from './worktree-record.ts';
import { setUp } from './worktree-setup.ts';
import { OWN_PREFIX, ownCommits, unsavedWork } from './worktree-work.ts';

export interface WorktreesOptions {
  /** Absolute real path. */
  readonly workspace: string;
  readonly stateDir: string;
  readonly git: RunGit;
  readonly settings: () => Config['worktrees'];
  /** What the set-up commands of a session get. */
  readonly environmentOf: (sessionId: string) => Promise<Readonly<Record<string, string>> | undefined>;
}

type Want = Parameters<Worktrees['open']>[0];
type Opened = Worktree & { readonly isNew: boolean; readonly isNewBranch: boolean };

const REMOVE_MS = 5 * 60_000;

/** The worktrees of one workspace. */
export function createWorktrees(options: WorktreesOptions): Worktrees {
  const { workspace, stateDir, git, settings } = options;
  const home = path.join(workspace, '.scopecraft', 'worktrees');
  const place = placeOf(workspace);
  const inTurn = oneAfterTheOther();
  const opening = new Map<string, Promise<Worktree>>();
  const markOf = (sessionId: string) => `${place}/${sessionId}/worktree`;
  const folderOf = (sessionId: string) => {
    const folder = path.join(home, sessionId);
    return path.dirname(folder) === home ? folder : fail('WORKTREE_FAILED', `"${sessionId}" is no id of a session.`);
  };

  async function open(want: Want): Promise<Worktree> {
    const { prefix } = await repositoryOf(git, workspace);
    const opened = await inTurn(() => findOrMake(want));
    const { isNew, isNewBranch, ...worktree } = opened;
    try {
      await makeReady(want, opened, path.join(worktree.path, prefix));
    } catch (error) {
      // nobody knows of it yet, so nobody would remove it
      if (isNew) await inTurn(() => takeBack(opened));
      throw error;
    }
    return worktree;
  }

  async function expectPossible(branch?: string): Promise<void> {
    await repositoryOf(git, workspace);
    if (branch === undefined) return void (await headOf(git, workspace));
    const records = await worktreeRecords(git, workspace);
    // those of other sessions may be gone when its turn comes
    const record = records.find((one) => one.branch === branch && path.dirname(one.path) !== home);
    if (record) refuseTaken(branch, record);
  }

  async function findOrMake({ sessionId, branch: asked, known, signal }: Want): Promise<Opened> {
    if (signal?.aborted) fail('CANCELLED', 'The session was stopped before its worktree was made.');
    const folder = folderOf(sessionId);
    const branch = known?.branch ?? asked ?? `${OWN_PREFIX}${sessionId}`;
    await checkBranchName(git, workspace, branch);
    await prepareHome(home);
    const { records, own } = await recordsWith(folder);
    if (own?.isUnfinished) {
      await endMarked(markOf(sessionId));
      await discard(git, workspace, folder);
    } else if (own && (await isCheckout(folder))) {
      const note = await readNote(folder);
      const was = note?.branch ?? own.branch;
      if (!known && was !== branch)
        fail('WORKTREE_FAILED', `${folder} is a worktree already, of ${was ? `the branch "${was}"` : 'no branch'}.`);
      const base = known?.base ?? note?.base ?? (await baseOf(git, workspace, branch));
      return { path: folder, branch, base, isNew: false, isNewBranch: false };
      // only this record is taken away: others may be of a disk that is not mounted now
    } else if (own) await changing(git, workspace, ['worktree', 'remove', '--force', '--', folder]);
    const call = { signal, env: { [RUN_MARK]: markOf(sessionId) } };
    const isAsked = asked !== undefined;
    const made = await makeWorktree(git, { workspace, folder, branch, isAsked, isKnown: known !== undefined, records, call });
    const base = known?.base ?? made.base;
    await writeNote(folder, { branch, base, copied: {}, isSetUp: false });
    return { path: folder, branch, base, isNew: true, isNewBranch: made.isNewBranch };
  }

  /** All that git has on record, and its record of the folder, also after the workspace was moved. */
  async function recordsWith(folder: string) {
    const look = async () => {
      const records = await worktreeRecords(git, workspace);
      return { records, own: records.find((record) => record.path === folder) };
    };
    const found = await look();
    if (found.own || !(await lstat(path.join(folder, '.git')).catch(() => undefined))) return found;
    await changing(git, workspace, ['worktree', 'repair', '--', folder]);
    return look();
  }

  async function makeReady(
    { sessionId, signal }: Want,
    { path: folder, branch, base, isNew }: Opened,
    at: string,
  ): Promise<void> {
    const note = (await readNote(folder)) ?? { branch, base, copied: {}, isSetUp: false };
    if (note.isSetUp) return;
    const mark = markOf(sessionId);
    // a hub that was killed while it set this up has left its commands running
    if (!isNew) await endMarked(mark);
    const { copy, setup, setupTimeoutMs } = settings();
    await mkdir(at, { recursive: true });
    const fresh = Object.entries(await copyFiles(workspace, at, copy));
    const copied = Object.fromEntries(fresh.map(([name, hash]) => [path.relative(folder, path.join(at, name)), hash]));
    const kept = { ...note, copied: { ...note.copied, ...copied } };
    await writeNote(folder, kept);
    await setUp({
      commands: setup,
      folder: at,
      env: { ...(await options.environmentOf(sessionId)), SCOPECRAFT_SESSION: sessionId, SCOPECRAFT_WORKSPACE: workspace },
      mark,
      log: path.join(stateDir, 'sessions', sessionId, 'setup.log'),
      limitMs: setupTimeoutMs,
      signal,
    });
    await writeNote(folder, { ...kept, isSetUp: true });
  }

  async function takeBack({ path: folder, branch, base, isNewBranch }: Opened): Promise<void> {
    await discard(git, workspace, folder);
    if (isNewBranch && (await tipOf(git, workspace, branch)) === base)
      await changing(git, workspace, ['branch', '-D', '--', branch]);
  }

  async function removeFolder(worktree: Worktree, force: boolean): Promise<string | undefined> {
    const { path: folder } = worktree;
    if (!force) {
      const unsaved = await unsavedWork(git, workspace, worktree);
      if (unsaved !== undefined) return `${unsaved}.`;
      // git would take them for work
      const { copied = {} } = (await readNote(folder)) ?? {};
      for (const [name, hash] of Object.entries(copied))
        if (await isAsCopied(folder, name, hash)) await rm(path.join(folder, name), { force: true });
    }
    if (!(await recordsWith(folder)).own)
      return (await lstat(folder).catch(() => undefined)) && `${folder} is no worktree of this repository.`;
    const words = ['worktree', 'remove', ...(force ? ['--force'] : []), '--', folder];
    const answer = await changing(git, workspace, words, { limitMs: REMOVE_MS });
    return answer.code === 0 ? undefined : `git refuses: ${complaintOf(answer)}.`;
  }

  async function removeBranch({ branch, base }: Worktree): Promise<void> {
    const isTaken = (await worktreeRecords(git, workspace)).some((record) => record.branch === branch);
    if (isTaken || !branch.startsWith(OWN_PREFIX) || (await tipOf(git, workspace, branch)) === undefined) return;
    if ((await ownCommits(git, workspace, { branch, base })) === 0)
      await changing(git, workspace, ['branch', '-D', '--', branch]);
  }

  async function list(): Promise<readonly FoundWorktree[]> {
    if (!(await hasRepository(git, workspace))) return [];
    const records = (await worktreeRecords(git, workspace)).filter((record) => path.dirname(record.path) === home);
    const found = records.map(async (record): Promise<FoundWorktree> => {
      const note = await readNote(record.path);
      const branch = note?.branch ?? record.branch ?? '';
      const base = note?.base ?? (await baseOf(git, workspace, branch));
      return { sessionId: path.basename(record.path), path: record.path, branch, base, isThere: await isCheckout(record.path) };
    });
    const there = await Promise.all(found);
    const left = (await refsBelow(git, workspace, `refs/heads/${OWN_PREFIX}`))
      .map((ref) => ref.slice('refs/heads/'.length))
      .filter((branch) => branch.split('/').length === 2 && !there.some((worktree) => worktree.branch === branch))
      .map(async (branch) => {
        const sessionId = branch.slice(OWN_PREFIX.length);
        return { sessionId, path: folderOf(sessionId), branch, base: await baseOf(git, workspace, branch), isThere: false };
      });
    return [...there, ...(await Promise.all(left))].toSorted((a, b) => (a.sessionId < b.sessionId ? -1 : 1));
  }

  return {
    expectPossible,
    open(want) {
      const underway = opening.get(want.sessionId);
      if (underway) return underway;
      const opened = open(want).finally(() => opening.delete(want.sessionId));
      opening.set(want.sessionId, opened);
      return opened;
    },

    async folder(worktree, folder) {
      const { prefix } = await repositoryOf(git, workspace);
      const below = path.relative(workspace, folder);
      const wanted = path.join(worktree.path, prefix, below);
      await mkdir(wanted, { recursive: true });
      const [root, real] = [await realpath(worktree.path), await realpath(wanted)];
      if (below.startsWith('..') || !(real === root || real.startsWith(`${root}${path.sep}`)))
        fail('WORKTREE_FAILED', `"${folder}" has no place in the worktree ${worktree.path}.`);
      return real;
    },

    list,
    unsaved: async (worktree) => {
      const unsaved = await unsavedWork(git, workspace, worktree);
      return unsaved && `${unsaved}.`;
    },
    remove: (worktree, { force, keepBranch = false }) =>
      inTurn(async () => {
        folderOf(path.relative(home, worktree.path));
        const reason = await removeFolder(worktree, force);
        if (reason === undefined && !keepBranch) await removeBranch(worktree);
        return reason;
      }),
  };
}

/** Makes the folder of all worktrees, unseen by git. Fails with WORKTREE_FAILED where something else stands there. */
async function prepareHome(home: string): Promise<void> {
  try {
    await mkdir(home, { recursive: true });
    if ((await realpath(home)) !== home) fail('WORKTREE_FAILED', `${home} is a link to another place; it must be a real folder.`);
    await writeFile(path.join(home, '.gitignore'), '*\n', { flag: 'wx' }).catch((error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error;
    });
  } catch (error) {
    if (error instanceof ScopecraftError) throw error;
    fail('WORKTREE_FAILED', `The folder ${home} could not be made (${errnoOf(error) ?? 'unknown error'}).`);
  }
}

async function hasRepository(git: RunGit, workspace: string): Promise<boolean> {
  const answer = await git(workspace, ['rev-parse', '--is-inside-work-tree']);
  return answer.code === 0 && answer.out.toString().trim() === 'true';
}
