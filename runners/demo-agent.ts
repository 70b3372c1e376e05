// The built-in agent: a real process that speaks like Claude Code and plays what it is told as a script, or rehearses the task when
// there is no script. With it everything can be tried and tested without a model. Bundled to dist/demo-agent.mjs.
//
// Each message begins a turn, which ends with a result; at the end of input the agent leaves. A message that comes during a turn is taken
// up when the current step is done: its script is played first, then the rest. An interrupt breaks the turn off.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { openDemoInput, type Told } from './demo-input.ts';
import { createHubCalls } from './demo-mcp.ts';
import { type Directive, directivesIn, filled } from './demo-script.ts';
import { createSpeech } from './demo-speech.ts';
import { serveDemoTerminal } from './demo-terminal.ts';
import { endTool, type ToolOutcome, useTool } from './demo-tools.ts';

// in a terminal it is played turn by turn, each by a process of this program without that argument
const terminal = process.argv.find((arg) => arg.startsWith('--terminal='));
if (terminal !== undefined) {
  const [program = '', ...args] = process.argv.slice(1).filter((arg) => arg !== terminal);
  const agent = [process.execPath, program, ...args];
  serveDemoTerminal(agent, sessionIdIn(args), terminal.slice('--terminal='.length));
  await new Promise(() => {});
}

/** How a turn ends. */
interface Ending {
  readonly text: string;
  readonly data?: unknown;
}

const REHEARSAL = `
@@say I have read the task. This is a rehearsal: nothing is changed.
@@sleep 300
@@say 1. Read the code the task is about.
@@sleep 300
@@say 2. Make the change and test it.
@@sleep 300
@@say 3. Write down what was done.
@@sleep 300`;
const Verdict = z.looseObject({
  behavior: z.enum(['allow', 'deny']),
  updatedInput: z.unknown().optional(),
  message: z.string().optional(),
});

const speech = createSpeech(sessionIdIn(process.argv.slice(2)));
const hub = createHubCalls(process.env.SCOPECRAFT_MCP_URL, process.env.SCOPECRAFT_MCP_TOKEN);
let costUsd = 0;
let last = '';
let attempts = 0;
let turn = new AbortController();

// like Claude Code: ends its tool, says that it was interrupted, and leaves in good order
process.on('SIGINT', interrupted);
const input = openDemoInput(process.stdin, (requestId) => {
  speech.acknowledge(requestId);
  turn.abort();
  endTool();
});
for (let told = await input.next(); told; told = await input.next()) await takeUp(told);
process.exit(0);

async function takeUp(told: Told): Promise<void> {
  turn = new AbortController();
  speech.start();
  speech.replay(told);
  const ending = await played(told);
  if (turn.signal.aborted) {
    speech.interrupted();
    return speech.result({ text: '', isError: true, costUsd, subtype: 'error_during_execution' });
  }
  speech.result({ ...ending, isError: false, costUsd });
}

async function played({ text }: Told): Promise<Ending> {
  const scripted = directivesIn(text);
  const script = scripted.length > 0 ? [...scripted] : [...directivesIn(REHEARSAL)];
  let closing: string | undefined;
  for (let directive = script.shift(); directive; directive = script.shift()) {
    const ending = await play(directive);
    if (ending) return ending;
    if (turn.signal.aborted) break;
    // a script that ends with saying something ends with that
    closing = directive.verb === 'say' ? filled(directive, last) : undefined;
    const added: Directive[] = [];
    for (let more = input.take(); more; more = input.take()) {
      speech.replay(more);
      added.push(...directivesIn(more.text));
    }
    script.unshift(...added);
  }
  if (closing !== undefined || turn.signal.aborted) return { text: closing ?? '' };
  const ending = `done: ${text.replace(/\s+/g, ' ').trim().slice(0, 60)}`;
  speech.say(ending);
  return { text: ending };
}

