// An interactive runner on a tmux server of its own, in a temporary folder, with nothing left behind.
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { AgentEntry } from '../../core/agent.ts';
import type { Message, Run, RunEvent, RunSpec } from '../../core/run-ports.ts';
import { factOfHook } from '../../runners/agent-record.ts';
import { createInteractiveRunner, type InteractiveRunnerOptions } from '../../runners/interactive.ts';
import { readLine } from '../../runners/transcript.ts';
import { type ClaudeSandbox, claudeSandbox } from '../support/claude.ts';
import { type StubModel, startStubModel } from '../support/stub-model.ts';
import { eventually, openRig, realClock } from './rig.ts';

const HOOK = path.resolve(import.meta.dirname, '../../runners/hook.sh');

/** A UUID of its own for each number. */
export function idOf(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
}

export function message(number: number, text: string, mode: Message['mode'] = 'queue'): Message {
  return { promptId: idOf(number), text, mode };
}

export async function openInteractiveRig(limits: InteractiveRunnerOptions['limits'] = {}) {
  const rig = await openRig();
  // a socket's path is short
  const runtimeDir = await mkdtemp('/tmp/sc-tmux-');
  const options: InteractiveRunnerOptions = {
    ...rig.options,
    scripts: { ...rig.options.scripts, hook: HOOK },
    runtimeDir,
    clock: realClock,
    limits,
  };
  const socket = path.join(runtimeDir, 'tmux', 's');
  const env = { ...rig.env, LANG: 'C.UTF-8', SHELL: '/bin/sh' };

  return {
    ...rig,
    options,
    socket,
    env,
    runner: createInteractiveRunner(options),
    /** Another runner on the same folders, as the next hub makes it. */
    nextHub: () => createInteractiveRunner(options),
    spec(
      sessionId: string,
      messages: readonly Message[],
      command?: readonly [string, ...string[]],
      more: Partial<RunSpec> = {},
    ): RunSpec {
      return { ...rig.spec(sessionId, '', command), type: 'interactive', messages, env, ...more };
    },
    /** What the log of the first run tells. */
    async logOf(sessionId: string) {
      const text = await readFile(path.join(rig.folder(sessionId), 'out'), 'utf8');
      return text.split('\n').flatMap((line) => readLine(line, 'stream-json').entries);
    },
    tmux: (...words: string[]) => tmuxCall(socket, words),
    /** Names of the sessions of agents on the server; when there are none, of all that are left; none when it is gone. */
    sessions: () => {
      const names = tmuxCall(socket, ['list-sessions', '-F', '#{session_name}']).split('\n').filter(Boolean);
      const ofAgents = names.filter((name) => name.startsWith('s-'));
      return ofAgents.length > 0 ? ofAgents : names;
    },
    /** Takes this choice of the dialog in that terminal, as a person does: a dialog that has just opened may not listen yet. */
    async choose(session: string, choice: RegExp) {
      const target = `=${session}:`;
      const choices = () => {
        const lines = tmuxCall(socket, ['capture-pane', '-p', '-t', target]).split('\n');
        return lines.filter((line) => choice.test(line)).map((line) => line.trimStart().startsWith('\u276f'));
      };
      await eventually(() => choices().length > 0 || undefined, 40_000);
      let takenAt = Number.NEGATIVE_INFINITY;
      await eventually(async () => {
        const [isMarked] = choices();
        if (isMarked === undefined) return true;
        // one that was taken shows before
        if (!isMarked || Date.now() - takenAt > 1500) {
          tmuxCall(socket, ['send-keys', '-t', target, isMarked ? 'Enter' : 'Down']);
          if (isMarked) takenAt = Date.now();
        }
        await new Promise((resolve) => setTimeout(resolve, 100));
        return undefined;
      });
    },
    async close() {
      tmuxCall(socket, ['kill-server']);
      await rig.close();
      await rm(runtimeDir, { recursive: true, force: true });
    },
  };
}
export type InteractiveRig = Awaited<ReturnType<typeof openInteractiveRig>>;

function tmuxCall(socket: string, words: readonly string[]): string {
  try {
    return execFileSync('tmux', ['-u', '-N', '-S', socket, ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return '';
  }
}

export interface ClaudeRig extends InteractiveRig {
  readonly model: StubModel;
  readonly sandbox: ClaudeSandbox;
  claude(sessionId: string, messages: readonly Message[], more?: Partial<RunSpec>): RunSpec;
}

/** The same with the real Claude Code and its stub model. */
export async function openClaudeRig(limits?: InteractiveRunnerOptions['limits']): Promise<ClaudeRig> {
  const rig = await openInteractiveRig(limits);
  const model = await startStubModel();
  const sandbox = await claudeSandbox({ modelUrl: model.url });
  const agent = { ...AgentEntry.parse({ kind: 'claude', permissionMode: 'default' }), name: 'claude' };
  return {
    ...rig,
    model,
    sandbox,
    claude: (sessionId, messages, more = {}) => ({
      ...rig.spec(sessionId, messages),
      agent,
      cwd: sandbox.cwd,
      env: { ...sandbox.env, RIG: rig.root },
      conversationId: crypto.randomUUID(),
      ...more,
    }),
    async close() {
      await rig.close();
      await model.close();
      await sandbox.close();
    },
  };
}

/** Reads a run's events in the background. */
export function listen(run: Run) {
  const events: RunEvent[] = [];
  const over = (async () => {
    for await (const event of run.events) events.push(event);
  })();
  const find = <K extends RunEvent['kind']>(kind: K, fits: (event: Extract<RunEvent, { kind: K }>) => boolean = () => true) => {
    const found = events.find((event): event is Extract<RunEvent, { kind: K }> => event.kind === kind && fits(event as never));
    return found;
  };
  return {
    events,
    over,
    /** The first event of this kind that fits. */
    event: <K extends RunEvent['kind']>(kind: K, fits?: (event: Extract<RunEvent, { kind: K }>) => boolean, ms = 40_000) =>
      eventually(() => find(kind, fits), ms),
    /** What became of a message. */
    outcome: (number: number, ms = 40_000) =>
      eventually(() => {
        const event = events.find((one) => 'promptId' in one && one.promptId === idOf(number));
        return event?.kind === 'undelivered' ? event.reason : event?.kind;
      }, ms),
    /** Until the last that was heard is that it waits at its prompt. */
    rests: (ms = 40_000) =>
      eventually(() => {
        const last = events.findLast(({ kind }) => kind === 'idle' || kind === 'works');
        return last?.kind === 'idle' && last.for === 'prompt' ? true : undefined;
      }, ms),
    kinds: () => events.map(({ kind }) => kind),
  };
}

/** The prompts that hooks told of. */
export async function hookedPrompts(folder: string): Promise<string[]> {
  const text = await readFile(path.join(folder, 'hooks'), 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    const fact = factOfHook(line);
    return fact?.kind === 'prompt' ? [fact.text] : [];
  });
}
