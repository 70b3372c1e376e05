// The whole core on memory: real ledger, queue, supervisor and orchestrator over a journal in memory and a runner that plays what a test says.
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { AgentEntry, BUILT_IN_AGENTS } from '../../core/agent.ts';
import { budgetHolds } from '../../core/budget.ts';
import { Config } from '../../core/config.ts';
import type { EndCause } from '../../core/ending.ts';
import { fail } from '../../core/errors.ts';
import type { StoredEvent } from '../../core/events.ts';
import { watchIdle } from '../../core/idle.ts';
import { type Ledger, openLedger } from '../../core/ledger.ts';
import { watchLine } from '../../core/line-watch.ts';
import { createOrchestrator, type Orchestrator } from '../../core/orchestrator.ts';
import type { JobQueue, Journal, LogEntry, Settings, TaskStore } from '../../core/ports.ts';
import { recover } from '../../core/recovery.ts';
import { createRequests } from '../../core/requests.ts';
import type { Message, Run, RunEvent, Runner, RunSpec, Terminals, Verdict } from '../../core/run-ports.ts';
import { createSupervisor } from '../../core/supervisor.ts';
import type { Task } from '../../core/task.ts';
import { tuned } from '../../core/tuning.ts';
import { createWatchdog } from '../../core/watchdog.ts';
import { prompts } from '../../prompts/render.ts';
import { createEmbeddedQueue } from '../../storage/embedded/queue.ts';
import { type FakeClock, fakeClock } from './fake-clock.ts';

/** One run as the test plays it. */
export interface PlayedRun {
  readonly spec: RunSpec | undefined;
  readonly stops: readonly EndCause[];
  /** What was said to it while it ran. */
  readonly messages: readonly Message[];
  /** How it was answered. */
  readonly answers: ReadonlyArray<Verdict & { readonly callId: string }>;
  say(event: RunEvent): void;
  /** The process ends with this code, with a result unless told otherwise. */
  end(code: number, more?: Partial<Extract<RunEvent, { kind: 'ended' }>>): void;
}

export interface Engine {
  readonly orchestrator: Orchestrator;
  readonly ledger: Ledger;
  readonly queue: JobQueue;
  readonly clock: FakeClock;
  readonly events: StoredEvent[];
  readonly errors: unknown[];
  readonly runs: Map<string, PlayedRun>;
  readonly settings: { config: Config; problems: string[]; untrusted: string[]; notes: string[]; guard: string | undefined };
  /** Waits until everything that was due has happened. */
  settle(): Promise<void>;
  run(sessionId: string): PlayedRun;
}

export interface EngineOptions {
  readonly config?: z.input<typeof Config>;
  /** Events of an earlier life. */
  readonly events?: StoredEvent[];
  /** What `adopt` finds: a run to be played, or nothing. */
  readonly found?: (sessionId: string) => boolean;
  readonly start?: (spec: RunSpec) => void;
  readonly log?: readonly LogEntry[];
  readonly clock?: FakeClock;
  /** False: this hub lost the workspace. */
  readonly mayStart?: boolean;
  /** Awaited before each start, to make the moment longer. */
  readonly beforeStart?: () => Promise<void>;
  /** Why the machine has no room for anybody, from the first moment. */
  readonly guard?: string;
  /** Throws where the journal is to refuse an event. */
  readonly refuse?: (event: StoredEvent) => void;
}

const TASKS = ['fix-login', 'other'].map(
  (id): Task => ({
    id,
    file: `/w/.tasks/${id}.task.md`,
    title: `Title of ${id}`,
    fields: { status: '🟡 To Do', type: 'bug', area: 'auth', tags: ['a', 'B'] },
    body: `Do ${id}.`,
  }),
);

export const caller = { by: 'a test', environment: { PATH: '/bin', SECRET: 'no', ANTHROPIC_API_KEY: 'key' } };

