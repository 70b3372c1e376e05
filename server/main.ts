// The program `scopecraft-orchestrator`: the MCP server a client's configuration names. It is a door; the hub does the work.
import type { Duplex } from 'node:stream';
import { parseArgs } from 'node:util';
import { type Environment, readEnvironment } from './config.ts';
import { connectHub, startWithoutWorkspace } from './connect.ts';
import { programsIn } from './programs.ts';
import { runDoor } from './stdio.ts';
import { findWorkspace, stateDirOf } from './workspace.ts';

declare const __VERSION__: string;

const HELP = `scopecraft-orchestrator ${__VERSION__}: an MCP server with which agents run other agents.

A client starts it and speaks MCP on its standard input and output. For people there is the command \`sc\`.

  --workspace PATH   the project to work in; default: SCOPECRAFT_WORKSPACE, or the nearest folder with .tasks
  --version          print the version
  --help             print this
`;

/** How often the door looks whether its parent still lives. */
const PARENT_MS = 5_000;

void main();

async function main(): Promise<void> {
  const environment = readEnvironment();
  let connect: (returning: boolean) => Promise<Duplex>;
  try {
    const { values } = parseArgs({
      options: { workspace: { type: 'string' }, version: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    });
    if (values.help) return void process.stdout.write(HELP);
    if (values.version) return void process.stdout.write(`${__VERSION__}\n`);
    connect = connector(findWorkspace({ flag: values.workspace, environment, cwd: process.cwd() }), environment);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(1);
  }
  const end = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end.abort());
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && end.abort(), PARENT_MS).unref();
  await runDoor({
    input: process.stdin,
    output: process.stdout,
    connect,
    newKey: keyMaker(),
    onTrouble: (sentence) => console.error(sentence),
    signal: end.signal,
  });
  // what was already said to the client still goes out; a client that does not read is not waited for
  const late = setTimeout(() => process.exit(0), 200);
  process.stdout.write('', () => {
    clearTimeout(late);
    process.exit(0);
  });
}

/** Keys no other door makes: they tell calls apart and protect nothing, so they need no cryptography, which takes long to load. */
function keyMaker(): () => string {
  const door = `${process.pid.toString(36)}.${performance.timeOrigin.toString(36)}.${Math.random().toString(36).slice(2)}`;
  let calls = 0;
  return () => {
    calls += 1;
    return `${door}.${calls}`;
  };
}

function connector(workspace: string | undefined, environment: Environment): (returning: boolean) => Promise<Duplex> {
  const programs = programsIn();
  if (workspace === undefined) return () => startWithoutWorkspace(programs, environment.hub);
  return async (returning) => {
    const { socket } = await connectHub({
      workspace,
      stateDir: stateDirOf(workspace),
      programs,
      hubEnvironment: environment.hub,
      version: __VERSION__,
      kind: 'door',
      returning,
      environment: environment.all,
    });
    return socket;
  };
}
