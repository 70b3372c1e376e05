// What the core needs from the outside, each as small as it can be. Implementations live in storage/, runners/ and prompts/;
// a journal passes the suite in test/conformance/.
import type { Config } from './config.ts';
import type { StoredEvent } from './events.ts';
import type { UsedKey } from './ledger-state.ts';
import type { RuleTally } from './rule-tally.ts';
import type { Line, WaitingJob } from './scheduler.ts';
import type { Session } from './session.ts';
import type { Task, ToldSession } from './task.ts';
import type { Overrides } from './tuning.ts';

/** Time, handed in: `now` since the epoch, for when something was, `elapsed` by a clock that nobody sets, for how long it takes. Milliseconds. */
export interface Clock {
  now(): number;
  elapsed(): number;
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
  /** What came of the rules, those that nothing happened to for longest first. */
  readonly rules: readonly RuleTally[];
  /** True while the line is paused. */
  readonly isPaused: boolean;
  readonly pauseReason?: string | undefined;
  readonly overrides: Overrides;
}

/** A request key, and what it was used for. */
export interface SavedKey extends UsedKey {
  readonly key: string;
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
  /** Ids of the task files there are, by id, readable or not: of the last look, while the next one is under way. Waits only where there was none. */
  ids(): Promise<readonly string[]>;
  /** Absolute paths of the files of these tasks, as far as there are any: of the last look, while the next one is under way. */
  filesOf(ids: Iterable<string>): Promise<readonly string[]>;
  /** The sessions that the file of this task tells of. */
  sessionsIn(task: Task): Promise<readonly ToldSession[]>;
  /** Makes a task file. Fails with TASK_EXISTS. */
  create(draft: TaskDraft): Promise<Task>;
  /** Removes the file that was made of it, unless it was moved or somebody has written into it. */
  discard(draft: TaskDraft): Promise<void>;
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
  /** Only entries whose text this pattern matches somewhere; RE2 syntax, matched in time that grows with the text. */
  readonly grep?: string | undefined;
  /** Only entries up to this place, with `after`. */
  readonly upTo?: string | undefined;
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
  /** True when, read from the end, there are entries before these that would be in it too. */
  readonly earlier?: boolean;
  /** True when a search from the end stopped before it had seen everything: what is older may match too. */
  readonly isCutShort?: boolean;
}

export interface Logs {
  /** A part of the session's log over all its runs, oldest first. Fails with CURSOR_INVALID, and with INVALID_INPUT on a pattern that is none. */
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

/** What lets somebody from outside in. */
export interface Passes {
  /** Where the guest of this share comes to, and with which token. */
  grantShare(share: { readonly sessionId: string; readonly shareId: string }): { readonly url: string; readonly token: string };
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
  /** Removes what was kept of these sessions; what is not there counts as removed. */
  forget(sessionIds: readonly string[]): Promise<void>;
  /** Ids of all sessions of which something was kept. */
  kept(): Promise<readonly string[]>;
}
