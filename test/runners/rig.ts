// A state folder, a runner on it, and the built-in agent as one file: all in a temporary folder, with nothing left behind.
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import { AgentEntry } from '../../core/agent.ts';
import type { Clock } from '../../core/ports.ts';
import type { Message, Run, RunEvent, RunSpec } from '../../core/run-ports.ts';
import { type AutonomousRunnerOptions, createAutonomousRunner } from '../../runners/autonomous.ts';
import { runFolder } from '../../runners/run-folder.ts';
import { endAllMarked } from '../support/processes.ts';

export const realClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

export const SUPERVISE = path.resolve(import.meta.dirname, '../../runners/supervise.sh');

export type EndedEvent = Extract<RunEvent, { kind: 'ended' }>;

/** Bundles one of our TypeScript programs into `folder`, and answers with the file. */
export async function bundled(source: string, folder: string): Promise<string> {
  const outfile = path.join(folder, `${path.basename(source, '.ts')}.mjs`);
  const entry = path.resolve(import.meta.dirname, '../..', source);
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['channelcoder'],
    logLevel: 'error',
  });
  return outfile;
}

export async function openRig(overrides: Partial<AutonomousRunnerOptions> = {}) {
  const root = await realpath(await mkdtemp(path.join(tmpdir(), 'runners-')));
  const stateDir = path.join(root, 'state');
  const work = path.join(root, 'work');
  await mkdir(work);
  const demoAgent = await bundled('runners/demo-agent.ts', root);
  const options: AutonomousRunnerOptions = {
    stateDir,
    workspace: root,
    nodePath: process.execPath,
    hubPidFile: path.join(stateDir, 'hub.pid'),
    scripts: { supervise: SUPERVISE, keeper: '', demoAgent, hub: '/nowhere/hub.cjs' },
    clock: realClock,
    ...overrides,
  };
  const runner = createAutonomousRunner(options);
  const env = { PATH: process.env.PATH ?? '', HOME: root, RIG: root };

  return {
    root,
    work,
    options,
    runner,
    env,
    folder: (sessionId: string, run = 1) => runFolder(stateDir, sessionId, run),
    /** A run of the built-in agent, or of the command given. */
    spec(sessionId: string, prompt: string, command?: readonly [string, ...string[]], more: Partial<RunSpec> = {}): RunSpec {
      const entry = command
        ? { kind: 'command', command: command[0], args: command.slice(1) }
        : { kind: 'demo', output: 'stream-json' };
      return {
        sessionId,
        run: 1,
        agent: { ...AgentEntry.parse(entry), name: command ? 'other' : 'demo' },
        type: 'autonomous',
        messages: [{ promptId: '00000000-0000-4000-8000-000000000000', text: prompt, mode: 'queue' }],
        briefing: '',
        cwd: work,
        env,
        conversationId: '00000000-0000-4000-8000-000000000000',
        resume: false,
        ...more,
      };
    },
    async close() {
      await endAllMarked(root);
      await rm(root, { recursive: true, force: true });
    },
  };
}
export type Rig = Awaited<ReturnType<typeof openRig>>;

/** A message with an id of its own. */
export function said(text: string, mode: Message['mode'] = 'queue'): Message {
  return { promptId: randomUUID(), text, mode };
}

/** Follows the run from now on: what it told so far, and its end. */
export function followed(run: Run) {
  const events: RunEvent[] = [];
  const done = (async () => {
    for await (const event of run.events) events.push(event);
    const last = events.at(-1);
    if (last?.kind !== 'ended') throw new Error(`The last event was ${last?.kind}.`);
    return last;
  })();
  return { events, done, received: () => events.flatMap((event) => (event.kind === 'received' ? [event.promptId] : [])) };
}

/** Everything the run tells, to its end. */
export async function allEvents(run: Run): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of run.events) events.push(event);
  return events;
}

/** How the run ended. */
export async function ending(run: Run): Promise<EndedEvent> {
  const last = (await allEvents(run)).at(-1);
  if (last?.kind !== 'ended') throw new Error(`The last event was ${last?.kind}.`);
  return last;
}

/** Tries again until there is something, or throws after `ms`. */
export async function eventually<T>(what: () => Promise<T | undefined> | T | undefined, ms = 10_000): Promise<T> {
  const until = Date.now() + ms;
  for (;;) {
    const found = await what();
    if (found !== undefined) return found;
    if (Date.now() > until) throw new Error(`Nothing after ${ms} ms.`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
