// What the core needs from the outside, each as small as it can be. Implementations live in storage/, runners/ and prompts/;
// each passes the suite of its port in test/conformance/.
import type { AgentEntry } from './agent.ts';
import type { Config } from './config.ts';
import type { AgentResult, EndCause } from './ending.ts';
import type { StoredEvent } from './events.ts';
import type { Line, WaitingJob } from './scheduler.ts';
import type { ProcessRef, Session, SessionType } from './session.ts';
import type { PromptMode } from './talk.ts';
import type { Task } from './task.ts';
import type { Overrides } from './tuning.ts';

/** Time, handed in. Milliseconds since the epoch. */
export interface Clock {
  now(): number;
  /** Calls back once after `ms`; the returned function gives up the call. Never keeps a process alive by itself. */
  after(ms: number, callback: () => void): () => void;
}

/** Where events are made durable, in order. */
export interface Journal {
  /**
   * Resolves when the event is on disk (fsync), in the order of the calls. Calls made while a write is under way share the next one. Where a
   * write fails, it is taken back and all calls behind it are refused with it: STORAGE_FULL or STORAGE_FAILED. Later calls may go well, and
   * must go on with the number after the last event that did.
   */
  append(event: StoredEvent): Promise<void>;
  /** Every event on disk at the time of the call with a number above `after`, oldest first. Fails with STORAGE_CORRUPT or HUB_VERSION. */
  read(after?: number): AsyncIterable<StoredEvent>;
  /** Numbers of the oldest and the newest event on disk (`last` is `first` - 1 when there is none), and how many bytes were appended since it was opened. */
  extent(): JournalExtent;
  /** Removes old events, none with a number above `upTo`; may leave some of the others. */
  trim(upTo: number): Promise<void>;
  close(): Promise<void>;
}

export interface JournalExtent {
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
}

/** What the facts up to a number add up to. */
export interface SavedState {
  /** Number and time of the newest fact in it. */
  readonly seq: number;
  readonly at: number;
  readonly sessions: readonly Session[];
  readonly keys: readonly SavedKey[];
  /** True while the line is paused; false where it was saved before lines could be. */
  readonly isPaused?: boolean | undefined;
  readonly overrides?: Overrides | undefined;
}

/** What a request key was used for, and when. */
export interface SavedKey {
  readonly key: string;
  readonly sessionId: string;
  readonly digest: string;
  readonly at: number;
}

/** The state as it was at some number, so that a start need not read every event. */
export interface Snapshot {
  /** The newest state that can be read. `none` was never saved, or it is `unreadable`: put aside, and not the same as empty. */
  load(): Promise<SavedState | 'none' | 'unreadable'>;
  /** Resolves when it is on disk, with its size in bytes; the one before is kept beside it. */
  save(state: SavedState): Promise<number>;
}

/** Space on the disk of the state, and a reserve for what must be recorded when there is none. */
export interface Room {
  /** Why nothing new may be taken, in a sentence; undefined when there is room. */
  problem(): string | undefined;
  /** Looks anew, and answers as `problem`. */
  look(): Promise<string | undefined>;
  /** Gives up the reserve. From then on there is a problem until there is space for a new one. */
  giveReserve(): Promise<void>;
}

/** The line and what runs. While the promise of a job's handler is pending, its run is active: the promise is the lease of its slot. */
export interface JobQueue {
  /** Puts a job into the line, at its place. With `adopt` it is active, and its handler is called at once or by `work`, line or no line: for runs found alive. */
  add(job: WaitingJob, adopt?: 'adopt'): void;
  /** Takes a waiting job out; false when it does not wait here. */
  remove(sessionId: string): boolean;
  /** How everything stands now, waiting jobs best first. */
  line(): Line;
  /** A run waits for its own descendants: its slot is lent until the returned function is called. */
  lend(sessionId: string): () => void;
  /** Names the deed that is done with each admitted job, and starts admitting. A job that it resolves with goes into the line again. */
  work(handler: (job: WaitingJob) => Promise<WaitingJob | undefined>): void;
  /** Looks again whether somebody may start: the conditions have changed. */
  admit(): void;
  /** Admits nothing more. Running handlers go on. */
  close(): void;
}

