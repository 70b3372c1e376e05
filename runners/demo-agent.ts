// The built-in agent: a real process that speaks like Claude Code and plays what its prompt scripts, or rehearses the task when
// there is no script. With it everything can be tried and tested without a model. Bundled to dist/demo-agent.mjs.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { createHubCalls } from './demo-mcp.ts';
import { type Directive, directivesIn, filled } from './demo-script.ts';
import { createSpeech } from './demo-speech.ts';
import { serveDemoTerminal } from './demo-terminal.ts';

// in a terminal it is played turn by turn, each by a process of this program without that argument
const terminal = process.argv.find((arg) => arg.startsWith('--terminal='));
if (terminal !== undefined) {
  const [program = '', ...args] = process.argv.slice(1).filter((arg) => arg !== terminal);
  const agent = [process.execPath, program, ...args];
  serveDemoTerminal(agent, sessionIdIn(args), terminal.slice('--terminal='.length));
  await new Promise(() => {});
}

const STEP_MS = 300;
const BashInput = z.object({ command: z.string() });
const WriteInput = z.object({ file_path: z.string(), content: z.string() });

const speech = createSpeech(sessionIdIn(process.argv.slice(2)), Date.now());
const hub = createHubCalls(process.env.SCOPECRAFT_MCP_URL, process.env.SCOPECRAFT_MCP_TOKEN);
let costUsd = 0;
let last = '';
let attempts = 0;
let tool: ChildProcess | undefined;

// like Claude Code: ends its tool, says that it was interrupted, and leaves in good order
process.on('SIGINT', interrupted);
const prompt = readFileSync(0, 'utf8');
speech.start();
const directives = directivesIn(prompt);
for (const directive of directives) await play(directive);
if (directives.length === 0) await rehearse();
// a script that ends with saying something ends with that
const closing = directives.at(-1);
if (closing?.verb === 'say') finish(filled(closing, last));
const ending = `done: ${prompt.replace(/\s+/g, ' ').trim().slice(0, 60)}`;
speech.say(ending);
finish(ending);

async function rehearse(): Promise<void> {
  speech.say('I have read the task. This is a rehearsal: nothing is changed.');
  for (const step of ['1. Read the code the task is about.', '2. Make the change and test it.', '3. Write down what was done.']) {
    await delay(STEP_MS);
    speech.say(step);
  }
  await delay(STEP_MS);
}

async function play(directive: Directive): Promise<void> {
  const rest = filled(directive, last);
  switch (directive.verb) {
    case 'say':
      return speech.say(rest);
    case 'sleep':
      return delay(Number(rest));
    case 'tool':
      return useTool(rest);
    case 'mcp':
      return useHub(rest);
    case 'ask':
      speech.say(rest);
      return finish(rest);
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
      return speech.retry(++attempts, Number(rest));
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

async function useTool(rest: string): Promise<void> {
  const [, name = '', json = ''] = /^(\S+)\s*(.*)$/.exec(rest) ?? [];
  const input: unknown = parsedOr(json, {});
  const id = speech.useTool(name, input);
  const { text, isError } = await toolOutcome(name, input);
  last = text;
  speech.toolAnswered(id, text, isError);
}

async function useHub(rest: string): Promise<void> {
  const [, name = '', json = ''] = /^(\S+)\s*(.*)$/.exec(rest) ?? [];
  const input = parsedOr(json === '' ? '{}' : json, undefined);
  const id = speech.useTool(`mcp__scopecraft__${name}`, input ?? json);
  const { text, isError } =
    input === undefined ? { text: `This is not JSON: ${json}`, isError: true } : await hub.call(name, input);
  last = text;
  speech.toolAnswered(id, text, isError);
}

async function toolOutcome(name: string, input: unknown): Promise<{ text: string; isError: boolean }> {
  const bash = BashInput.safeParse(input);
  if (name === 'Bash' && bash.success) return run(bash.data.command);
  const write = WriteInput.safeParse(input);
  if (name !== 'Write' || !write.success) return { text: `There is no tool ${name} with this input.`, isError: true };
  const file = path.resolve(write.data.file_path);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, write.data.content);
  return { text: `Wrote ${file}.`, isError: false };
}

/** In a process group and session of its own, as Claude Code does it. */
function run(command: string): Promise<{ text: string; isError: boolean }> {
  return new Promise((resolve) => {
    tool = spawn('/bin/sh', ['-c', command], { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    const take = (chunk: Buffer) => {
      text += chunk.toString();
    };
    tool.stdout?.on('data', take);
    tool.stderr?.on('data', take);
    tool.once('close', (code) => {
      tool = undefined;
      resolve({ text: text.trimEnd(), isError: code !== 0 });
    });
  });
}

function interrupted(): void {
  try {
    if (tool?.pid !== undefined) process.kill(-tool.pid, 'SIGKILL');
  } catch {
    // its group ended in this moment
  }
  speech.result({ text: 'Request interrupted by user', isError: true, costUsd, subtype: 'error_during_execution' });
  process.exit(0);
}

function finish(text: string): never {
  speech.result({ text, isError: false, costUsd });
  process.exit(0);
}

function die(name: string): Promise<never> {
  const signal =
    Object.entries(constants.signals).find(([known]) => known === name || known === `SIG${name}`)?.[1] ??
    constants.signals.SIGKILL;
  process.removeAllListeners();
  process.kill(process.pid, signal);
  return forever();
}

function forever(): Promise<never> {
  setInterval(() => {}, 60_000);
  return new Promise(() => {});
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
