// The environment each session was started with, in a file of its own that only the owner can read; kept for retries and restarts.
import { mkdir, open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { Environments } from '../core/ports.ts';

const Kept = z.record(z.string(), z.string());

export function createEnvironments(stateDir: string): Environments {
  const fileOf = (sessionId: string) => path.join(stateDir, 'sessions', sessionId, 'environment.json');
  return {
    async keep(sessionId, env) {
      const file = fileOf(sessionId);
      await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
      const handle = await open(file, 'wx', 0o600);
      try {
        await handle.writeFile(JSON.stringify(env));
        await handle.datasync();
      } finally {
        await handle.close();
      }
    },
    async find(sessionId) {
      const text = await readFile(fileOf(sessionId), 'utf8').catch(() => undefined);
      return text === undefined ? undefined : Kept.parse(JSON.parse(text));
    },
  };
}
