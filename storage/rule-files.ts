// The rule files of a workspace: `.scopecraft/prompts/*.md` and `*.json`, a person's own, meant to be committed.
import { readdirSync, statSync } from 'node:fs';
import { mkdir, realpath, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fail, ScopecraftError } from '../core/errors.ts';
import type { RuleFiles } from '../core/rule-ports.ts';
import { sync, writeAtomic } from './atomic-write.ts';
import { errnoOf } from './errno.ts';
import { isInside, isText, openInside, targetStats } from './inside.ts';

const FOLDER = '.scopecraft/prompts';
const MODE = 0o644;
/** Faults of the machine, not of the file: the next look may find it well. */
const PASSING: readonly (string | undefined)[] = ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EIO'];

/** The rule files below the workspace, a real path. */
export function createRuleFiles(workspace: string): RuleFiles {
  const folder = join(workspace, ...FOLDER.split('/'));
  return {
    folder: FOLDER,
    async list() {
      const rules = namesIn(folder).filter((name) => /\.(?:md|json)$/.test(name) && !/^[._]/.test(name));
      return rules.sort().map((name) => {
        const found = targetStats(join(folder, name));
        // a link to nowhere is told of too, when it is read
        return { name, stamp: found ? `${found.ino}:${found.size}:${found.mtimeMs}:${found.ctimeMs}` : 'unknown' };
      });
    },
    async read(name, most) {
      const file = join(folder, name);
      try {
        const root = await realpath(workspace);
        const opened = openInside(root, join(root, ...FOLDER.split('/'), name), 'follow');
        try {
          // looked at before it is read: a large file is not worth its reading
          const { size } = opened.stats;
          if (size > most) fail('RULE_INVALID', `The file has ${size} bytes; a rule has at most ${most}.`);
          const bytes = opened.read(most);
          if (!isText(bytes)) fail('RULE_INVALID', 'The file is no text.');
          return bytes.toString('utf8');
        } finally {
          opened.close();
        }
      } catch (error) {
        if (error instanceof ScopecraftError) return fail('RULE_INVALID', error.message, { file });
        const code = errnoOf(error);
        return fail(
          PASSING.includes(code) ? 'STORAGE_FAILED' : 'RULE_INVALID',
          `The file is not taken: it cannot be read: ${code ?? 'unknown error'}.`,
          { file },
        );
      }
    },
    async write(name, text) {
      await checkFolder(workspace, folder);
      await orStorageFailed(name, () => mkdir(folder, { recursive: true }));
      await writeAtomic(join(folder, name), text, MODE);
    },
    async remove(name) {
      await checkFolder(workspace, folder);
      await orStorageFailed(name, async () => {
        await rm(join(folder, name), { force: true });
        await sync(folder);
      });
    },
  };
}

/** Each start looks at the folder, so without a pass through the pool of threads, which would cost many times the look. */
function namesIn(folder: string): string[] {
  try {
    // asking is cheaper than failing
    return statSync(folder, { throwIfNoEntry: false }) ? readdirSync(folder) : [];
  } catch (error) {
    return errnoOf(error) === 'ENOENT' ? [] : fail('STORAGE_FAILED', `"${FOLDER}" cannot be read: ${errnoOf(error)}.`);
  }
}

/** Fails with PATH_OUTSIDE when the folder, or as much of its path as there is, leads out of the workspace. */
async function checkFolder(workspace: string, folder: string): Promise<void> {
  const real = await realpath(folder).catch(() => undefined);
  if (real === undefined) return folder === workspace ? undefined : checkFolder(workspace, dirname(folder));
  if (!isInside(await realpath(workspace), real)) fail('PATH_OUTSIDE', `"${FOLDER}" leads out of the workspace.`);
}

async function orStorageFailed(name: string, deed: () => Promise<unknown>): Promise<void> {
  try {
    await deed();
  } catch (error) {
    fail('STORAGE_FAILED', `"${FOLDER}/${name}" could not be changed: ${errnoOf(error) ?? 'unknown error'}.`);
  }
}
