// The whole core on memory: real ledger, queue, supervisor and orchestrator over a journal in memory and a runner that plays what a test says.
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { AgentEntry, BUILT_IN_AGENTS } from '../../core/agent.ts';
import { budgetHolds } from '../../core/budget.ts';
import { Config } from '../../core/config.ts';
import { fail } from '../../core/errors.ts';
import type { StoredEvent } from '../../core/events.ts';
import type { Git, Worktrees } from '../../core/git-ports.ts';
import { watchIdle } from '../../core/idle.ts';
import { learningBy } from '../../core/learning.ts';
import { type Ledger, openLedger } from '../../core/ledger.ts';
import { watchLine } from '../../core/line-watch.ts';
import { createOrchestrator, type Orchestrator } from '../../core/orchestrator.ts';
import type { Environments, JobQueue, Journal, LogEntry, Room, Settings, Snapshot, TaskStore } from '../../core/ports.ts';
import { recover } from '../../core/recovery.ts';
import { createRequests, type Requests } from '../../core/requests.ts';
import type { Message, RunSpec, Terminals } from '../../core/run-ports.ts';
import type { Secrets } from '../../core/secrets.ts';
import { createSupervisor } from '../../core/supervisor.ts';
import type { Task } from '../../core/task.ts';
import { tuned } from '../../core/tuning.ts';
import { createWatchdog } from '../../core/watchdog.ts';
import { createRuleBook } from '../../prompts/library.ts';
import { prompts } from '../../prompts/render.ts';
import { createEmbeddedQueue } from '../../storage/embedded/queue.ts';
import { type FakeClock, fakeClock } from './fake-clock.ts';
import { memoryRuleFiles } from './memory-rules.ts';
import { type PlayedRun, playedRunner } from './played-runner.ts';

export interface Engine {
  readonly orchestrator: Orchestrator;
  readonly ledger: Ledger;
  readonly queue: JobQueue;
  readonly requests: Requests;
  readonly clock: FakeClock;
  readonly events: StoredEvent[];
  readonly errors: unknown[];
  readonly environments: Environments;
  readonly runs: Map<string, PlayedRun>;
  readonly said: Map<string, Message[]>;
  readonly settings: { config: Config; problems: string[]; untrusted: string[]; notes: string[]; guard: string | undefined };
  /** Waits until everything that was due has happened. */
  settle(): Promise<void>;
  run(sessionId: string): PlayedRun;
  /** Ends all that acts by itself, as when the hub is killed: what its runs say reaches nobody any more. */
  kill(): void;
}

