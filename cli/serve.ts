// `sc serve --http`: clients with a token are served over HTTP as long as this command runs. The hub of the workspace does it, and stays meanwhile.
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { fail, ScopecraftError } from '../core/errors.ts';
import { ensureTokens } from '../server/client-tokens.ts';
import { readEnvironment } from '../server/config.ts';
import { connectHub } from '../server/connect.ts';
import { readLine } from '../server/lines.ts';
import { programsIn } from '../server/programs.ts';
import { stateDirOf } from '../server/workspace.ts';
import { formatOf, OWN_OPTIONS, parsedArguments } from './arguments.ts';
import { workspaceOf } from './client.ts';
import { LOCAL_COMMANDS } from './help.ts';

declare const __VERSION__: string;

const RETRY_MS = 500;
const ANSWER = { bytes: 64 * 1024, ms: 10_000 } as const;
const Refusal = z.looseObject({ code: z.string(), message: z.string() });
const Answer = z.union([z.object({ serving: z.looseObject({ url: z.string() }) }), z.object({ refuse: Refusal })]);
const HELP = `${LOCAL_COMMANDS.serve}

Usage: sc serve --http [PORT] [options]

  PORT               port to listen at; default: server.http.port, else the one that runs use
  --host=ADDRESS     address to listen at; default: 127.0.0.1
  --behind-tls       a proxy that speaks TLS stands in front; required where other machines can reach the address
  --allow-host=NAME  name by which clients call it, behind a proxy. May be given several times.
  --allow-origin=…   host name of web pages that may call it. May be given several times.
  --workspace=DIR    folder of the project. Default: found from here.
  --format=json      prints address and token files as JSON.

Settings are in server.http of the config. Ctrl-C ends it; sessions go on.`;

export async function serve(args: readonly string[], print: (text: string) => void): Promise<number> {
  const options = optionsOf(args);
  if (options.help) {
    print(HELP);
    return 0;
  }
  const workspace = workspaceOf(options.workspace);
  const stateDir = stateDirOf(workspace);
  const end = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => end.abort());
  let told: string | undefined;
  while (!end.signal.aborted) {
    const link = await linked(workspace, stateDir, told !== undefined);
    if (!link) {
      await sleep(RETRY_MS, undefined, { signal: end.signal }).catch(() => undefined);
      continue;
    }
    const { socket } = link;
    const closed = new Promise<void>((resolve) => void socket.once('close', () => resolve()));
    socket.on('error', () => socket.destroy());
    socket.once('end', () => socket.destroy());
    socket.write(`${JSON.stringify({ serve: options.ask })}\n`);
    const answer = await readLine(socket, ANSWER)
      .then((line) => Answer.parse(JSON.parse(line)))
      .catch(() => undefined);
    if (answer && 'refuse' in answer) return refused(answer.refuse);
    // a hub that went away meanwhile is followed by another
    if (answer && answer.serving.url !== told) {
      told = answer.serving.url;
      const tokens = await ensureTokens(stateDir);
      print(options.json ? JSON.stringify({ workspace, url: told, tokens }, null, 2) : sentences(workspace, told, tokens));
    }
    socket.resume();
    const stop = () => socket.destroySoon();
    end.signal.addEventListener('abort', stop, { once: true });
    if (end.signal.aborted) stop();
    await closed;
    end.signal.removeEventListener('abort', stop);
  }
  return 0;
}

/** A connection to the hub; undefined when one that was there before cannot be reached now, and is to be looked for again. */
async function linked(workspace: string, stateDir: string, returning: boolean) {
  const environment = readEnvironment();
  try {
    await ensureTokens(stateDir);
    return await connectHub({
      workspace,
      stateDir,
      programs: programsIn(),
      hubEnvironment: environment.hub,
      version: __VERSION__,
      kind: 'serve',
      returning,
      environment: environment.all,
    });
  } catch (error) {
    if (!returning || !(error instanceof ScopecraftError) || error.code !== 'HUB_UNREACHABLE') throw error;
    process.stderr.write(`${error.message}\n`);
    return undefined;
  }
}

function refused({ code, message }: { readonly code: string; readonly message: string }): never {
  return fail(code === 'CONFIG_INVALID' ? 'CONFIG_INVALID' : 'HUB_UNREACHABLE', message);
}

function optionsOf(args: readonly string[]) {
  // the port may stand behind the flag or be joined to it
  const given = args.flatMap((arg) => (arg.startsWith('--http=') ? ['--http', arg.slice('--http='.length)] : [arg]));
  const { values, positionals } = parsedArguments(given, {
    ...OWN_OPTIONS,
    http: { type: 'boolean' },
    host: { type: 'string' },
    'behind-tls': { type: 'boolean' },
    'allow-host': { type: 'string', multiple: true },
    'allow-origin': { type: 'string', multiple: true },
  });
  if (!values.help && !values.http) fail('INVALID_INPUT', 'Say how to serve: `sc serve --http`.');
  const [port, more] = positionals;
  if (more !== undefined) fail('INVALID_INPUT', `"${more}" is one argument too many.`);
  if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) < 65_536))
    fail('INVALID_INPUT', `"${port}" is no port; give a number from 0 to 65535.`);
  return {
    help: values.help === true,
    json: formatOf(values.format) === 'json',
    workspace: values.workspace,
    ask: {
      ...(port !== undefined && { port: Number(port) }),
      ...(values.host !== undefined && { host: values.host }),
      ...(values['behind-tls'] && { behindTls: true }),
      ...(values['allow-host'] && { hosts: values['allow-host'] }),
      ...(values['allow-origin'] && { origins: values['allow-origin'] }),
    },
  };
}

function sentences(workspace: string, url: string, tokens: Readonly<Record<string, string>>): string {
  const config = {
    mcpServers: { scopecraft: { type: 'http', url, headers: { Authorization: `Bearer \${SCOPECRAFT_TOKEN}` } } },
  };
  return [
    `Serving ${workspace} over HTTP at ${url}`,
    '',
    'Tokens, each in a file that only you can read:',
    ...Object.entries(tokens).map(([scope, file]) => `  ${scope.padEnd(8)} ${file}`),
    '',
    'A client needs the address and one token, for example with',
    `  export SCOPECRAFT_TOKEN="$(cat '${tokens.operate}')"`,
    'in this configuration:',
    JSON.stringify(config, null, 2),
    '',
    '`sc token rotate` makes new tokens. Ctrl-C ends the serving; sessions go on.',
  ].join('\n');
}
