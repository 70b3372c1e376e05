// What a hub that owns the workspace clears away of those before it.
import { readdirSync, rmSync } from 'node:fs';
import { lstat, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { reach } from './claim.ts';

/** Clears away what older hubs left: their claims, unfinished records, and what they were making when they were killed. */
export function prune(stateDir: string, epoch: number): void {
  for (const name of readdirSync(stateDir)) {
    const file = path.join(stateDir, name);
    const number = Number(/^(?:hub|start)\.(\d{1,15})(?:\.json|\.gone)?$/.exec(name)?.[1] ?? Number.NaN);
    const isLeft = /^\.(?:claim|gone|hub|index)\.|^\.ballast\..+\.tmp$|^hub\.failed$/.test(name);
    if (isLeft || number < epoch) rmSync(file, { recursive: true, force: true });
  }
}

/** Removes sockets nobody listens on; a contender that is alive answers on its own. */
export async function pruneSockets(runtimeDir: string, ours: string): Promise<void> {
  for (const name of await readdir(runtimeDir)) {
    const file = path.join(runtimeDir, name);
    if (file === ours || !/^[0-9a-f]{12}\.sock$/.test(name)) continue;
    if (!(await lstat(file).catch(() => undefined))?.isSocket()) continue;
    const reached = await reach(file);
    if (typeof reached !== 'string') reached.destroy();
    if (reached === 'ECONNREFUSED') await rm(file, { force: true });
  }
}
