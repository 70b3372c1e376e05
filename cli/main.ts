// The `sc` command line: commands derived from the tools, and a few that look at this machine.
import { readFileSync } from 'node:fs';
import { ERRORS, errorView, fail, nearest, ScopecraftError } from '../core/errors.ts';
import { attach, isAtTerminal } from './attach.ts';
import { connectClient } from './client.ts';
import { COMMANDS, type Command, type Parsed, parseCommand } from './command.ts';
import { type Entry, entryLine, followLog, waitUntilSettled } from './follow.ts';
import { eventLine, followEvents } from './follow-events.ts';
import { commandHelp, groupHelp, LOCAL_COMMANDS, overview } from './help.ts';
import { linesOf, safe, tableOf } from './render.ts';

declare const __VERSION__: string;

const INTERRUPTED = 130;
const print = (text: string): void => void process.stdout.write(`${text}\n`);
/** Prints, and answers the exit code of a good end. */
const said = (text: string) => {
  print(text);
  return 0;
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
  const [first = 'help', second] = args;
  if (first === '--version' || first === '-v') return said(__VERSION__);
  if (first === 'help' || first === '--help' || first === '-h') return said(overview());
  const words = first === 'rule' && second === 'import' ? 'rule import' : first;
  if (isLocal(words)) return (await LOCAL[words]())(args.slice(words.split(' ').length), print);
  const command = COMMANDS.find(({ words }) => words[0] === first && words[1] === second);
  const group = second === '--help' || second === '-h' ? groupHelp(first) : undefined;
  if (group !== undefined) return said(group);
  if (!command) return unknownCommand(first, second);
  const parsed = parseCommand(command, args.slice(2));
  if (parsed.help) return said(commandHelp(command));
  return run(command, parsed);
}

function isLocal(words: string): words is keyof typeof LOCAL {
  return Object.hasOwn(LOCAL, words);
}

async function run({ words, tool }: Command, { input, workspace, format, follow, print: onlyPrint }: Parsed): Promise<number> {
  const isJson = format === 'json';
  const given = input.prompt === '-' ? { ...input, prompt: readFileSync(0, 'utf8') } : input;
  const client = await connectClient({ workspace });
  const note = (text: string) => (process.stderr.isTTY ? process.stderr.write(`\r\u001b[K${text}`) : undefined);
  const printEntry = (entry: Entry) => print(isJson ? JSON.stringify(entry) : entryLine(entry));
  const show = (answer: Readonly<Record<string, unknown>>) =>
    print(isJson ? JSON.stringify(answer, null, 2) : textOf(answer, tool));
  process.once('SIGINT', () => {
    process.stderr.write(follow || tool.name === 'session_wait' ? '\nThe following ended; the session goes on.\n' : '\n');
    process.exit(INTERRUPTED);
  });
  try {
    if (tool.name === 'session_logs' && follow) {
      const { sessionId, tail, kinds, after } = given;
      await followLog(
        client,
        String(sessionId),
        printEntry,
        tail === undefined && after === undefined ? { kinds, after: '0:0.0' } : { kinds, tail, after },
      );
      return 0;
    }
    if (tool.name === 'event_list' && follow) {
      await followEvents(client, given, (event) => print(isJson ? JSON.stringify(event) : eventLine(event)));
    }
    if (tool.name === 'session_wait' && given.timeoutSeconds === undefined) {
      show(await waitUntilSettled(client, given, note));
      return 0;
    }
    // an old name fixes what today's name leaves open
    const answer = await client.call(words.join('_'), given);
    if (tool.name === 'session_attach' && !given.detach && !onlyPrint && !isJson && isAtTerminal()) {
      await client.close();
      return await attach(answer);
    }
    if (tool.name === 'session_start' && follow) {
      const id = String(answer.id);
      process.stderr.write(`${String(answer.summary)}\n`);
      await followLog(client, id, printEntry);
      show(await client.call('session_get', { sessionId: id }));
      return 0;
    }
    if (tool.name === 'session_logs' && !isJson) for (const entry of entriesOf(answer)) printEntry(entry);
    else show(answer);
    return 0;
  } finally {
    await client.close();
  }
}

function textOf(answer: Readonly<Record<string, unknown>>, { tables, input }: Command['tool']): string {
  if (tables.length === 0) return [String(answer.summary ?? ''), linesOf(answer), hint(answer)].filter(Boolean).join('\n');
  const width = process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY;
  const blocks = tables.map(({ title, rows, columns }) => {
    const found = answer[rows];
    const table = Array.isArray(found) && found.length > 0 ? tableOf(found, columns, width) : '';
    return table && [title, table].filter(Boolean).join('\n');
  });
  const end = [String(answer.summary ?? ''), more(answer, 'cursor' in input.shape)].filter(Boolean).join('\n');
  // what a prompt says, and what a file would hold, is what was asked for
  const words = typeof answer.text === 'string' ? safe(answer.text).trimEnd() : '';
  return [words, ...blocks, end].filter(Boolean).join(tables.length > 1 || words !== '' ? '\n\n' : '\n');
}

function hint({ id, next }: Readonly<Record<string, unknown>>): string {
  return typeof id === 'string' && next !== undefined ? `\nFollow it: sc session logs ${id} --follow` : '';
}

/** How to read on: behind a cursor there is more now, behind a place in the ledger there may be. */
function more({ nextCursor }: Readonly<Record<string, unknown>>, isCursor: boolean): string {
  if (typeof nextCursor !== 'string') return '';
  return isCursor ? `More: --cursor=${nextCursor}` : `What comes next: --after=${nextCursor}`;
}

function entriesOf({ entries }: Readonly<Record<string, unknown>>): Entry[] {
  return Array.isArray(entries) ? entries : [];
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
  else process.stderr.write(`${view.code}: ${view.message}\n${view.hint}\n`);
  if (known.code === 'INTERNAL') return 70;
  return ERRORS[known.code].retry ? 75 : 1;
}
