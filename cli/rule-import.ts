// `sc rule import FILE`: makes rule files of a JSON file that holds one rule or a list of them.
import { readFileSync, statSync } from 'node:fs';
import { z } from 'zod';
import { fail, ScopecraftError } from '../core/errors.ts';
import { type JsonNode, readJson } from '../prompts/json-text.ts';
import { formatOf, OWN_OPTIONS, parsedArguments } from './arguments.ts';
import { connectClient } from './client.ts';
import { LOCAL_COMMANDS } from './help.ts';

const MOST_BYTES = 4 * 1024 * 1024;
const Named = z.looseObject({ id: z.string() });
const Problems = z.looseObject({
  problems: z.array(z.looseObject({ line: z.number(), column: z.number(), message: z.string() })),
});

/** One rule of the file, as it stands there. */
interface Given {
  readonly id: string;
  readonly text: string;
  /** Where in the file it begins. */
  readonly line: number;
  readonly column: number;
}

/** All of them are read before the first is written; one that is wrong is named with its place in the file, and none is written. */
export async function importRules(args: readonly string[], print: (text: string) => void): Promise<number> {
  const { values, positionals } = parsedArguments(args, { ...OWN_OPTIONS, 'dry-run': { type: 'boolean' } });
  const [file, ...more] = positionals;
  if (values.help) {
    print(
      `${LOCAL_COMMANDS['rule import']}\n\nUsage: sc rule import <file.json> [--dry-run] [--workspace DIR] [--format table|json]`,
    );
    return 0;
  }
  if (file === undefined || more.length > 0)
    return fail('INVALID_INPUT', 'Name one file: sc rule import <file.json>. `--help` shows the options.');
  const isJson = formatOf(values.format) === 'json';
  const rules = rulesIn(file);
  const client = await connectClient({ workspace: values.workspace });
  const set = ({ id, text }: Given, dryRun: boolean) => client.call('rule_set', { rule: id, text, dryRun });
  try {
    const answers: unknown[] = [];
    const done = (answer: Readonly<Record<string, unknown>>) => {
      answers.push(answer);
      if (!isJson) print(String(answer.summary));
    };
    for (const rule of rules) {
      const answer = await set(rule, true).catch((error: unknown) => refused(error, file, rule));
      if (values['dry-run']) done(answer);
    }
    if (!values['dry-run'])
      for (const [at, rule] of rules.entries())
        done(await set(rule, false).catch((error: unknown) => failedMidway(error, rules, at)));
    if (isJson) print(JSON.stringify({ rules: answers }, null, 2));
    return 0;
  } finally {
    await client.close();
  }
}

/** The failure by the lines of the file; what was sent begins where the rule does. */
function refused(error: unknown, file: string, { id, line, column }: Given): never {
  const told = error instanceof ScopecraftError ? Problems.safeParse(error.details) : undefined;
  if (!told?.success) throw error;
  const problems = told.data.problems.map((problem) => ({
    line: problem.line + line - 1,
    column: problem.line === 1 ? problem.column + column - 1 : problem.column,
    message: problem.message,
  }));
  const says = problems.map((one) => `Line ${one.line}, column ${one.column}: ${one.message}`);
  return fail('RULE_INVALID', `Rule "${id}" in "${file}" cannot be read. ${says.join(' ')}`, { problems });
}

/** Says what is there and what is not: each rule is a file, and those before it were written. */
function failedMidway(error: unknown, rules: readonly Given[], at: number): never {
  if (!(error instanceof ScopecraftError)) throw error;
  const ids = rules.map(({ id }) => id);
  const [written, left] = [ids.slice(0, at), ids.slice(at)];
  const says = `${written.length} of ${ids.length} rules ${written.length === 1 ? 'was' : 'were'} written${at > 0 ? ` (${written.join(', ')})` : ''}, not: ${left.join(', ')}.`;
  throw new ScopecraftError(error.code, `${error.message} ${says} Import the file again then; what is there stays the same.`, {
    ...error.details,
    written,
    left,
  });
}

function rulesIn(file: string): readonly Given[] {
  const text = textOf(file).replace(/^\uFEFF/, '');
  const read = readJson(text);
  const placeOf = (offset: number) => {
    const before = text.slice(0, offset).split('\n');
    return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
  };
  if ('fault' in read) {
    const { line, column } = placeOf(read.fault.at);
    return fail('INVALID_INPUT', `"${file}" is no JSON file. Line ${line}, column ${column}: ${read.fault.message}`);
  }
  const nodes = Array.isArray(read.node.value) ? [...read.node.parts.values()].map(({ node }) => node) : [read.node];
  const rules = nodes.map((node) => {
    const place = placeOf(node.start);
    return { id: idOf(node, file, place), text: text.slice(node.start, node.end), ...place };
  });
  const twice = rules.find(({ id }, at) => rules.findIndex((rule) => rule.id === id) < at);
  if (twice) fail('INVALID_INPUT', `"${file}" has two rules "${twice.id}"; the second is at line ${twice.line}.`);
  return rules;
}

function idOf({ value }: JsonNode, file: string, { line }: { readonly line: number }): string {
  const found = Named.safeParse(value);
  return found.success
    ? found.data.id
    : fail('INVALID_INPUT', `"${file}" holds what is no rule at line ${line}: each must be an object with an "id".`);
}

function textOf(file: string): string {
  try {
    if (statSync(file).size > MOST_BYTES) return fail('INVALID_INPUT', `"${file}" has more than ${MOST_BYTES} bytes.`);
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof ScopecraftError) throw error;
    return fail('INVALID_INPUT', `"${file}" cannot be read: ${error instanceof Error ? error.message : String(error)}.`);
  }
}
