// Reads the arguments of a command, with the failures in the words of this program. Knows no command.
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { fail, nearest } from '../core/errors.ts';

type Options = NonNullable<ParseArgsConfig['options']>;

/** Flags that every command has. */
export const OWN_OPTIONS = {
  workspace: { type: 'string' },
  format: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies Options;

/** The flags and the other words. Fails with INVALID_INPUT. */
export function parsedArguments<const Known extends Options>(args: readonly string[], options: Known) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, allowNegative: true });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const [, option, what] = /^Option '[^']*?(--[\w-]+)[^']*' (argument|does not)/.exec(message) ?? [];
    if (option) return fail('INVALID_INPUT', `"${option}" ${what === 'argument' ? 'needs a value' : 'takes no value'}.`);
    const unknown = /^Unknown option '(--?[^']+)'/.exec(message)?.[1];
    if (unknown === undefined) return fail('INVALID_INPUT', `${message.split('. ')[0]}.`);
    const near = nearest(unknown.replace(/^--?(no-)?/, ''), Object.keys(options));
    const no = unknown.startsWith('--no-') && near !== undefined && options[near]?.type === 'boolean' ? 'no-' : '';
    return fail(
      'INVALID_INPUT',
      `Unknown option "${unknown}".${near ? ` Did you mean "--${no}${near}"?` : ' `--help` shows the options.'}`,
    );
  }
}

/** How the answer is to be printed. Fails with INVALID_INPUT on a format that there is not. */
export function formatOf(given: unknown): 'table' | 'json' {
  if (given === undefined || given === 'table' || given === 'json') return given ?? 'table';
  return fail('INVALID_INPUT', `"--format" must be table or json, not "${String(given)}".`);
}
