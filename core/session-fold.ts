// The fold: what a session is after one more event. Nothing else changes one.
import { isOpenShare } from './access.ts';
import { fail } from './errors.ts';
import type { EventOf, StoredEvent } from './events.ts';
import { historyLine, oneLine } from './history.ts';
import { statusAfter } from './moves.ts';
import type { Session } from './session.ts';
import { spentWith } from './spent.ts';
import { answered, asked, begun, openRequests, said, told, unheard } from './talk.ts';

/** So much of a prompt stays with the session; the log has it whole. */
const CUSTOM_PROMPT_LENGTH = 1000;

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
  const status = statusAfter(session, event.name);
  switch (event.name) {
    case 'session.requeued': {
      const { notBefore, orderKey, resume, cause, result } = event.data;
      return {
        ...session,
        status,
        notBefore,
        orderKey,
        resumes: resume,
        runsBefore: cause.kind === 'done' ? session.run : session.runsBefore,
        cause,
        result,
        queuedAt: event.at,
        queuedSeq: event.seq,
        orderSeq: event.seq,
        waitsFor: undefined,
        process: undefined,
        ...spentWith(session, result, event.at),
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
        prompts: begun(session.prompts, event.data.run),
      };
    case 'session.started':
      return {
        ...session,
        status: session.status === 'starting' ? status : session.status,
        process: event.data.process,
        startedAt: session.startedAt ?? event.at,
        runStartedAt: event.at,
      };
    case 'session.resumed':
      return {
        ...session,
        status,
        waitsFor: undefined,
        process: event.data.process ?? session.process,
      };
    case 'session.prepared': {
      const { worktree, cwd, mark } = event.data;
      return {
        ...session,
        worktree: worktree ?? session.worktree,
        cwd: cwd ?? session.cwd,
        mark: session.mark ?? mark,
      };
    }
    case 'session.prompted':
      return { ...session, ...toldMore(session, event) };
    case 'session.reopened':
      return {
        ...session,
        ...toldMore(session, event),
        status,
        orderKey: event.data.orderKey,
        resumes: event.data.resume,
        runsBefore: session.run,
        ...judged(session),
        queuedAt: event.at,
        queuedSeq: event.seq,
        orderSeq: event.seq,
        settledAt: undefined,
        cause: undefined,
        notBefore: undefined,
        process: undefined,
      };
    case 'session.received':
    case 'session.undelivered':
      return { ...session, prompts: told(session.prompts, event) };
    case 'session.waiting':
      return {
        ...session,
        status,
        waitsFor: event.data.for,
        waitsText: event.data.text,
        waitsSince: event.at,
        waitsSeq: event.seq,
        requests: asked(session.requests, event),
      };
    case 'session.answered': {
      const next = { ...session, requests: answered(session.requests, event) };
      if (session.status !== 'waiting') return next;
      const [open] = openRequests(next);
      return open ? { ...next, waitsFor: open.kind } : { ...next, status: 'running', waitsFor: undefined };
    }
    case 'session.pinned':
      return { ...session, pinned: event.data.pinned };
    case 'session.shared': {
      const { shareId, role, name, expiresAt } = event.data;
      const open = (session.shares ?? []).filter((share) => isOpenShare(share, event.at));
      return { ...session, shares: [...open, { shareId, role, name, expiresAt }] };
    }
    case 'session.unshared':
      return { ...session, shares: (session.shares ?? []).filter(({ shareId }) => shareId !== event.data.shareId) };
    case 'session.stopping':
      return { ...session, status, waitsFor: undefined, stop: event.data.cause };
    case 'session.completed':
    case 'session.failed':
    case 'session.cancelled':
    case 'session.lost':
      return {
        ...session,
        status,
        cause: event.data.cause,
        result: event.data.result,
        changes: event.data.changes ?? session.changes,
        settledAt: event.at,
        waitsFor: undefined,
        process: undefined,
        stop: undefined,
        ...judged(session),
        ...spentWith(session, event.data.result, event.at),
        prompts: unheard(session.prompts, event.at),
      };
    default:
      return fail('INTERNAL', `Event ${event.seq} ${event.name} is not about a session.`);
  }
}

/** With one more prompt, which the task file shows among the custom ones. */
function toldMore(session: Session, event: EventOf<'session.prompted'> | EventOf<'session.reopened'>) {
  return {
    customPrompts: [...session.customPrompts, oneLine(event.data.prompt, CUSTOM_PROMPT_LENGTH)],
    // nobody was told what became of one without an id
    prompts: event.data.promptId === '' ? session.prompts : said(session.prompts, event),
  };
}

function judged({ rule }: Session): Pick<Session, 'isJudged'> {
  return rule ? { isJudged: true } : {};
}

/** Field by field, in one piece: spreading costs several times as much here, and a hub that starts may read ten thousand of them. */
function opened({ seq, at, data }: EventOf<'session.queued'>): Session & Record<Asked, unknown> {
  return {
    id: data.sessionId,
    type: data.type,
    taskId: data.taskId,
    taskTitle: data.taskTitle,
    parentId: data.parentId,
    label: data.label,
    agent: data.agent,
    model: data.model,
    cwd: data.cwd,
    timeoutMs: data.timeoutMs,
    maxCostUsd: data.maxCostUsd,
    priority: data.priority,
    prompt: data.prompt,
    by: data.by,
    taskType: data.taskType,
    madeTask: data.madeTask,
    concurrent: data.concurrent,
    notBefore: data.notBefore,
    orderKey: data.orderKey ?? at,
    resultSchema: data.resultSchema,
    wantsWorktree: data.wantsWorktree,
    permissionMode: data.permissionMode,
    tools: data.tools,
    rule: data.rule,
    orderSeq: seq,
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

/** What of a start stays with its session. */
type Asked = Exclude<keyof EventOf<'session.queued'>['data'], 'sessionId' | 'requestKey' | 'digest' | 'position' | 'reason'>;
