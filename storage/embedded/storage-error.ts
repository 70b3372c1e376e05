// What a failed write is for a caller: a full disk, which passes, or anything else.
import { ScopecraftError } from '../../core/errors.ts';
import { errnoOf } from '../errno.ts';

const FULL: readonly string[] = ['ENOSPC', 'EDQUOT'];

/** True when the system refused a write because there is no space left. */
export function isFull(error: unknown): boolean {
  return FULL.includes(errnoOf(error) ?? '') || (error instanceof ScopecraftError && error.code === 'STORAGE_FULL');
}

/** The failure to write a file of the state, with a code of the table. */
export function storageError(error: unknown, file: string): ScopecraftError {
  if (error instanceof ScopecraftError) return error;
  const code = errnoOf(error);
  if (isFull(error))
    return new ScopecraftError('STORAGE_FULL', `The disk is full: "${file}" could not be written (${code}).`, { file });
  return new ScopecraftError('STORAGE_FAILED', `"${file}" could not be written: ${code ?? 'the write was cut short'}.`, { file });
}