/** Something said to a session. */
export interface Message {
  /** A UUID, by which the agent's own record tells that it got this very message. */
  readonly promptId: string;
  readonly text: string;
  /** `queue`: taken up when the agent comes to it; `interrupt`: what it does is broken off first. */
  readonly mode: PromptMode;
}

/** All that one run needs to know. */
export interface RunSpec {
  readonly sessionId: string;
  readonly run: number;
  readonly type: SessionType;
  readonly agent: AgentEntry & { readonly name: string };
  /** What the agent is told, in order; at least one. The run begins with the first. */
  readonly messages: readonly Message[];
  /** What the agent is told about its session besides the prompt, where the agent has a place for it. */
  readonly briefing: string;
  /** Absolute working folder. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly conversationId: string;
  /** True: go on with the conversation; false: begin it. */
  readonly resume: boolean;
  readonly model?: string | undefined;
  readonly maxCostUsd?: number | undefined;
  /** JSON Schema, as text, of the data the agent is to end with. */
  readonly resultSchema?: string | undefined;
  /** Where the agent reaches the hub that runs it, as this run. The token goes into files of the run and its environment, never into arguments or logs. */
  readonly mcp?:
    | {
        readonly url: string;
        readonly token: string;
        /** After so long the agent gives up a call, in milliseconds. It may have asked something that is answered late. */
        readonly callTimeoutMs?: number | undefined;
      }
    | undefined;
}

/** How a run's process ended, as far as it was seen. */
export type Exit = { readonly code: number } | 'lost';

export type RunEvent =
  /** The agent's process is there. */
  | { readonly kind: 'started'; readonly process: ProcessRef }
  /** Its log grew to this many bytes. */
  | { readonly kind: 'spoke'; readonly bytes: number }
  /** Its standard error grew to this many bytes. */
  | { readonly kind: 'complained'; readonly bytes: number }
  /** The agent's API refused and it tries again. */
  | { readonly kind: 'retrying'; readonly attempt: number; readonly status: number | undefined }
  /** The agent's own record shows that it got this message. Told once for each hub that follows the run; may be told of messages nobody asked about. */
  | { readonly kind: 'received'; readonly promptId: string }
  /** The message did not reach the agent and will not in this run. */
  | { readonly kind: 'undelivered'; readonly promptId: string; readonly reason: string }
  /** It stopped working and waits for somebody: at its prompt, at a permission, or for what cannot be told. Interactive runs only; told at each change. */
  | { readonly kind: 'idle'; readonly for: 'prompt' | 'permission' | 'unknown'; readonly text?: string | undefined }
  /** It works again. */
  | { readonly kind: 'works' }
  /** The last event: its whole process tree is gone. `stderr` is the last of what it wrote there. */
  | { readonly kind: 'ended'; readonly exit: Exit; readonly result: AgentResult | undefined; readonly stderr: string };

/** One run that was started or found. */
export interface Run {
  /** Ends after `ended`. To be read once. */
  readonly events: AsyncIterable<RunEvent>;
  /** Takes down the whole process tree, by the ladder of its agent kind. Resolves when asked, not when gone; may be called again. */
  stop(cause: EndCause): Promise<void>;
  /**
   * Says something to the agent. Resolves when it is handed over; that the agent has it is told by `received`. A promptId that was handed over
   * to this run before, also by an earlier hub, is not said again. Fails with PROMPT_REFUSED where this agent cannot be spoken to while it runs.
   */
  tell(message: Message): Promise<void>;
}

/** Starts, watches and stops runs of one kind. */
export interface Runner {
  /** The agent's program as an absolute path, or undefined when it is not there. */
  locate(agent: AgentEntry, env: Readonly<Record<string, string>>, type?: SessionType): Promise<string | undefined>;
  /** Starts the run, at most once ever for this session and run number. Fails with AGENT_MISSING or STORAGE_FAILED. */
  start(spec: RunSpec): Promise<Run>;
  /** The run as it is found after a restart, alive or ended; undefined when it never started, and then it never will. */
  adopt(sessionId: string, run: number): Promise<Run | undefined>;
}

