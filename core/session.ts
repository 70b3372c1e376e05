// A session: one agent's conversation about one task; its states, and all that is known of it. `session-fold.ts` makes it from events.
//
//   queued ──► starting ──► running ◄──► waiting
//     │           │            │            │
//     │           └─────► stopping ◄────────┘
//     ▼                       ▼
//   cancelled      completed · failed · cancelled · lost     (settled: no process, no slot)
//
// A settled session is reopened by a new run: it becomes queued again. It waits for an answer, or, when it is interactive, at its prompt.
import { z } from 'zod';
import type { Share } from './access.ts';
import type { PermissionMode } from './agent.ts';
import type { AgentResult, EndCause } from './ending.ts';
import type { Changes, Worktree } from './git-ports.ts';
import type { HistoryLine } from './history.ts';
import type { Priority } from './priority.ts';
import type { Spent } from './spent.ts';
import type { SessionPrompt, SessionRequest } from './talk.ts';
import type { UsedRule } from './used-rule.ts';

export const STATUSES = [
  'queued',
  'starting',
  'running',
  'waiting',
  'stopping',
  'completed',
  'failed',
  'cancelled',
  'lost',
] as const;
export const SessionStatus = z.enum(STATUSES);
export type SessionStatus = z.infer<typeof SessionStatus>;

export const SessionType = z.enum(['autonomous', 'interactive']);
export type SessionType = z.infer<typeof SessionType>;

/** What a waiting session waits for: somebody's next prompt, an answer, or something that cannot be told. */
export const WAITS_FOR = ['prompt', 'permission', 'question', 'unknown'] as const;
export type WaitsFor = (typeof WAITS_FOR)[number];

/** A process by pid and start time; the pid alone is no identity. */
export const ProcessRef = z.object({ pid: z.number().int(), startedAt: z.string() });
export type ProcessRef = z.infer<typeof ProcessRef>;

export interface Session extends Spent {
  readonly id: string;
  readonly type: SessionType;
  readonly taskId: string;
  readonly taskTitle: string;
  readonly parentId?: string | undefined;
  readonly label?: string | undefined;
  readonly agent: string;
  readonly model?: string | undefined;
  readonly cwd: string;
  readonly timeoutMs?: number | undefined;
  readonly maxCostUsd?: number | undefined;
  readonly priority: Priority;
  /** Place in the line's order, lower goes first. */
  readonly orderKey: number;
  /** What decides between equal keys. */
  readonly orderSeq: number;
  readonly taskType?: string | undefined;
  /** Its task was made for its prompt. */
  readonly madeTask?: boolean | undefined;
  readonly concurrent?: boolean | undefined;
  /** Not to be started before this time. */
  readonly notBefore?: number | undefined;
  readonly status: SessionStatus;
  /** What the first run is told. */
  readonly prompt: string;
  /** The rule that this prompt came from. */
  readonly rule?: UsedRule | undefined;
  /** What a rule allows it at most, and the only tools that it leaves it to use without asking. */
  readonly permissionMode?: PermissionMode | undefined;
  readonly tools?: readonly string[] | undefined;
  /** True: how it settled first, which is what its rule is judged by, is known. */
  readonly isJudged?: boolean | undefined;
  readonly customPrompts: readonly string[];
  /** What was said to it after its first prompt, oldest first. */
  readonly prompts?: readonly SessionPrompt[] | undefined;
  /** What it asked, oldest first. */
  readonly requests?: readonly SessionRequest[] | undefined;
  /** While waiting: for what. */
  readonly waitsFor?: WaitsFor | undefined;
  /** What its terminal asks or shows meanwhile, where that is no request; at its prompt, what it said last. */
  readonly waitsText?: string | undefined;
  /** Since when, in milliseconds since the epoch. */
  readonly waitsSince?: number | undefined;
  /** Number of the fact that told what it waits for; not there where it was saved before that was kept. */
  readonly waitsSeq?: number | undefined;
  /** JSON Schema, as text, of the data it is to end with. */
  readonly resultSchema?: string | undefined;
  /** It works in a worktree of its own; the branch it asked for, or true for one of its own name. */
  readonly wantsWorktree?: string | true | undefined;
  readonly worktree?: Worktree | undefined;
  /** How its folder stood before its first run, for the port `Git`. */
  readonly mark?: string | undefined;
  /** What it changed in its folder. */
  readonly changes?: Changes | undefined;
  /** True: it is not cleaned up. */
  readonly pinned?: boolean | undefined;
  /** To whom it was shared, oldest first; those that are over may be left out. */
  readonly shares?: readonly Share[] | undefined;
  /** Who started it, in words. */
  readonly by: string;
  /** 0 before the first run. */
  readonly run: number;
  /** Runs before somebody prompted it anew; they do not count as tries. */
  readonly runsBefore?: number | undefined;
  /** True: the next run goes on with the conversation of the last. */
  readonly resumes?: boolean | undefined;
  /** The agent's own id of the conversation, chosen by us. */
  readonly conversationId?: string | undefined;
  readonly process?: ProcessRef | undefined;
  /** While stopping: why. */
  readonly stop?: EndCause | undefined;
  readonly cause?: EndCause | undefined;
  readonly result?: AgentResult | undefined;
  /** Times in milliseconds since the epoch. */
  readonly queuedAt: number;
  readonly startedAt?: number | undefined;
  /** When the newest run began. */
  readonly runStartedAt?: number | undefined;
  readonly settledAt?: number | undefined;
  /** Sequence number of the event that made it, that queued it last, and of the last one that touched it. */
  readonly createdSeq: number;
  readonly queuedSeq: number;
  readonly seq: number;
  readonly history: readonly HistoryLine[];
}

const SETTLED: readonly SessionStatus[] = ['completed', 'failed', 'cancelled', 'lost'];
const ACTIVE: readonly SessionStatus[] = ['starting', 'running', 'waiting', 'stopping'];

/** True when no process of it lives and no slot is taken. */
export function isSettled(session: { readonly status: SessionStatus }): boolean {
  return SETTLED.includes(session.status);
}

/** What its agent said last: as its answer at the end, or before it stood at its prompt. Text from an agent. Nothing while it is at work. */
export function lastWords(session: Session): string | undefined {
  if (session.waitsFor === 'prompt') return session.waitsText ?? session.result?.text;
  return isSettled(session) ? session.result?.text : undefined;
}

/** True when it holds a slot. */
export function isActive(session: { readonly status: SessionStatus }): boolean {
  return ACTIVE.includes(session.status);
}