export interface EngineOptions {
  readonly config?: z.input<typeof Config>;
  /** Events of an earlier life. */
  readonly events?: StoredEvent[];
  /** What `adopt` finds: a run to be played, or nothing. */
  readonly found?: (sessionId: string) => boolean;
  readonly start?: (spec: RunSpec) => void;
  /** What every log says; `broken`: none can be read. */
  readonly log?: readonly LogEntry[] | 'broken';
  readonly clock?: FakeClock;
  /** False: this hub lost the workspace. */
  readonly mayStart?: boolean;
  /** Called in each start, before its intent. */
  readonly beforeStart?: () => void;
  /** Why the machine has no room for anybody, from the first moment. */
  readonly guard?: string;
  /** Throws where the journal is to refuse an event. */
  readonly refuse?: (event: StoredEvent) => void;
  /** Awaited before a message is handed over; fails where the run is not to take it. */
  readonly tell?: (message: Message, sessionId: string) => Promise<void>;
  /** Told of each run whose processes are to be ended without being followed. */
  readonly end?: (sessionId: string) => void;
  readonly git?: Partial<Git>;
  /** Deeds of the task store that are other than usual. */
  readonly tasks?: Partial<TaskStore>;
  readonly openWorktree?: Worktrees['open'];
  readonly terminals?: Terminals;
  readonly snapshot?: Snapshot;
  /** What was said to each run, `<session>/<run>`: of an earlier life too. */
  readonly said?: Map<string, Message[]>;
  readonly room?: Room;
  /** False: nobody can come from outside. */
  readonly isOpen?: boolean;
  readonly secrets?: Secrets;
  /** Rule files: name -> text; may be changed while the engine runs. */
  readonly rules?: Map<string, string>;
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

/** No two engines give the same one: a later one may read what an earlier one left. */
let uuids = 0;

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
  tell,
  end,
  git,
  tasks,
  openWorktree,
  terminals = { find: async () => undefined, detach: async () => 0 },
  snapshot,
  room,
  isOpen = true,
  secrets,
  said = new Map(),
  rules = new Map(),
}: EngineOptions = {}): Promise<Engine> {
  const errors: unknown[] = [];
  let isKilled = false;
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
    journal: memoryJournal(events, (event) => {
      // what was on its way to the disk when the hub was killed is not there
      if (isKilled) fail('STORAGE_FAILED', 'The hub was killed.');
      refuse?.(event);
    }),
    clock,
    node: 'test/1',
    onListenerError: (error) => errors.push(error),
    ...(snapshot && { snapshot }),
    ...(room && { room }),
    ...(secrets && { mask: secrets.maskAll }),
  });
  const queue = createEmbeddedQueue({
    conditions: () => ({
      cap: settings.config.resources.maxConcurrentSessions,
      interactiveCap: settings.config.resources.maxInteractiveSessions,
      now: clock.now(),
      isPaused: ledger.isPaused,
      guard: settings.guard,
      isShort: settings.guard !== undefined,
      hold: budgetHolds(ledger, settings.config.budget, clock.now()),
    }),
    onError: (error) => errors.push(error),
  });
  const runner = playedRunner({ runs, found, start, tell, end, said });
  const kept = new Map<string, Readonly<Record<string, string>>>();
  let ids = 0;
  const parts = {
    ledger,
    queue,
    runner,
    prompts,
    rules: createRuleBook({ files: memoryRuleFiles(rules), clock, onError: (error) => errors.push(error) }),
    learning: learningBy({ ledger, clock, settings: { current: () => settings.config } }),
    clock,
    tasks: { ...memoryTasks(), ...tasks },
    logs: {
      async page() {
        if (log === 'broken') throw new Error('the log is broken');
        return { entries: log, cursor: log.at(-1)?.seq, more: false };
      },
    },
    environments: {
      keep: async (id: string, env: Readonly<Record<string, string>>) => void kept.set(id, env),
      find: async (id: string) => kept.get(id),
      forget: async (ids: readonly string[]) => ids.forEach((id) => void kept.delete(id)),
      kept: async () => [...kept.keys()],
    },
    ids: { base32: () => `x${(ids++).toString(36).padStart(3, '0')}`, uuid: () => `uuid-${uuids++}`, random: () => 0.5 },
    settings: settingsOf(settings),
    workspace: '/w',
    folder: async (path: string) =>
      path.startsWith('/w') ? path : fail('PATH_OUTSIDE', `"${path}" is not inside the workspace.`),
    ...(secrets && { mask: secrets.mask }),
    ...(isOpen && {
      passes: {
        grantShare: ({ shareId }: { readonly shareId: string }) => ({ url: 'http://127.0.0.1:1/mcp', token: `token-${shareId}` }),
      },
    }),
    digest: (text: string) => createHash('sha256').update(text).digest('hex'),
  };
  const requests = createRequests({ ledger, clock, settings: parts.settings, onError: (error) => errors.push(error) });
  const supervisor = createSupervisor({
    ...playedGit(git, openWorktree),
    ...parts,
    requests,
    // answers every call with what it was, and says in whose name
    serveRun: (of, run) => ({
      take: ({ callId, message }) => void run.reply(callId, { of, message }),
      close: () => {},
    }),
    mayStart: () => {
      beforeStart?.();
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
    mayBeQuiet: (id) => ledger.session(id)?.status === 'waiting',
    onError: (error) => errors.push(error),
  });
  const orchestrator = createOrchestrator({ ...parts, supervisor, requests, terminals });
  const endIdle = watchIdle({
    ledger,
    clock,
    settings: parts.settings,
    stop: supervisor.stop,
    onError: (error) => errors.push(error),
  });
  recover(ledger, queue);
  queue.work((job) => supervisor.run(job));
  const endWatch = watchLine({ queue, ledger, clock, settings: parts.settings, onError: (error) => errors.push(error) });
  return {
    orchestrator,
    ledger,
    queue,
    requests,
    clock,
    events,
    errors,
    environments: parts.environments,
    runs,
    said,
    settings,
    settle: async () => {
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    },
    run: (id) => runs.get(id) ?? fail('INTERNAL', `No run of ${id} was started.`),
    kill() {
      isKilled = true;
      endIdle();
      endWatch();
      requests.close();
      queue.close();
      void ledger.close();
    },
  };
}

function memoryJournal(events: StoredEvent[], refuse?: (event: StoredEvent) => void): Journal {
  const last = () => events.at(-1)?.seq;
  /** Number of the newest event that was taken; with one that is refused all behind it are. */
  let taken = last();
  /** Number of the newest event that is there, or before the first. */
  let done = taken;
  let failure: unknown = new Error('An event cannot follow on those before it.');
  return {
    async append(event) {
      if (taken !== undefined && event.seq !== taken + 1) throw failure;
      taken = event.seq;
      done ??= event.seq - 1;
      await Promise.resolve();
      if (event.seq !== done + 1) throw failure;
      try {
        refuse?.(event);
      } catch (error) {
        failure = error;
        taken = done;
        throw error;
      }
      events.push(structuredClone(event));
      done = event.seq;
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
function playedGit(
  git: Partial<Git> = {},
  openWorktree?: Worktrees['open'],
): { readonly git: Git; readonly worktrees: Worktrees } {
  const open: Worktrees['open'] = async ({ sessionId, branch }) => ({
    path: `/w/.scopecraft/worktrees/${sessionId}`,
    branch: branch ?? `scopecraft/${sessionId}`,
    base: 'abc',
  });
  return {
    git: { mark: async () => undefined, since: async () => undefined, ...git },
    worktrees: {
      expectPossible: async () => {},
      open: openWorktree ?? open,
      folder: async ({ path }) => path,
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
    ids: async () => [...tasks.keys()].sort(),
    filesOf: async (ids) => [...ids].flatMap((id) => tasks.get(id)?.file ?? []),
    sessionsIn: async () => [],
    async create({ id, title, instruction }) {
      const task = { id, file: `/w/.tasks/current/${id}.task.md`, title, fields: {}, body: instruction };
      tasks.set(id, task);
      return task;
    },
    discard: async ({ id }) => void tasks.delete(id),
  };
}
