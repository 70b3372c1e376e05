// The environment each session was started with, in a file of its own that only the owner can read; kept for retries and restarts.
//
// Sessions that were started from one place have the same. Such a file is another name of the one that was forced to disk before, so that many
// starts at once wait for the disk once; and all are in one folder, since a name costs next to nothing and a folder a third of a start. No file
// is ever written again, and it lives as long as one of its names.
import { linkSync, mkdirSync, readFileSync } from 'node:fs';
import { open, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { Environments } from '../core/ports.ts';
import { errnoOf } from './errno.ts';

const Kept = z.record(z.string(), z.string());
/** So many different ones are remembered. */
const MOST_REMEMBERED = 8;

interface Written {
  readonly file: string;
  readonly done: Promise<void>;
}

export function createEnvironments(stateDir: string): Environments {
  const folder = path.join(stateDir, 'environments');
  const fileOf = (sessionId: string) => path.join(folder, `${sessionId}.json`);
  /** Text → the file that holds it, and when that is on disk. */
  const written = new Map<string, Written>();

  const writeAnew = async (file: string, text: string): Promise<void> => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const writing = { file, done: write(file, text) };
    written.delete(text);
    written.set(text, writing);
    const [oldest] = written.keys();
    if (oldest !== undefined && written.size > MOST_REMEMBERED) written.delete(oldest);
    try {
      await writing.done;
    } catch (error) {
      if (written.get(text) === writing) written.delete(text);
      throw error;
    }
  };

  return {
    async keep(sessionId, env) {
      const file = fileOf(sessionId);
      const text = JSON.stringify(env);
      if (!(await isLinked(written.get(text), file))) await writeAnew(file, text);
    },
    async find(sessionId) {
      const text = textOf(fileOf(sessionId));
      return text === undefined ? undefined : Kept.parse(JSON.parse(text));
    },
    async forget(sessionIds) {
      const files = sessionIds.map(fileOf).filter((file) => path.dirname(file) === folder);
      // another session may get the name
      for (const [text, { file }] of written) if (files.includes(file)) written.delete(text);
      for (const file of files) await rm(file, { force: true });
    },
    async kept() {
      const names = await readdir(folder).catch((error: unknown) => (errnoOf(error) === 'ENOENT' ? [] : Promise.reject(error)));
      return names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -'.json'.length));
    },
  };
}

/** Undefined when it cannot be read. */
function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** Resolves when the file is on disk. One that does not get there is removed. */
async function write(file: string, text: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.datasync();
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

/** False when it must be written: there is none yet, it was cleaned up, or this disk gives no second names. */
async function isLinked(written: Written | undefined, file: string): Promise<boolean> {
  const isThere = await written?.done.then(
    () => true,
    () => false,
  );
  if (!written || !isThere) return false;
  try {
    linkSync(written.file, file);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') throw error;
    return false;
  }
}