/** Where a person meets an interactive session. */
export interface Terminal {
  /** The exact command line, as words. */
  readonly command: readonly string[];
  /** Path of the tmux server's socket. */
  readonly socket: string;
  readonly session: string;
  readonly pane: string;
  /** Terminals that are attached now. */
  readonly attached: number;
}

/** The terminals of interactive runs. */
export interface Terminals {
  /** The terminal of this run, or undefined when it has none (any more). */
  find(sessionId: string, run: number): Promise<Terminal | undefined>;
  /** Detaches everybody; answers how many there were. */
  detach(sessionId: string, run: number): Promise<number>;
}

/** A folder of its own for a session: a git worktree on a branch. */
export interface Worktree {
  /** Absolute. */
  readonly path: string;
  readonly branch: string;
  /** Commit from which the branch was made. */
  readonly base: string;
}

/** A worktree as it is found, also that of a session that is gone. */
export interface FoundWorktree extends Worktree {
  readonly sessionId: string;
  /** False when only its branch is left. */
  readonly isThere: boolean;
}

/** Git worktrees of sessions. */
export interface Worktrees {
  /**
   * Makes the worktree, or makes it again at the same path when its folder is gone and its branch is not. Set-up commands and copied files come
   * from the settings; they are done once for each worktree, and broken off by the signal. Fails with WORKTREE_GONE, WORKTREE_FAILED, CANCELLED.
   */
  open(want: {
    readonly sessionId: string;
    readonly branch?: string | undefined;
    readonly known?: Worktree | undefined;
    readonly signal?: AbortSignal | undefined;
  }): Promise<Worktree>;
  /** The folder in the worktree that stands for this one of the workspace; it is made where it is missing. Fails with WORKTREE_FAILED. */
  folder(worktree: Worktree, folder: string): Promise<string>;
  /** Those of this workspace that are there, in order of session id; none where there is no repository. Fails with WORKTREE_FAILED. */
  list(): Promise<readonly FoundWorktree[]>;
  /** What would be lost with it, in words: uncommitted work, and commits of a branch of ours that are on no other; undefined when nothing would. */
  unsaved(worktree: Worktree): Promise<string | undefined>;
  /**
   * Removes it, with its branch when that is ours and nothing would be lost, unless the branch is to be kept; a reason in words when it stays,
   * because of what is unsaved, unless forced, or because git refuses. What is committed to a branch is never removed, forced or not.
   */
  remove(
    worktree: Worktree,
    options: { readonly force: boolean; readonly keepBranch?: boolean | undefined },
  ): Promise<string | undefined>;
}

/** What a session changed in its folder. */
export interface Changes {
  /** Paths relative to the folder, at most 100. */
  readonly files: readonly string[];
  readonly fileCount: number;
  readonly insertions: number;
  readonly deletions: number;
  /** Newest first, at most 20. */
  readonly commits: readonly { readonly id: string; readonly subject: string }[];
  readonly commitCount: number;
}

/** What git says about folders. */
export interface Git {
  /** How the folder stands, in a word that only `since` reads; undefined where it is no git checkout. */
  mark(folder: string): Promise<string | undefined>;
  /** What has changed since in the whole checkout, committed or not, without these files (absolute paths); undefined where that cannot be told. */
  since(folder: string, mark: string, leaveOut?: readonly string[]): Promise<Changes | undefined>;
}

/** What a new task file says. */
export interface TaskDraft {
  readonly id: string;
  readonly title: string;
  readonly instruction: string;
}

export interface TaskStore {
  /** The task with this id. Undefined when there is none; fails with PATH_OUTSIDE, TASK_UNREADABLE or INVALID_INPUT. */
  get(id: string): Promise<Task | undefined>;
  /** Every task that can be read, in order of id. */
  list(): Promise<readonly Task[]>;
  /** Makes a task file. Fails with TASK_EXISTS. */
  create(draft: TaskDraft): Promise<Task>;
}

