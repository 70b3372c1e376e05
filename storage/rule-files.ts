// The rule files of a workspace: `.scopecraft/prompts/*.md`, a person's own, meant to be committed.
import { mkdir, readdir, realpath, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, ScopecraftError } from '../core/errors.ts';
import type { RuleFiles } from '../core/rule-ports.ts';
import { writeAtomic } from './atomic-write.ts';
import { errnoOf } from './errno.ts';
import { isInside, isText, openInside } from './inside.ts';

const FOLDER = '.scopecraft/prompts';
const MODE = 0o644;

/** The rule files below the workspace, a real path. */
export function createRuleFiles(workspace: string): RuleFiles {
  const folder = join(workspace, ...FOLDER.split('/'));
  return {
    folder: FOLDER,
    async list() {
      const names = await readdir(folder).catch(() => []);
      const rules = names.filter((name) => name.endsWith('.md') && !/^[._]/.test(name)).sort();
      const stats = await Promise.all(rules.map((name) => stat(join(folder, name)).catch(() => undefined)));
      return rules.flatMap((name, at) => {
        const found = stats[at];
        return found ? [{ name, stamp: `${found.ino}:${found.size}:${found.mtimeMs}:${found.ctimeMs}` }] : [];
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
        if (error instanceof ScopecraftError && error.code === 'RULE_INVALID') throw error;
        const why = error instanceof ScopecraftError ? error.message : `it cannot be read: ${errnoOf(error) ?? 'unknown error'}`;
        return fail('RULE_INVALID', error instanceof ScopecraftError ? why : `The file is not taken: ${why}.`, { file });
      }
    },
    async write(name, text) {
      await mkdir(folder, { recursive: true });
      await checkFolder(workspace, folder);
      await writeAtomic(join(folder, name), text, MODE);
    },
    async remove(name) {
      await checkFolder(workspace, folder);
      await rm(join(folder, name), { force: true });
    },
  };
}

/** Fails with PATH_OUTSIDE when the folder leads out of the workspace. */
async function checkFolder(workspace: string, folder: string): Promise<void> {
  const real = await realpath(folder).catch(() => folder);
  if (!isInside(await realpath(workspace), real)) fail('PATH_OUTSIDE', `"${FOLDER}" leads out of the workspace.`);
}
