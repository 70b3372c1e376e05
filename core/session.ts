// A session: one agent's conversation about one task; its states, how it may move between them, and the fold that makes it from events.
//
//   queued ──► starting ──► running ◄──► waiting
//     │           │            │            │
//     │           └─────► stopping ◄────────┘
//     ▼                       ▼
//   cancelled      completed · failed · cancelled · lost     (settled: no process, no slot)
//
// A settled session is reopened by a new run: it becomes queued again.
import { z } from 'zod';
import { fail } from './errors.ts';
import type { EventOf, SessionEventName, StoredEvent } from './events.ts';
import { type HistoryLine, historyLine } from './history.ts';
import type { Priority } from './priority.ts';

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

export const SESSION_TYPES = ['autonomous', 'interactive'] as const;
export const SessionType = z.enum(SESSION_TYPES);
export type SessionType = z.infer<typeof SessionType>;

/** Why a session settled. `kind` is for programs; the other fields say more where there is more. */
export const EndCause = z.object({
  kind: z.enum([
    'done',
    'agent_error',
    'refused',
    'rate_limited',
    'auth',
    'timeout',
    'idle_timeout',
    'memory',
    'budget',
    'killed',
    'cancelled',
    'spawn_failed',
    'queue_timeout',
    'log_flood',
    'schema_mismatch',
    'lost',
  ]),
  signal: z.string().optional().describe('With `killed`: the signal, such as SIGKILL.'),
  exitCode: z.number().int().optional().describe('Exit code of the agent where it was seen.'),
  resetsAt: z.string().optional().describe('With `rate_limited`: when the quota resets, ISO 8601.'),
  by: z.string().optional().describe('With `cancelled`: who asked.'),
  reason: z.string().optional().describe('What was said about it.'),
});
export type EndCause = z.infer<typeof EndCause>;

/** What the agent itself reported at the end of a run. Money in US dollars, times in milliseconds. */
export const AgentResult = z.object({
  text: z.string().describe('The final answer, cut at 20,000 characters.'),
  isError: z.boolean(),
  errorKind: z
    .enum(['agent_error', 'refused', 'rate_limited', 'auth', 'budget'])
    .optional()
    .describe('With `isError`: what it was about.'),
  resetsAt: z.string().optional().describe('With `rate_limited`: when the quota resets, ISO 8601.'),
  isTransient: z.boolean().optional().describe('With `isError`: the model API failed for a moment; trying again may help.'),
  subtype: z.string().optional(),
  costUsd: z.number().optional(),
  turns: z.number().int().optional(),
  durationMs: z.number().optional(),
  inputTokens: z.number().int().optional(),
  outputTokens: z.number().int().optional(),
  permissionDenials: z.array(z.string()).optional().describe('Names of the tools that were denied.'),
});
export type AgentResult = z.infer<typeof AgentResult>;

/** A process by pid and start time; the pid alone is no identity. */
export const ProcessRef = z.object({ pid: z.number().int(), startedAt: z.string() });
export type ProcessRef = z.infer<typeof ProcessRef>;

