// `sc rule import FILE`: makes rule files of a JSON file that holds one rule or a list of them.
import { readFileSync, statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { fail } from '../core/errors.ts';
import { connectClient } from './client.ts';
import { LOCAL_COMMANDS } from './help.ts';

const MOST_BYTES = 4 * 1024 * 1024;
const Rules = z.array(z.looseObject({ id: z.string() }));

/** All or, with `--dry-run`, none of them are written; the first that is wrong ends it, and is named. */
export async function importRules(args: readonly string[], print: (text: string) => void): Promise<number> {
  const { values, positionals } = parsed(args);
  const [file, ...more] = positionals;
  if (values.help || file === undefined || more.length > 0) {
    print(
      `${LOCAL_COMMANDS['rule import']}\n\nUsage: sc rule import <file.json> [--dry-run] [--workspace DIR] [--format table|json]`,
    );
    return values.help ? 0 : 1;
  }
  const rules = rulesIn(file);
  const client = await connectClient({ workspace: values.workspace });
  const dryRun = values['dry-run'] ?? false;
  try {
    // looked at as a whole first, so that a list is not half imported
    for (const rule of rules) await client.call('rule_set', { rule: rule.id, text: JSON.stringify(rule), dryRun: true });
    const answers: unknown[] = [];
    for (const rule of rules) {
      const answer = await client.call('rule_set', { rule: rule.id, text: JSON.stringify(rule), dryRun });
      answers.push(answer);
      if (values.format !== 'json') print(String(answer.summary));
    }
    if (values.format === 'json') print(JSON.stringify({ rules: answers }, null, 2));
    return 0;
  } finally {
    await client.close();
  }
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        workspace: { type: 'string' },
        format: { type: 'string' },
        'dry-run': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    return fail('INVALID_INPUT', error instanceof Error ? `${error.message.split('. ')[0]}.` : String(error));
  }
}

function rulesIn(file: string): z.infer<typeof Rules> {
  let value: unknown;
  try {
    if (statSync(file).size > MOST_BYTES) fail('INVALID_INPUT', `"${file}" has more than ${MOST_BYTES} bytes.`);
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    return fail(
      'INVALID_INPUT',
      `"${file}" is no JSON file that can be read: ${error instanceof Error ? error.message : String(error)}.`,
    );
  }
  const found = Rules.safeParse(Array.isArray(value) ? value : [value]);
  return found.success ? found.data : fail('INVALID_INPUT', `"${file}" holds no rules: each must be an object with an "id".`);
}
