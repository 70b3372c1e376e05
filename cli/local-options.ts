// Flags of the commands that are not tools.
import { parseArgs } from 'node:util';
import { fail } from '../core/errors.ts';
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
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { workspace: { type: 'string' }, format: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    });
    if (values.help) {
      print(`${LOCAL_COMMANDS[name]}\n\nUsage: sc ${name} [--workspace DIR] [--format table|json]`);
      return undefined;
    }
    return { workspace: values.workspace, json: values.format === 'json' };
  } catch (error) {
    return fail('INVALID_INPUT', error instanceof Error ? `${error.message.split('. ')[0]}.` : String(error));
  }
}
