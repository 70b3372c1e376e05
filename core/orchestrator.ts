// All that can be done, as plain calls: the one thing that tools, resources and doors talk to.
import { z } from 'zod';
import { type CancelRequest, createCancel } from './cancelling.ts';
import { ancestorsOf, descendantsOf } from './delegation.ts';
import { estimatedStart, estimatedStarts } from './estimate.ts';
import { type EventPage, type EventQuery, eventPage } from './event-page.ts';
import type { Worktrees } from './git-ports.ts';
import type { Guard } from './guard.ts';
import type { Reading } from './headroom.ts';
import type { Ledger } from './ledger.ts';
import { createLineDeeds, type LineDeeds } from './line-deeds.ts';
import type { RunUsage } from './meter-ports.ts';
import { namedSession } from './named-session.ts';
import { createOnce, type Keyed } from './once.ts';
import type { Clock, JobQueue, LogPage, LogQuery, Logs, Settings, TaskStore } from './ports.ts';
import { createRuleDeeds, type RuleDeeds } from './rule-deeds.ts';
import type { Line } from './scheduler.ts';
import { isActive, isSettled, type Session, type SessionStatus, type SessionType } from './session.ts';
import { createSharing, type SharingDeeds, type SharingParts } from './sharing.ts';
import { type Caller, createStart, type Started, type StartParts, type StartRequest } from './start.ts';
import { namedTask } from './start-task.ts';
import type { Supervisor } from './supervisor.ts';
import { createTalkDeeds, type TalkDeeds, type TalkParts } from './talk-deeds.ts';
import { normalised, type Task, type ToldSession } from './task.ts';
import type { Overrides } from './tuning.ts';
import { type SessionView, sessionView, standing } from './views.ts';
import { type Waited, type WaitRequest, waitFor } from './wait.ts';
import { type WorktreeDeeds, worktreeDeeds } from './worktree-deeds.ts';

export interface OrchestratorParts extends StartParts, TalkParts, SharingParts {
  readonly ledger: Ledger;
  readonly queue: JobQueue;
  readonly tasks: TaskStore;
  readonly logs: Logs;
  readonly supervisor: Supervisor;
  readonly clock: Clock;
  /** What runs use and what the machine has left; not there where nothing is measured. */
  readonly guard?: Pick<Guard, 'usage' | 'machine'>;
  /** Not there where no session has a worktree of its own. */
  readonly worktrees?: Worktrees | undefined;
  /** True for a session whose living run was told an address at which this hub cannot be called. */
  readonly isCutOff?: ((session: Session) => boolean) | undefined;
}

export interface SessionFilter {
  readonly type?: SessionType | undefined;
  readonly status?: SessionStatus | undefined;
  readonly taskId?: string | undefined;
  readonly parentId?: string | undefined;
  readonly label?: string | undefined;
  /** Milliseconds since the epoch: queued at or after it. */
  readonly since?: number | undefined;
}

export interface TaskFilter {
  readonly status?: string | undefined;
  readonly type?: string | undefined;
  readonly area?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly query?: string | undefined;
}

export interface Orchestrator extends LineDeeds, TalkDeeds, SharingDeeds {
  start(request: StartRequest, caller: Caller): Promise<Started>;
  /** The session with this id. Fails with SESSION_NOT_FOUND. */
  get(sessionId: string): Session;
  /** False for a session that is not there, or not for this caller to see. */
  sees(sessionId: string): boolean;
  /** Sessions that match, newest first. */
  list(filter: SessionFilter): readonly Session[];
  /** Blocks until the sessions change. While `by`, a session itself, waits for its own descendants, its slot is lent. */
  wait(request: WaitRequest, by?: string | undefined): Promise<Waited>;
  log(sessionId: string, query: LogQuery): Promise<LogPage>;
  /** Facts that match. Fails with STORAGE_CORRUPT when the journal is damaged there. */
  events(query: EventQuery): Promise<EventPage>;
  /**
   * Takes a queued session out of the line, or stops an active one. Resolves when the stop is recorded, not when it is done. A settled one stays as
   * it is. Descendants first, unless `children` is false. The same call, sent again, leaves alone what was gone on with since.
   */
  cancel(sessionId: string, request: CancelRequest): Promise<Session>;
  /** Keeps a session from being cleaned up, or no longer. Fails with SESSION_NOT_FOUND. */
  pin(sessionId: string, how: Keyed & { readonly pinned: boolean }, by: string): Promise<Session>;
  /** How the line stands, waiting jobs best first. */
  line(): Line;
  /** What was said when the line was paused. */
  pauseReason(): string | undefined;
  /** What the session's processes use, as last measured. */
  usage(sessionId: string): RunUsage | undefined;
  /** What was measured of the machine, each against its limit. */
  machine(): readonly Reading[];
  /** When the first `most` waiting sessions may start, in their order, in milliseconds since the epoch, as far as that can be told. */
  estimatedStarts(most: number): readonly number[];
  /** Tasks that match with their newest session, in order of id. */
  tasks(filter: TaskFilter): Promise<readonly { readonly task: Task; readonly last: Session | undefined }[]>;
  /** Ids of all tasks as of the last look at their folders, by id. Quick, for completing what is typed. */
  taskIds(): Promise<readonly string[]>;
  task(taskId: string): Promise<Task>;
  /** The sessions that the file of the task tells of and the ledger does not know: of another copy of the workspace, or cleaned up since. */
  toldSessions(task: Task): Promise<readonly ToldSession[]>;
  view(session: Session): SessionView;
  /** The same with the estimated start of a session that waits. */
  detailed(session: Session): SessionView;
  /** Changes settings while the hub runs. Fails with INVALID_INPUT and changes nothing where one does not fit. */
  tune(change: Keyed & { readonly set: Overrides; readonly reset: readonly string[] }, by: string): Promise<void>;
  readonly workspace: string;
  readonly ledger: Ledger;
  readonly settings: Settings;
  readonly worktrees: WorktreeDeeds;
  readonly rules: RuleDeeds;
}

