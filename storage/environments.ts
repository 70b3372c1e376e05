// The environment each session was started with, in a file of its own that only the owner can read; kept for retries and restarts.
//
// Sessions that were started from one place have the same. Such a file is another name of the one that was forced to disk before, so that many
// starts at once wait for the disk once; and all are in one folder, since a name costs next to nothing and a folder a third of a start. No file
// is ever written again, and it lives as long as one of its names.
import { linkSync, mkdirSync, readFileSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { Environments } from '../core/ports.ts';
import { errnoOf } from './errno.ts';

const Kept = z.record(z.string(), z.string());
/** So many different ones are remembered. */
const MOST_REMEMBERED = 8;

export function createEnvironments(stateDir: string): Environments {
  const folder = path.join(stateDir, 'environments');
  const fileOf = (sessionId: string) => path.join(folder, `${sessionId}.json`);
  /** Text → the file that holds it, once it is on disk. */
  const written = new Map<string, Promise<string>>();

  const writeAnew = async (file: string, text: string): Promise<void> => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const writing = write(file, text);
    written.delete(text);
    written.set(text, writing);
    const [oldest] = written.keys();
    if (oldest !== undefined && written.size > MOST_REMEMBERED) written.delete(oldest);
    try {
      await writing;
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
      for (const file of sessionIds.map(fileOf)) if (path.dirname(file) === folder) await rm(file, { force: true });
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

/** Resolves with the file when it is on disk. */
async function write(file: string, text: string): Promise<string> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.datasync();
  } finally {
    await handle.close();
  }
  return file;
}

/** False when it must be written: there is none yet, it was cleaned up, or this disk gives no second names. */
async function isLinked(written: Promise<string> | undefined, file: string): Promise<boolean> {
  if (!written) return false;
  try {
    linkSync(await written, file);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') throw error;
    return false;
  }
}