export async function makeEngine({
  config = {},
  events = [],
  found = () => true,
  start,
  log = [],
  clock = fakeClock(),
  mayStart = true,
  beforeStart,
  guard,
  refuse,
}: EngineOptions = {}): Promise<Engine> {
  const errors: unknown[] = [];
  const runs = new Map<string, PlayedRun>();
  const settings = {
    config: Config.parse({ defaultAgent: 'demo', ...config }),
    problems: [] as string[],
    untrusted: [] as string[],
    notes: [] as string[],
    guard,
  };
  settings.config = {
    ...settings.config,
    agents: {
      ...BUILT_IN_AGENTS,
      plain: AgentEntry.parse({ kind: 'command', command: 'cat', env: ['WANTED'] }),
      ...settings.config.agents,
    },
  };
  const ledger = await openLedger({
    journal: memoryJournal(events, refuse),
    clock,
    node: 'test/1',
    onListenerError: (error) => errors.push(error),
  });
  const queue = createEmbeddedQueue({
    conditions: () => ({
      cap: settings.config.resources.maxConcurrentSessions,
      now: clock.now(),
      isPaused: ledger.isPaused,
      guard: settings.guard,
      isShort: settings.guard !== undefined,
      hold: budgetHolds(ledger, settings.config.budget, clock.now()),
    }),
    onError: (error) => errors.push(error),
  });
  const runner = playedRunner(runs, found, start);
  const kept = new Map<string, Readonly<Record<string, string>>>();
  let ids = 0;
  const parts = {
    ledger,
    queue,
    runner,
    prompts,
    clock,
    tasks: memoryTasks(),
    logs: { page: async () => ({ entries: log, cursor: log.at(-1)?.seq, more: false }) },
    environments: {
      keep: async (id: string, env: Readonly<Record<string, string>>) => void kept.set(id, env),
      find: async (id: string) => kept.get(id),
    },
    ids: { base32: () => `x${(ids++).toString(36).padStart(3, '0')}`, uuid: () => `uuid-${ids++}`, random: () => 0.5 },
    settings: settingsOf(settings),
    workspace: '/w',
    folder: async (path: string) =>
      path.startsWith('/w') ? path : fail('PATH_OUTSIDE', `"${path}" is not inside the workspace.`),
    digest: (text: string) => createHash('sha256').update(text).digest('hex'),
  };
  const requests = createRequests({ ledger, clock, settings: parts.settings, onError: (error) => errors.push(error) });
  const supervisor = createSupervisor({
    ...playedGit(),
    ...parts,
    requests,
    mayStart: async () => {
      await beforeStart?.();
      if (!mayStart) queue.close();
      return mayStart;
    },
    watchdog: () => watchdog,
    onError: (error: unknown) => errors.push(error),
  });
  const watchdog = createWatchdog({
    clock,
    settings: parts.settings,
    stop: supervisor.stop,
    onError: (error) => errors.push(error),
  });
  const terminals: Terminals = { find: async () => undefined, detach: async () => 0 };
  const orchestrator = createOrchestrator({ ...parts, supervisor, requests, terminals });
  watchIdle({ ledger, clock, settings: parts.settings, stop: supervisor.stop, onError: (error) => errors.push(error) });
  recover(ledger, queue);
  queue.work((job) => supervisor.run(job));
  watchLine({ queue, ledger, clock, settings: parts.settings, onError: (error) => errors.push(error) });
  return {
    orchestrator,
    ledger,
    queue,
    clock,
    events,
    errors,
    runs,
    settings,
    settle: async () => {
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    },
    run: (id) => runs.get(id) ?? fail('INTERNAL', `No run of ${id} was started.`),
  };
}

function memoryJournal(events: StoredEvent[], refuse?: (event: StoredEvent) => void): Journal {
  return {
    async append(event) {
      await Promise.resolve();
      refuse?.(event);
      events.push(structuredClone(event));
    },
    async *read(after = 0) {
      for (const event of [...events]) if (event.seq > after) yield event;
    },
    extent: () => ({ first: events[0]?.seq ?? 1, last: events.at(-1)?.seq ?? 0, bytes: 0 }),
    trim: async () => {},
    close: async () => {},
  };
}

function settingsOf(state: Engine['settings']): Settings {
  return {
    current: () => state.config,
    refresh: async () => {},
    problems: () => state.problems,
    untrustedAgents: () => state.untrusted,
    notes: () => state.notes,
    override(overrides) {
      state.config = tuned(state.config, overrides);
    },
  };
}

/** Folders that are no checkouts, and worktrees that are there at once. */
function playedGit() {
  return {
    git: { mark: async () => undefined, since: async () => undefined },
    worktrees: {
      open: async ({ sessionId, branch }: { readonly sessionId: string; readonly branch?: string | undefined }) => ({
        path: `/w/.scopecraft/worktrees/${sessionId}`,
        branch: branch ?? `scopecraft/${sessionId}`,
        base: 'abc',
      }),
      folder: async ({ path }: { readonly path: string }) => path,
      list: async () => [],
      unsaved: async () => undefined,
      remove: async () => undefined,
    },
  };
}

function memoryTasks(): TaskStore {
  const tasks = new Map(TASKS.map((task) => [task.id, task]));
  return {
    get: async (id) => tasks.get(id),
    list: async () => [...tasks.values()],
    async create({ id, title, instruction }) {
      const task = { id, file: `/w/.tasks/current/${id}.task.md`, title, fields: {}, body: instruction };
      tasks.set(id, task);
      return task;
    },
  };
}

function playedRunner(
  runs: Map<string, PlayedRun>,
  found: (id: string) => boolean,
  onStart: ((spec: RunSpec) => void) | undefined,
): Runner {
  const play = (sessionId: string, spec: RunSpec | undefined): Run => {
    const told: RunEvent[] = [];
    const stops: EndCause[] = [];
    const messages: Message[] = [];
    const answers: (Verdict & { readonly callId: string })[] = [];
    let wake = () => {};
    const say = (event: RunEvent) => {
      told.push(event);
      wake();
    };
    const result = { text: 'done', isError: false, costUsd: 0.01, turns: 2 };
    runs.set(sessionId, {
      spec,
      stops,
      messages,
      answers,
      say,
      end: (code, more) => say({ kind: 'ended', exit: { code }, result, stderr: '', ...more }),
    });
    return {
      async stop(cause) {
        stops.push(cause);
      },
      async tell(message) {
        messages.push(message);
      },
      async answer(callId, verdict) {
        answers.push({ callId, ...verdict });
      },
      events: (async function* () {
        for (;;) {
          const event = told.shift();
          if (event) yield event;
          if (event?.kind === 'ended') return;
          if (!event) await new Promise<void>((resolve) => (wake = resolve));
        }
      })(),
    };
  };
  return {
    locate: async (agent) => (agent.command === 'missing' ? undefined : `/bin/${agent.command ?? agent.kind}`),
    async start(spec) {
      onStart?.(spec);
      return play(spec.sessionId, spec);
    },
    adopt: async (sessionId) => (found(sessionId) ? play(sessionId, undefined) : undefined),
  };
}