const CUT_OFF =
  'delegation: unreachable. Another program has the port at which this run was told to call its hub, so it cannot start or ask anything; it goes on otherwise.';

export function createOrchestrator(parts: OrchestratorParts): Orchestrator {
  const { ledger, queue, tasks, logs, clock, settings, workspace } = parts;
  const get = (sessionId: string) => namedSession(ledger, sessionId);
  const once = createOnce(parts);
  const all = () => [...ledger.sessions()];
  const noted = (session: Session, view: SessionView): SessionView => {
    if (isActive(session) && parts.isCutOff?.(session)) return { ...view, notes: [CUT_OFF] };
    const left = isSettled(session) ? descendantsOf(ledger, session.id).filter((one) => !isSettled(one)).length : 0;
    return left > 0
      ? { ...view, notes: [`Of the sessions that came of it ${left} ${left === 1 ? 'has' : 'have'} not settled.`] }
      : view;
  };

  return {
    start: createStart(parts),
    get,
    sees: (sessionId) => ledger.session(sessionId) !== undefined,
    list: (filter) =>
      all()
        .filter((session) => matches(session, filter))
        .sort((a, b) => b.createdSeq - a.createdSeq),
    async wait(request, by) {
      const giveBack = by !== undefined && waitsForItsOwn(ledger, request, by) ? queue.lend(by) : undefined;
      try {
        return await waitFor(ledger, clock, request);
      } finally {
        giveBack?.();
      }
    },
    log: (sessionId, query) => logs.page(sessionId, get(sessionId).run, query),
    events: (query) => eventPage(ledger, query),
    cancel: createCancel(parts),
    ...createLineDeeds(parts),
    ...createTalkDeeds(parts),
    ...createSharing(parts),
    pin: (sessionId, { pinned, requestKey }, by) =>
      once(requestKey, { deed: 'pin', sessionId, pinned }, async (call, used) => {
        if (!used && (get(sessionId).pinned ?? false) !== pinned)
          await ledger.record({ name: 'session.pinned', data: { sessionId, pinned, by, ...call } });
        return get(sessionId);
      }),
    line: () => queue.line(),
    pauseReason: () => ledger.pauseReason,
    usage: (sessionId) => parts.guard?.usage(sessionId),
    machine: () => parts.guard?.machine() ?? [],
    estimatedStarts: (most) => estimatedStarts(ledger, queue.line(), most),
    async tasks(filter) {
      const last = new Map<string, Session>();
      for (const session of all())
        if ((last.get(session.taskId)?.createdSeq ?? 0) < session.createdSeq) last.set(session.taskId, session);
      return (await tasks.list()).filter((task) => taskMatches(task, filter)).map((task) => ({ task, last: last.get(task.id) }));
    },
    taskIds: () => tasks.ids(),
    toldSessions: async (task) => (await tasks.sessionsIn(task)).filter(({ id }) => !ledger.session(id)),
    task: (taskId) => namedTask(tasks, taskId),
    view: (session) => noted(session, sessionView(session, queue.line())),
    detailed(session) {
      const line = queue.line();
      const at = session.status === 'queued' ? (standing(session.id, line)?.position ?? 0) - 1 : -1;
      return noted(session, sessionView(session, line, estimatedStart(ledger, line, at)));
    },
    tune: ({ set, reset, requestKey }, by) =>
      once(requestKey, { deed: 'tune', set, reset }, async (call, used) => {
        if (used) return;
        const kept = Object.entries(ledger.overrides).filter(([path]) => !reset.includes(path));
        settings.override({ ...Object.fromEntries(kept), ...set });
        const data = { set: z.record(z.string(), z.json()).parse(set), reset: [...reset], by, ...call };
        await ledger.record({ name: 'config.changed', data }).catch((error: unknown) => {
          settings.override(ledger.overrides);
          throw error;
        });
        queue.admit();
      }),
    workspace,
    ledger,
    settings,
    worktrees: worktreeDeeds(ledger, parts.worktrees),
    rules: createRuleDeeds(parts),
  };
}

/** True when the waiting session waits for sessions that came of it and have not settled. */
function waitsForItsOwn(ledger: Ledger, { sessionIds }: WaitRequest, by: string): boolean {
  return sessionIds.some((id) => {
    const session = ledger.session(id);
    return session !== undefined && !isSettled(session) && ancestorsOf(ledger, session).some((ancestor) => ancestor.id === by);
  });
}

function matches(session: Session, { type, status, taskId, parentId, label, since }: SessionFilter): boolean {
  return (
    (type === undefined || session.type === type) &&
    (status === undefined || session.status === status) &&
    (taskId === undefined || session.taskId === taskId) &&
    (parentId === undefined || session.parentId === parentId) &&
    (label === undefined || session.label === label) &&
    (since === undefined || session.queuedAt >= since)
  );
}

function taskMatches({ id, title, body, fields }: Task, { status, type, area, tags, query }: TaskFilter): boolean {
  const same = (wanted: string | undefined, value: unknown) => wanted === undefined || normalised(value) === normalised(wanted);
  const has = Array.isArray(fields.tags) ? fields.tags.map(normalised) : [];
  const text = `${id}\n${title}\n${body}`.toLowerCase();
  return (
    same(status, fields.status) &&
    same(type, fields.type) &&
    same(area, fields.area) &&
    (tags === undefined || tags.every((tag) => has.includes(normalised(tag)))) &&
    (query === undefined || text.includes(query.toLowerCase()))
  );
}