async function play(directive: Directive): Promise<Ending | undefined> {
  const rest = filled(directive, last);
  const [, name = '', json = ''] = /^(\S+)\s*(.*)$/.exec(rest) ?? [];
  switch (directive.verb) {
    case 'say':
      speech.say(rest);
      return;
    case 'sleep':
      await delay(Number(rest), undefined, { signal: turn.signal }).catch(() => undefined);
      return;
    case 'tool':
      return used(name, parsedOr(json, {}), useTool);
    case 'permission':
      return used(name, parsedOr(json, {}), usePermitted);
    case 'mcp':
      return useHub(name, json === '' ? '{}' : json);
    case 'question':
      return useHub('session_ask', rest.startsWith('{') ? rest : JSON.stringify({ question: rest }));
    case 'ask':
      speech.say(rest);
      return { text: rest };
    case 'data':
      return { text: rest, data: parsedOr(rest, rest) };
    case 'fail':
      speech.result({ text: rest, isError: true, costUsd, subtype: 'error_during_execution' });
      return process.exit(1);
    case 'exit':
      return process.exit(Number(rest));
    case 'hang':
      return forever();
    case 'stubborn':
      process.removeListener('SIGINT', interrupted);
      for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {});
      return;
    case 'die':
      return die(rest);
    case 'retry':
      speech.retry(++attempts, Number(rest));
      return;
    case 'flood':
      for (let line = 1; line <= Number(rest); line++) speech.say(`line ${line} of ${rest}`);
      return;
    case 'cost':
      costUsd = Number(rest);
      return;
    case 'fork':
      spawn('sleep', [rest], { detached: true, stdio: 'ignore' }).unref();
      return;
  }
}

type Use = (name: string, input: unknown, id: string) => Promise<ToolOutcome>;

async function used(name: string, given: unknown, use: Use): Promise<undefined> {
  const id = speech.useTool(name, given);
  const { text, isError } = await unlessInterrupted(use(name, given, id));
  last = text;
  speech.toolAnswered(id, text, isError);
}

async function usePermitted(name: string, given: unknown, id: string): Promise<ToolOutcome> {
  const answer = await hub.call('request_permission', { tool_name: name, input: given, tool_use_id: id });
  const { data: verdict } = Verdict.safeParse(parsedOr(answer.text, undefined));
  if (verdict?.behavior === 'allow') return useTool(name, verdict.updatedInput ?? given);
  return { text: verdict?.message ?? answer.text, isError: true };
}

function useHub(tool: string, json: string): Promise<undefined> {
  const given = parsedOr(json, undefined);
  return used(`mcp__scopecraft__${tool}`, given ?? json, async () =>
    given === undefined ? { text: `This is not JSON: ${json}`, isError: true } : hub.call(tool, given),
  );
}

/** An interrupt ends commands, but nobody who waits for the hub. */
function unlessInterrupted(outcome: Promise<ToolOutcome>): Promise<ToolOutcome> {
  const { signal } = turn;
  const brokenOff = new Promise<ToolOutcome>((resolve) => {
    signal.addEventListener('abort', () => resolve({ text: 'The user does not want to go on with this.', isError: true }), {
      once: true,
    });
  });
  return Promise.race([outcome, brokenOff]);
}

function interrupted(): void {
  endTool();
  speech.result({ text: 'Request interrupted by user', isError: true, costUsd, subtype: 'error_during_execution' });
  process.exit(0);
}

function die(name: string): Promise<undefined> {
  const signal =
    Object.entries(constants.signals).find(([known]) => known === name || known === `SIG${name}`)?.[1] ??
    constants.signals.SIGKILL;
  process.removeAllListeners();
  process.kill(process.pid, signal);
  return forever();
}

/** Until it is interrupted; the process stays even where its input has ended. */
function forever(): Promise<undefined> {
  const stay = setInterval(() => {}, 60_000);
  return new Promise((resolve) => {
    turn.signal.addEventListener('abort', () => {
      clearInterval(stay);
      resolve(undefined);
    });
  });
}

function parsedOr(json: string, otherwise: unknown): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return otherwise;
  }
}

/** The value of `--session-id` or `--resume`, behind `=` or as the next word. */
function sessionIdIn(args: readonly string[]): string {
  for (const [at, arg] of args.entries()) {
    const [, value] = /^--(?:session-id|resume)(?:=(.*))?$/.exec(arg) ?? [];
    if (/^--(session-id|resume)/.test(arg)) return value ?? args[at + 1] ?? randomUUID();
  }
  return randomUUID();
}
