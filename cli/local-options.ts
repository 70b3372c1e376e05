// Flags of the commands that are not tools and have none of their own.
import { fail } from '../core/errors.ts';
import { formatOf, OWN_OPTIONS, parsedArguments } from './arguments.ts';
import { LOCAL_COMMANDS } from './help.ts';

export interface LocalOptions {
  readonly workspace: string | undefined;
  readonly json: boolean;
}

/** The flags, or undefined when only help was asked for, which is then printed. Fails with INVALID_INPUT. */
export function localOptions(
  name: keyof typeof LOCAL_COMMANDS,
  args: readonly string[],
  print: (text: string) => void,
): LocalOptions | undefined {
  const { values, positionals } = parsedArguments(args, OWN_OPTIONS);
  if (values.help) {
    print(`${LOCAL_COMMANDS[name]}\n\nUsage: sc ${name} [--workspace DIR] [--format table|json]`);
    return undefined;
  }
  if (positionals.length > 0) fail('INVALID_INPUT', `"${positionals[0]}" is one argument too many.`);
  return { workspace: values.workspace, json: formatOf(values.format) === 'json' };
}
