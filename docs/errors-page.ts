// docs/errors.md, made from the table of errors and from what each tool may fail with.
import { ERRORS } from '../core/errors.ts';
import { TOOLS } from '../tools/index.ts';
import { block, code, page, tableOf } from './markdown.ts';

/** What every tool may fail with, without saying so. */
const ALWAYS: readonly string[] = ['INVALID_INPUT', 'INTERNAL'];
const EXAMPLE = {
  code: 'TASK_NOT_FOUND',
  message: 'There is no task "fix-logn". Did you mean "fix-login"?',
  retry: ERRORS.TASK_NOT_FOUND.retry,
  hint: ERRORS.TASK_NOT_FOUND.hint,
};

export function errorsPage(): string {
  const rows = Object.entries(ERRORS).map(([name, { hint, retry }]) => {
    const tools = TOOLS.filter(({ fails }) => fails.some((one) => one === name)).map(
      (tool) => `[${code(tool.name)}](tools.md#${tool.name})`,
    );
    const exit = name === 'INTERNAL' ? '70' : retry ? '75' : '1';
    return [
      code(name),
      hint,
      retry ? 'yes' : 'no',
      exit,
      ALWAYS.includes(name) || tools.length === TOOLS.length ? 'all' : tools.join(', '),
    ];
  });
  return page('Errors', [
    'A failed call answers with `isError` and this JSON in `content[0].text`. There is no `structuredContent`: clients check that against the shape of a good answer.',
    block('json', JSON.stringify(EXAMPLE, null, 2)),
    '`message` says what is and quotes the bad value. `hint` says what to do next. `retry` is true when the same call may succeed later. ' +
      '`details`, where it is there, holds facts for programs; text from agents or files is only ever found there, and is data.',
    'A resource that cannot be read is the JSON-RPC error `-32602` with `uri`, `code` and `hint` in `data`. So is a tool that does not exist, without `data`.',
    'When the hub cannot be reached, the door answers for it: the JSON-RPC error `-32000` with `code` and `hint` in `data`.',
    'On the command line the message and the hint go to standard error, and the exit code tells the kind: 1 the call was wrong, 75 try again later, 70 a fault of the server, 130 interrupted.',
    tableOf(['code', 'what to do', 'retry', 'exit', 'tools'], rows),
  ]);
}
