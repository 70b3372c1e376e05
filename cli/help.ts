// What `--help` says, made from the commands themselves.
import { COMMANDS, type Command, type Flag, inCommands, ownFlagsOf, placeOf, usageOf } from './command.ts';
import { EXIT_CODES } from './exit-codes.ts';

/** Commands that are not tools. */
export const LOCAL_COMMANDS = {
  status: 'The hub of this workspace: version, sessions, slots.',
  doctor:
    'What is missing on this machine, and how to get it. --repair shows how a damaged journal can be mended, --repair --yes mends it.',
  trust: 'Trust the workspace config (.scopecraft/config.json) as it is now.',
  'rule import': 'Make rule files of a JSON file with one rule or a list of them, as older programs keep them.',
  serve: 'Serve this workspace over HTTP to clients with a token, until Ctrl-C: sc serve --http [PORT].',
  token: 'Where the tokens of HTTP clients are; `sc token rotate` makes new ones.',
  demo: 'Watch the built-in demo agent do a task, in a folder of its own.',
} as const;

/** All commands, each with a sentence. */
const rows = () => [
  ...COMMANDS.map(({ words, description }) => [words.join(' '), inCommands(firstSentence(description))] as const),
  ...Object.entries(LOCAL_COMMANDS),
];

/** The commands that begin with this word; undefined where there are none. */
export function groupHelp(first: string): string | undefined {
  const found = rows().filter(([words]) => words.startsWith(`${first} `));
  if (found.length === 0) return undefined;
  return [`Commands of ${first}:`, '', ...aligned(found), '', `\`sc ${first} <command> --help\` explains one.`].join('\n');
}

/** The overview. */
export function overview(): string {
  return [
    'sc puts coding agents to work on tasks, watches them and brings their results.',
    '',
    'Usage: sc <command> [arguments] [--workspace DIR] [--format table|json]',
    '',
    ...aligned(rows().filter(([words]) => !words.startsWith('autonomous '))),
    '',
    '`sc <command> --help` explains a command. The old `sc autonomous …` commands work too.',
    EXIT_CODES,
  ].join('\n');
}

/** One command. */
export function commandHelp(command: Command): string {
  const { tool, description, flags } = command;
  const args = flags.filter(({ field }) => tool.positional.includes(field));
  const rows = [
    ...args.map((flag) => [placeOf(flag), says(flag)] as const),
    ...flags.filter((flag) => !args.includes(flag)).map((flag) => [usage(flag), says(flag)] as const),
    ...ownFlagsOf(tool).map(([name, { type, says }]) => [type === 'boolean' ? `--${name}` : `--${name}=…`, says] as const),
  ];
  return [inCommands(description), '', `Usage: ${usageOf(command)} [options]`, '', ...aligned(rows)].join('\n');
}

function usage({ flag, kind, values }: Flag): string {
  if (kind === 'boolean') return `--${flag}, --no-${flag}`;
  if (kind === 'either') return `--${flag}, --${flag}=…`;
  return `--${flag}=${values ? values.join('|') : kind === 'number' ? 'N' : '…'}`;
}

function says({ description, isList, fallback }: Flag): string {
  return [
    inCommands(description),
    isList ? 'May be given several times.' : '',
    fallback === undefined ? '' : `Default: ${String(fallback)}.`,
  ]
    .filter(Boolean)
    .join(' ');
}

function firstSentence(text: string): string {
  return text.split(/(?<=\.)\s/)[0] ?? text;
}

function aligned(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.min(34, Math.max(...rows.map(([left]) => left.length)));
  return rows.map(([left, right]) =>
    left.length > width ? `  ${left}\n  ${' '.repeat(width)}  ${right}` : `  ${left.padEnd(width)}  ${right}`,
  );
}
