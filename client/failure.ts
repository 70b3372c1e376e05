// Turns what went wrong on the way to a tool, or in it, into the error of the table that a caller can act on.
import { z } from 'zod';
import { ERRORS, type ErrorCode, ErrorView, ScopecraftError } from '../core/errors.ts';

const Texts = z.array(z.looseObject({ text: z.string() })).min(1);

/** What a refused request carries besides its message. */
const Refused = z.looseObject({ message: z.string(), data: z.looseObject({ code: z.string() }) });

/** The failure a tool answered with, as it was thrown at the other end. */
export function toolFailure(content: unknown): ScopecraftError {
  const text = Texts.parse(content)[0]?.text ?? '{}';
  const { code, message, details } = ErrorView.parse(JSON.parse(text));
  return isErrorCode(code) ? new ScopecraftError(code, message, details) : new ScopecraftError('INTERNAL', message, details);
}

/** Any failure of a request as one of the table; `isOver` says that the client was closed or the call given up. */
export function requestFailure(error: unknown, isOver: boolean): ScopecraftError {
  if (error instanceof ScopecraftError) return error;
  if (isOver) return new ScopecraftError('CANCELLED', 'The call was given up, or its client was closed, before the answer came.');
  const refused = Refused.safeParse(error);
  if (refused.success && isErrorCode(refused.data.data.code))
    return new ScopecraftError(refused.data.data.code, refused.data.message);
  return new ScopecraftError('INTERNAL', error instanceof Error ? error.message : String(error));
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}
