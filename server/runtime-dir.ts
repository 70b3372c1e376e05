// Where the hub of a workspace has its sockets. Not beside server/workspace.ts: a door needs no hash, and loading one takes a fifth of its start.
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import path from 'node:path';
import type { Environment } from './config.ts';
import { realFolder } from './workspace.ts';

/** Longest folder that leaves room for the name of a socket: see the limit in storage/embedded/lock.ts. */
const RUNTIME_DIR_BYTES = 103 - '/0123456789ab.sock'.length;

/** Where the sockets of a workspace are: a folder of this user, short enough for a socket path. */
export function runtimeDirOf(workspace: string, environment: Pick<Environment, 'runtimeFolder' | 'temporaryFolder'>): string {
  const name = createHash('sha256').update(workspace).digest('hex').slice(0, 16);
  const own = `scopecraft-${process.getuid?.() ?? 'user'}`;
  const { runtimeFolder, temporaryFolder } = environment;
  const temporary = path.join(temporaryFolder, own, name);
  if (runtimeFolder !== undefined && isOwnFolder(runtimeFolder)) {
    const runtime = path.join(runtimeFolder, 'scopecraft', name);
    if (Buffer.byteLength(runtime) <= RUNTIME_DIR_BYTES) return runtime;
  }
  return Buffer.byteLength(temporary) <= RUNTIME_DIR_BYTES ? temporary : path.join('/tmp', own, name);
}

function isOwnFolder(folder: string): boolean {
  const real = realFolder(folder);
  return real !== undefined && (process.getuid === undefined || statSync(real).uid === process.getuid());
}
