// What rules look at: the moment, the task, and how the session stands that is to be told something. Made from the ledger, plain data.
import { treeCost } from './budget.ts';
import type { Config } from './config.ts';
import type { EndCause } from './ending.ts';
import { causeText, oneLine } from './history.ts';
import type { Ledger } from './ledger.ts';
import type { Moment } from './rules.ts';
import { isSettled, type Session } from './session.ts';
import { spentOf } from './spent.ts';
import { openRequests } from './talk.ts';
import type { Task } from './task.ts';

/** Why somebody should say something to a session. */
export const SIGNALS = ['asked', 'idle', 'failing', 'near_budget'] as const;
export type Signal = (typeof SIGNALS)[number];

export interface Situation {
  readonly moment: Moment;
  readonly task: Task | undefined;
  readonly session: SessionFacts;
  readonly parent: ParentFacts | undefined;
  /** Branch of the worktree, where it is known. */
  readonly branch: string | undefined;
  /** What earlier sessions on the task, and this one, came to: a line each, the newest last. */
  readonly history: string;
}

/** What rules can test as `session.<name>`. */
export interface SessionFacts {
  readonly id?: string | undefined;
  /** At the start: which session on this task it is. Later: which run of the session. */
  readonly attempt: number;
  readonly status?: string | undefined;
  readonly type?: string | undefined;
  readonly agent?: string | undefined;
  /** Why it settled, or at the start why the one before on this task did. */
  readonly endCause?: string | undefined;
  /** The same in words, with the signal or the exit code; not there where it was done. */
  readonly endText?: string | undefined;
  /** For how long it has stood at its prompt, in milliseconds. */
  readonly idleMs?: number | undefined;
  /** `permission` and `question`, as far as such requests are open. */
  readonly asks?: readonly string[] | undefined;
  readonly signals?: readonly Signal[] | undefined;
  readonly costUsd?: number | undefined;
  /** Of what it may cost, from 0 to 1. */
  readonly budgetShare?: number | undefined;
  readonly turns?: number | undefined;
}

/** What rules can test as `parent.<name>`. */
export interface ParentFacts {
  readonly id: string;
  readonly status: string;
  readonly taskId: string;
  readonly title: string;
  readonly agent: string;
}

/** So many runs that ended badly, or earlier sessions that did, mean that it fails repeatedly. */
const FAILING_RUNS = 2;
const NEAR_BUDGET = 0.8;
const HISTORY_SESSIONS = 5;
const HISTORY_TEXT = 300;

export interface SituationParts {
  readonly ledger: Ledger;
  readonly now: number;
  readonly budget: Config['budget'];
}

/** The situation of a session that is about to be started. */
export function startSituation({ ledger }: SituationParts, { task, parentId, branch, agent, type }: StartFacts): Situation {
  const earlier = task ? sessionsOn(ledger, task.id) : [];
  const last = earlier.findLast(isSettled);
  return {
    moment: 'start',
    task,
    session: { attempt: earlier.length + 1, ...endOf(last?.cause), agent, type },
    parent: parentOf(ledger, parentId),
    branch,
    history: historyOf(earlier),
  };
}

export interface StartFacts {
  readonly task: Task | undefined;
  readonly parentId?: string | undefined;
  readonly branch?: string | undefined;
  readonly agent?: string | undefined;
  readonly type?: string | undefined;
}

/** The situation of a session that is there. */
export function sessionSituation(parts: SituationParts, moment: Moment, session: Session, task: Task | undefined): Situation {
  const { ledger } = parts;
  return {
    moment,
    task,
    session: factsOf(parts, session),
    parent: parentOf(ledger, session.parentId),
    branch: session.worktree?.branch,
    history: historyOf(sessionsOn(ledger, session.taskId)),
  };
}

function factsOf({ ledger, now, budget }: SituationParts, session: Session): SessionFacts {
  const { id, run, status, type, agent, cause, waitsFor } = session;
  const { costUsd, turns } = spentOf(session, now);
  const facts = {
    id,
    attempt: Math.max(1, run),
    status,
    type,
    agent,
    ...endOf(cause),
    idleMs: waitsFor === 'prompt' ? Math.max(0, now - (session.waitsSince ?? now)) : undefined,
    asks: openRequests(session).map(({ kind }) => kind),
    costUsd,
    budgetShare: shareOf(ledger, session, costUsd, budget),
    turns,
  };
  return { ...facts, signals: signalsOf(session, facts, ledger) };
}

function signalsOf(session: Session, { asks, budgetShare }: SessionFacts, ledger: Ledger): Signal[] {
  const { status, waitsFor, cause, run } = session;
  const isBad = cause !== undefined && cause.kind !== 'done' && cause.kind !== 'cancelled';
  const failed = () =>
    sessionsOn(ledger, session.taskId).filter((one) => one.status === 'failed' || one.status === 'lost').length;
  return [
    ...(asks && asks.length > 0 ? (['asked'] as const) : []),
    ...(status === 'waiting' && waitsFor === 'prompt' ? (['idle'] as const) : []),
    ...(isBad && (run >= FAILING_RUNS || failed() >= FAILING_RUNS) ? (['failing'] as const) : []),
    ...((budgetShare ?? 0) >= NEAR_BUDGET ? (['near_budget'] as const) : []),
  ];
}

/** Of what the session, or its tree, may cost, whichever is nearer to its end; undefined where nothing limits it. */
function shareOf(
  ledger: Ledger,
  session: Session,
  costUsd: number | undefined,
  { maxCostPerSession, maxCostPerTree }: Config['budget'],
): number | undefined {
  const own = session.maxCostUsd ?? (maxCostPerSession > 0 ? maxCostPerSession : undefined);
  const shares = [
    ...(own === undefined || costUsd === undefined ? [] : [costUsd / own]),
    ...(maxCostPerTree > 0 ? [treeCost(ledger, session) / maxCostPerTree] : []),
  ];
  return shares.length > 0 ? Math.max(...shares) : undefined;
}

function sessionsOn(ledger: Ledger, taskId: string): Session[] {
  return [...ledger.sessions()].filter((one) => one.taskId === taskId).sort((a, b) => a.createdSeq - b.createdSeq);
}

function historyOf(sessions: readonly Session[]): string {
  return sessions.slice(-HISTORY_SESSIONS).map(lineOf).join('\n');
}

function lineOf({ id, status, cause, result }: Session): string {
  const why = cause && cause.kind !== 'done' ? ` (${causeText({ ...cause, reason: undefined })})` : '';
  return `- ${id}: ${status}${why}${result?.text ? `: ${oneLine(result.text, HISTORY_TEXT)}` : ''}`;
}

function endOf(cause: EndCause | undefined): { readonly endCause?: string; readonly endText?: string } {
  if (!cause) return {};
  return { endCause: cause.kind, ...(cause.kind !== 'done' && { endText: causeText({ ...cause, reason: undefined }) }) };
}

function parentOf(ledger: Ledger, parentId: string | undefined): ParentFacts | undefined {
  const parent = parentId === undefined ? undefined : ledger.session(parentId);
  return parent && { id: parent.id, status: parent.status, taskId: parent.taskId, title: parent.taskTitle, agent: parent.agent };
}
