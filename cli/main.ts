// The `sc` command line: commands derived from the tools, and a few that look at this machine.
import { ERRORS, errorView, fail, nearest, ScopecraftError } from '../core/errors.ts';
import { COMMANDS, inCommands, parseCommand } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { commandHelp, groupHelp, LOCAL_COMMANDS, overview } from './help.ts';
import { runTool } from './tool-command.ts';
import { wrapped } from './wrap.ts';

declare const __VERSION__: string;

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const printHelp = (text: string): void => print(wrapped(text, process.stdout.isTTY ? process.stdout.columns : Infinity));
/** Prints help, and answers the exit code of a good end. */
const said = (text: string) => {
  printHelp(text);
  return EXIT.done;
};

type Local = (args: readonly string[], print: (text: string) => void) => Promise<number>;
/** The commands that are no tools; each is loaded when it is called, because they bring along what others do without. */
const LOCAL = {
  status: async () => (await import('./status.ts')).status,
  doctor: async () => (await import('./doctor.ts')).doctor,
  trust: async () => (await import('./trust.ts')).trust,
  'rule import': async () => (await import('./rule-import.ts')).importRules,
  serve: async () => (await import('./serve.ts')).serve,
  token: async () => (await import('./token.ts')).token,
  demo: async () => (await import('./demo.ts')).demo,
} as const satisfies Record<keyof typeof LOCAL_COMMANDS, () => Promise<Local>>;

process.stdout.on('error', () => process.exit(0)); // the reader of a pipe left

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => process.exit(report(error, process.argv.includes('--format=json'))),
);

async function main(args: readonly string[]): Promise<number> {
  const [first = 'help', second, ...more] = args;
  if (first === '--version' || first === '-v') return said(__VERSION__);
  const isHelp = (word: string | undefined) => word === '--help' || word === '-h';
  if (first === 'help' && second !== undefined && !isHelp(second)) return main([second, ...more, '--help']);
  if (first === 'help' || isHelp(first)) return said(overview());
  const words = first === 'rule' && second === 'import' ? 'rule import' : first;
  if (isLocal(words)) return (await LOCAL[words]())(args.slice(words.split(' ').length), args.some(isHelp) ? printHelp : print);
  const command = COMMANDS.find(({ words }) => words[0] === first && words[1] === second);
  const group = isHelp(second) ? groupHelp(first) : undefined;
  if (group !== undefined) return said(group);
  if (!command) return unknownCommand(first, second);
  const parsed = parseCommand(command, args.slice(2));
  if (parsed.help) return said(commandHelp(command));
  return runTool(command, parsed, print);
}

function isLocal(words: string): words is keyof typeof LOCAL {
  return Object.hasOwn(LOCAL, words);
}

function unknownCommand(first: string, second: string | undefined): never {
  const typed = second === undefined || second.startsWith('-') ? first : `${first} ${second}`;
  const known = [...COMMANDS.map(({ words }) => words.join(' ')), ...Object.keys(LOCAL_COMMANDS)];
  const group = known.filter((words) => words.startsWith(`${first} `));
  const near = nearest(typed, known) ?? nearest(first, known);
  const advice = near
    ? `Did you mean "sc ${near}"?`
    : group.length > 0
      ? `Commands of ${first} are: ${group.join(', ')}.`
      : '`sc help` lists the commands.';
  return fail('INVALID_INPUT', `Unknown command "${typed}". ${advice}`);
}

/** Says what went wrong on standard error (as JSON where that was asked for) and answers the exit code. */
function report(error: unknown, asJson: boolean): number {
  const known =
    error instanceof ScopecraftError
      ? error
      : new ScopecraftError('INTERNAL', error instanceof Error ? error.message : String(error));
  const view = errorView(known);
  if (asJson) process.stderr.write(`${JSON.stringify(view)}\n`);
  else process.stderr.write(`${view.code}: ${view.message}\n${inCommands(view.hint)}\n`);
  if (known.code === 'INTERNAL') return EXIT.fault;
  return ERRORS[known.code].retry ? EXIT.later : EXIT.failed;
}
