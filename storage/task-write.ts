// Writes sessions into the file of their task, as often as it takes while other programs change that file too.
import { basename } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { errnoOf } from './errno.ts';
import { type RewriteOptions, type RewriteOutcome, rewriteFile } from './file-rewrite.ts';
import { isText } from './inside.ts';
import { ProjectionError } from './projection-problem.ts';
import type { TaskFiles } from './task-files.ts';
import { type ProjectedSession, spliceBytes } from './task-splice.ts';

/** How often a file is tried while somebody else keeps changing it. */
const TRIES = 8;

export interface SessionsWrite extends Pick<RewriteOptions, 'lateLooksMs' | 'onDisk' | 'sync'> {
  readonly taskFiles: Pick<TaskFiles, 'root' | 'locate'>;
  readonly taskId: string;
  /** The sessions as they are now; asked anew for each try. */
  readonly sessions: () => readonly ProjectedSession[];
  /** Does the deed when no other one is under way on this file. */
  readonly inTurn: <Result>(file: string, deed: () => Promise<Result>) => Promise<Result>;
}

/** Resolves when the task file says so. Throws a ProjectionError, or what looking the task up throws. */
export async function writeSessions({ taskFiles, taskId, sessions, inTurn, ...writing }: SessionsWrite): Promise<void> {
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    // looked up each time: a task file may be moved to another folder at any moment
    const place = await taskFiles.locate(taskId);
    if (!place) throw new ProjectionError('missing');
    const { file } = place;
    const current = sessions();
    const outcome = await inTurn(file, () => rewriteOnce({ root: taskFiles.root, file, ...writing }, current));
    if (outcome.kind === 'protected') throw new ProjectionError(outcome.why);
    if (outcome.kind === 'conflict') throw new ProjectionError('conflict', basename(outcome.copy));
    if (outcome.kind !== 'again') return;
    await pause(attempt * 10);
  }
  throw new ProjectionError('busy');
}

async function rewriteOnce(
  options: Omit<RewriteOptions, 'change'>,
  sessions: readonly ProjectedSession[],
): Promise<RewriteOutcome> {
  const change = (bytes: Buffer): Buffer => {
    if (!isText(bytes)) throw new ProjectionError('not_text');
    const result = spliceBytes(bytes, sessions);
    if ('refused' in result) throw new ProjectionError(result.refused);
    return result.text;
  };
  try {
    return await rewriteFile({ ...options, change });
  } catch (error) {
    // gone between looking it up and opening it: the next look-up finds it elsewhere or missing
    if (errnoOf(error) === 'ENOENT') return { kind: 'again' };
    throw error;
  }
}
