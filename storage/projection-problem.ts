// Why a session could not be written into its task file, in words a person can act on.
import { ScopecraftError } from '../core/errors.ts';
import { errnoOf } from './errno.ts';
import { PROTECTED, type Protected } from './file-rewrite.ts';
import { REFUSALS, type Refusal } from './task-splice.ts';

const OTHERS = {
  missing: 'there is no such task file any more',
  outside: 'it leads out of the workspace',
  not_text: 'it is no UTF-8 text',
  unreadable: 'it cannot be read',
  busy: 'somebody else changed it each time it was being written',
  conflict: 'it was edited at the same moment in a way that could not be put together; the other edit was saved beside it',
  failed: 'it could not be written',
} as const satisfies Record<string, string>;

export type ProjectionCode = Protected | Refusal | keyof typeof OTHERS;

export interface ProjectionProblem {
  readonly taskId: string;
  /** Path below the workspace, where the file is known. */
  readonly file: string | undefined;
  readonly code: ProjectionCode;
  readonly message: string;
}

const TEXTS: Readonly<Record<ProjectionCode, string>> = { ...OTHERS, ...PROTECTED, ...REFUSALS };

/** Ends the writing of one file; `more` names what the code alone does not say. */
export class ProjectionError extends Error {
  readonly code: ProjectionCode;

  constructor(code: ProjectionCode, more?: string) {
    super(TEXTS[code] + (more ? ` (${more})` : ''));
    this.code = code;
  }
}

/** Any failure as one of the table. */
export function asProjectionError(error: unknown): ProjectionError {
  if (error instanceof ProjectionError) return error;
  if (!(error instanceof ScopecraftError)) return new ProjectionError('failed', errnoOf(error) ?? 'unknown error');
  if (error.code === 'PATH_OUTSIDE') return new ProjectionError('outside');
  return new ProjectionError(error.code === 'STORAGE_FAILED' ? 'failed' : 'unreadable');
}
