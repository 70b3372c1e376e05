// docs/tools.md and the tool table of the README, made from the tools themselves.
import { COMMANDS, type Command, type Flag, usageOf } from '../cli/command.ts';
import { ERRORS } from '../core/errors.ts';
import { ALIASES } from '../tools/aliases.ts';
import { EFFECTS, type Tool } from '../tools/define.ts';
import { TOOLS } from '../tools/index.ts';
import { type Field, fieldsOf, fieldTable, shapeNameOf, shapeSections } from './fields.ts';
import { block, code, firstSentence, page, tableOf } from './markdown.ts';
import { resourceTable } from './resource-table.ts';

const EFFECT_WORDS = {
  reads: 'reads; changes nothing',
  creates: 'creates something new',
  changes: 'changes what is there',
  destroys: 'may end what is there',
} as const satisfies Record<Tool['effect'], string>;

/** docs/tools.md. */
export function toolsPage(): string {
  return page('Tools', [
    'What a client can call, and the same on the command line. Every call may also fail with `INVALID_INPUT` or `INTERNAL`; see [errors](errors.md).',
    'A good answer comes as `structuredContent`, and as the same JSON in `content[0].text`. A failed call has `isError` and the error as JSON in `content[0].text`.',
    'Tools of the set `core` are always listed; `server.toolsets` in the [settings](config.md) adds others. All of them can always be called, but for those of the set `session`: sessions alone have these.',
    toolTable(''),
    ...TOOLS.map(toolSection),
    '## Old names',
    'Kept callable for clients that know them; listed only with `server.legacyTools`.',
    tableOf(
      ['name', 'is'],
      ALIASES.map(({ name, tool, fixed }) => [
        code(name),
        Object.keys(fixed).length > 0 ? `${code(tool)} with ${code(JSON.stringify(fixed))}` : code(tool),
      ]),
    ),
    '## Resources',
    'What a client can read. Whoever can read a resource can subscribe to it and is told when it changed, at once and then at most once per second.',
    resourceTable(),
    '## Shapes',
    'What answers are made of. Fields may be added later; a client ignores those it does not know.',
    ...shapeSections(['Session', 'Task', 'Event', 'Cause']),
  ]);
}

/** One row a tool; `file` is put in front of the links. */
export function toolTable(file: string): string {
  return tableOf(
    ['tool', 'what it does', 'command'],
    TOOLS.map((tool) => [`[${code(tool.name)}](${file}#${tool.name})`, firstSentence(tool.description), usageOrNone(tool)]),
  );
}

function toolSection(tool: Tool): string {
  const command = commandOf(tool);
  const hints = Object.entries(EFFECTS[tool.effect]).map(([name, value]) => `${code(name)} ${value}`);
  const shape = shapeNameOf(tool.output);
  return [
    `## ${tool.name}`,
    `**${tool.title}.** ${tool.description}`,
    `Effect: ${EFFECT_WORDS[tool.effect]} (${hints.join(', ')}). Set: ${code(tool.toolset)}. Schema: [${tool.name}.json](schemas/${tool.name}.json).`,
    command ? `Command: ${code(usageOf(command))}` : 'No command: only sessions call it.',
    '### Input',
    tableOf(
      ['argument', 'type', 'default', 'description', 'on the command line'],
      fieldsOf(tool.input, 'input').map((field) => inputRow(field, tool, command?.flags ?? [])),
    ),
    '### Output',
    shape === undefined ? fieldTable(tool.output) : `A [${shape}](#${shape.toLowerCase()}).`,
    '### Errors',
    tool.fails.map((name) => `- ${code(name)}: ${ERRORS[name].hint}`).join('\n'),
    '### Examples',
    ...tool.examples.map((example) => exampleOf(example, command)),
  ].join('\n\n');
}

function inputRow(
  { name, type, isRequired, fallback, description }: Field,
  tool: Tool,
  flags: readonly Flag[],
): readonly string[] {
  const flag = flags.find(({ field }) => field === name);
  const typed = flag === undefined ? '' : tool.positional.includes(name) ? `<${name}>` : `--${flag.flag}`;
  return [
    code(name),
    type,
    isRequired ? 'required' : fallback === undefined ? '' : code(JSON.stringify(fallback)),
    description,
    typed === '' ? '' : code(typed),
  ];
}

/** Undefined where only sessions call it. */
function commandOf(tool: Tool): Command | undefined {
  const found = COMMANDS.find(({ words }) => words.join('_') === tool.name);
  if (!found && tool.toolset !== 'session') throw new Error(`There is no command for ${tool.name}.`);
  return found;
}

function usageOrNone(tool: Tool): string {
  const command = commandOf(tool);
  return command ? code(usageOf(command)) : 'for sessions alone';
}

function exampleOf(example: Readonly<Record<string, unknown>>, command: Command | undefined): string {
  const json = JSON.stringify(example).replaceAll(/\{\{\w+\}\}/g, 'fix-login-k3xp');
  if (!command) return block('json', json);
  const { words, tool, flags } = command;
  const values = new Map(Object.entries(example));
  const places = tool.positional.flatMap((field) => (values.has(field) ? [wordOf(values.get(field), ' ')] : []));
  const options = flags
    .filter(({ field }) => values.has(field) && !tool.positional.includes(field))
    .map((flag) => optionOf(flag, values.get(flag.field)));
  const line = ['sc', ...words, ...places, ...options].join(' ').replaceAll(/\{\{\w+\}\}/g, 'fix-login-k3xp');
  return `${block('json', json)}\n\n${block('sh', line)}`;
}

function optionOf({ flag, kind }: Flag, value: unknown): string {
  if (kind === 'boolean') return value === true ? `--${flag}` : `--no-${flag}`;
  return `--${flag}=${wordOf(value, ',')}`;
}

function wordOf(value: unknown, between: string): string {
  if (Array.isArray(value)) return value.map((one) => wordOf(one, between)).join(between);
  const word = String(value);
  return /^[\w{}.,:/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