export interface Session {
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
  readonly concurrent?: boolean | undefined;
  /** Not to be started before this time. */
  readonly notBefore?: number | undefined;
  readonly status: SessionStatus;
  /** What the first run is told. */
  readonly prompt: string;
  readonly customPrompts: readonly string[];
  /** Who started it, in words. */
  readonly by: string;
  /** 0 before the first run. */
  readonly run: number;
  /** True: the next run goes on with the conversation of the last. */
  readonly resumes?: boolean | undefined;
  /** The agent's own id of the conversation, chosen by us. */
  readonly conversationId?: string | undefined;
  readonly process?: ProcessRef | undefined;
  /** While stopping: why. */
  readonly stop?: EndCause | undefined;
  readonly cause?: EndCause | undefined;
  readonly result?: AgentResult | undefined;
  /** What all runs have cost that are over, in US dollars. */
  readonly spentUsd?: number | undefined;
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

/** From where each event may be taken, and where it leads. The one table of moves. */
const MOVES = {
  'session.queued': { from: ['completed', 'failed', 'cancelled', 'lost'], to: 'queued' },
  'session.requeued': { from: ['starting', 'running', 'waiting'], to: 'queued' },
  'queue.moved': { from: ['queued'], to: undefined },
  // from starting: a run that was fenced before it began is tried again as the next one
  'session.starting': { from: ['queued', 'starting'], to: 'starting' },
  'session.started': { from: ['starting'], to: 'running' },
  'session.resumed': { from: ['waiting', 'lost', 'starting'], to: 'running' },
  'session.prompted': { from: STATUSES, to: undefined },
  'session.stopping': { from: ['starting', 'running', 'waiting'], to: 'stopping' },
  'session.completed': { from: ['starting', 'running', 'waiting'], to: 'completed' },
  'session.failed': { from: ['queued', 'starting', 'running', 'waiting', 'stopping'], to: 'failed' },
  // from active ones: where the disk was too full to record that it was being stopped
  'session.cancelled': { from: ['queued', 'starting', 'running', 'waiting', 'stopping'], to: 'cancelled' },
  'session.lost': { from: ['starting', 'running', 'waiting', 'stopping'], to: 'lost' },
} as const satisfies Record<SessionEventName, { from: readonly SessionStatus[]; to: SessionStatus | undefined }>;

/** The session as it is after one more event; the only place where a status changes. Fails with INTERNAL on a move the table does not have. */
export function apply(session: Session | undefined, event: StoredEvent): Session {
  const next = moved(session, event);
  const line = historyLine(next, event);
  return { ...next, seq: event.seq, history: line ? [...next.history, line] : next.history };
}

function moved(session: Session | undefined, event: StoredEvent): Session {
  if (!session)
    return event.name === 'session.queued'
      ? opened(event)
      : fail('INTERNAL', `Event ${event.seq} ${event.name} speaks of a session that was never queued.`);
  const move = event.name in MOVES ? MOVES[event.name as SessionEventName] : undefined;
  const allowed: readonly SessionStatus[] = move?.from ?? [];
  if (!allowed.includes(session.status))
    fail('INTERNAL', `Session ${session.id} is ${session.status}; ${event.name} cannot follow.`);
  const status = move?.to ?? session.status;
  switch (event.name) {
    case 'session.queued':
      return {
        ...session,
        status,
        queuedAt: event.at,
        queuedSeq: event.seq,
        settledAt: undefined,
        cause: undefined,
        process: undefined,
      };
    case 'session.requeued': {
      const { notBefore, orderKey, resume, cause, result } = event.data;
      return {
        ...session,
        status,
        notBefore,
        orderKey,
        resumes: resume,
        cause,
        result,
        queuedAt: event.at,
        queuedSeq: event.seq,
        orderSeq: event.seq,
        process: undefined,
        spentUsd: spent(session, result),
      };
    }
    case 'queue.moved':
      return { ...session, priority: event.data.priority, orderKey: event.data.orderKey, orderSeq: event.data.orderSeq };
    case 'session.starting':
      return {
        ...session,
        status,
        run: event.data.run,
        conversationId: event.data.conversationId ?? session.conversationId,
        notBefore: undefined,
        // of the run before
        runStartedAt: undefined,
      };
    case 'session.started':
      return {
        ...session,
        status,
        process: event.data.process,
        startedAt: session.startedAt ?? event.at,
        runStartedAt: event.at,
      };
    case 'session.resumed':
      return { ...session, status, process: event.data.process ?? session.process, startedAt: session.startedAt ?? event.at };
    case 'session.prompted':
      return { ...session, customPrompts: [...session.customPrompts, event.data.prompt] };
    case 'session.stopping':
      return { ...session, status, stop: event.data.cause };
    case 'session.completed':
    case 'session.failed':
    case 'session.cancelled':
    case 'session.lost':
      return {
        ...session,
        status,
        cause: event.data.cause,
        result: event.data.result,
        settledAt: event.at,
        process: undefined,
        stop: undefined,
        spentUsd: spent(session, event.data.result),
      };
    default:
      return fail('INTERNAL', `Event ${event.seq} ${event.name} is not about a session.`);
  }
}

function spent({ spentUsd }: Session, result: AgentResult | undefined): number | undefined {
  return result?.costUsd === undefined ? spentUsd : (spentUsd ?? 0) + result.costUsd;
}

function opened({ seq, at, data }: EventOf<'session.queued'>): Session {
  const { sessionId, requestKey: _key, digest: _digest, position: _position, reason: _reason, ...rest } = data;
  return {
    ...rest,
    orderKey: data.orderKey ?? at,
    orderSeq: seq,
    id: sessionId,
    status: 'queued',
    customPrompts: [],
    run: 0,
    queuedAt: at,
    createdSeq: seq,
    queuedSeq: seq,
    seq,
    history: [],
  };
}

const SETTLED: readonly SessionStatus[] = ['completed', 'failed', 'cancelled', 'lost'];
const ACTIVE: readonly SessionStatus[] = ['starting', 'running', 'waiting', 'stopping'];

/** True when no process of it lives and no slot is taken. */
export function isSettled(session: { readonly status: SessionStatus }): boolean {
  return SETTLED.includes(session.status);
}

/** True when it holds a slot. */
export function isActive(session: { readonly status: SessionStatus }): boolean {
  return ACTIVE.includes(session.status);
}