export interface LogEntry {
  /** Place in the session's log, `<run>:<byte>`: what `after` wants. */
  readonly seq: string;
  /** ISO 8601, where the agent said it. */
  readonly at?: string | undefined;
  readonly kind: LogKind;
  readonly text: string;
  /** With tool_use and tool_result: the tool. */
  readonly tool?: string | undefined;
}

export const LOG_KINDS = [
  'start',
  'text',
  'thinking',
  'tool_use',
  'tool_result',
  'prompt',
  'retry',
  'result',
  'error',
  'output',
] as const;
export type LogKind = (typeof LOG_KINDS)[number];

export interface LogQuery {
  readonly after?: string | undefined;
  /** Only the last so many entries. */
  readonly tail?: number | undefined;
  readonly kinds?: readonly LogKind[] | undefined;
  /** At most so many entries. */
  readonly limit: number;
  /** At most so many characters of text in all; whole entries, the first one cut when it alone is longer. */
  readonly characters: number;
}

export interface LogPage {
  readonly entries: readonly LogEntry[];
  /** Where to go on: the seq of the last entry read, or what was given when nothing was. */
  readonly cursor: string | undefined;
  /** True when there are more entries behind the cursor now. */
  readonly more: boolean;
}

export interface Logs {
  /** A part of the session's log over all its runs, oldest first. */
  page(sessionId: string, runs: number, query: LogQuery): Promise<LogPage>;
}

/** What an agent is told. */
export interface Prompts {
  /** The text a session on this task begins with. */
  first(task: Task): string;
  /** What is said when a session is tried again in the same conversation. */
  again(session: Session): string;
  /** What an agent is told about the session it works in. */
  briefing(session: Session, taskFile: string | undefined): string;
}

/** The settings in force, and what is wrong with the files they come from. */
export interface Settings {
  current(): Config;
  /** Reads the files again where they changed. */
  refresh(): Promise<void>;
  /** Every problem of the files, in words; while there are any, nothing new is started. */
  problems(): readonly string[];
  /** Agents that an untrusted workspace config declares; they are not run. */
  untrustedAgents(): readonly string[];
  /** What a caller should know, such as that a workspace config is not trusted. */
  notes(): readonly string[];
  /** Puts what was changed by calls over the files. Fails with INVALID_INPUT where it does not fit; then nothing changes. */
  override(overrides: Overrides): void;
}

/** What one run's process tree uses now. */
export interface RunUsage {
  /** Proportional set size where the kernel tells it, else resident set size, in bytes. */
  readonly memoryBytes: number;
  /** Processor time over wall time since the sample before; 1 is one core. */
  readonly cpu: number;
  readonly processes: number;
}

/** What the machine has left now. */
export interface MachineUsage {
  readonly freeMemoryBytes: number;
  /** Load of the last minute over the number of cores. */
  readonly cpuLoad: number;
  /** Share of the last ten seconds, 0 to 1, in which some process waited for memory, where the kernel tells it. */
  readonly memoryPressure?: number | undefined;
}

/** Measures what runs use, all of them with one look at the process table. */
export interface Meter {
  /** Runs by session id; those that are gone are missing from the answer. */
  sample(
    runs: readonly { readonly sessionId: string; readonly run: number }[],
  ): Promise<{ readonly machine: MachineUsage; readonly runs: ReadonlyMap<string, RunUsage> }>;
}

/** Names that nobody else has. */
export interface Ids {
  /** At least 0, below 1. */
  random(): number;
  /** So many characters of a-z and 2-7. */
  base32(length: number): string;
  uuid(): string;
}

/** The values of the environment variables agents may get, kept with the session. */
export interface Environments {
  /** Keeps the environment of a session, readable by the owner alone. */
  keep(sessionId: string, env: Readonly<Record<string, string>>): Promise<void>;
  /** What was kept, or undefined. */
  find(sessionId: string): Promise<Readonly<Record<string, string>> | undefined>;
}
