// All that can be done, as plain calls: the one thing the tools, the resources and the CLI talk to.
import { fail } from './errors.ts';
import { matchesName, sessionOf, type StoredEvent } from './events.ts';
import type { Ledger } from './ledger.ts';
import type { Clock, Job, JobQueue, LogPage, LogQuery, Logs, TaskStore } from './ports.ts';
import { createStart, type Caller, type Started, type StartParts, type StartRequest } from './start.ts';
import type { Session, SessionStatus, SessionType } from './session.ts';
import type { Supervisor } from './supervisor.ts';
import { normalised, type Task } from './task.ts';
import { iso, type SessionView, sessionView } from './views.ts';
import { waitFor, type Waited, type WaitRequest } from './wait.ts';

export interface OrchestratorParts extends StartParts {
  readonly ledger: Ledger;
  readonly queue: JobQueue;
  readonly tasks: TaskStore;
  readonly logs: Logs;
  readonly supervisor: Supervisor;
  readonly clock: Clock;
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

export interface EventFilter {
  readonly types?: readonly string[] | undefined;
  readonly sessionId?: string | undefined;
  readonly taskId?: string | undefined;
  readonly since?: number | undefined;
  /** Only with a number above it. */
  readonly after?: number | undefined;
}

export interface TaskFilter {
  readonly status?: string | undefined;
  readonly type?: string | undefined;
  readonly area?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly query?: string | undefined;
}

export interface LineRow {
  readonly job: Job;
  readonly session: Session;
}

export interface Orchestrator {
  start(request: StartRequest, caller: Caller): Promise<Started>;
  /** The session with this id. Fails with SESSION_NOT_FOUND. */
  get(sessionId: string): Session;
  /** Sessions that match, newest first. */
  list(filter: SessionFilter): readonly Session[];
  wait(request: WaitRequest): Promise<Waited>;
  log(sessionId: string, query: LogQuery): Promise<LogPage>;
  /** Takes a queued session out of the line, or stops an active one. Resolves when the stop is recorded, not when it is done. A settled one stays as it is. */
  cancel(sessionId: string, why: { readonly by: string; readonly reason?: string | undefined }): Promise<Session>;
  /** The waiting sessions, best first, and the slots. */
  line(): { readonly rows: readonly LineRow[]; readonly slots: { readonly total: number; readonly taken: number }; readonly active: readonly Session[] };
  /** Events that match, oldest first, as far as they are kept. */
  events(filter: EventFilter): readonly StoredEvent[];
  /** Tasks that match with their newest session, in order of id. */
  tasks(filter: TaskFilter): Promise<readonly { readonly task: Task; readonly last: Session | undefined }[]>;
  task(taskId: string): Promise<Task>;
  view(session: Session): SessionView;
  readonly workspace: string;
  readonly ledger: Ledger;
}

export function createOrchestrator(parts: OrchestratorParts): Orchestrator {
  const { ledger, queue, tasks, logs, supervisor, clock, workspace } = parts;
  const get = (sessionId: string) => ledger.session(sessionId) ?? fail('SESSION_NOT_FOUND', `There is no session "${sessionId}".`);
  const all = () => [...ledger.sessions()];

  return {
    start: createStart(parts),
    get,
    list: (filter) =>
      all()
        .filter((session) => matches(session, filter))
        .sort((a, b) => b.createdSeq - a.createdSeq),
    wait: (request) => waitFor(ledger, clock, request),
    log: (sessionId, query) => logs.page(sessionId, get(sessionId).run, query),
    async cancel(sessionId, { by, reason }) {
      const session = get(sessionId);
      const cause = { kind: 'cancelled', by, ...(reason !== undefined && { reason }) } as const;
      if (session.status === 'queued' && queue.remove(sessionId)) {
        await ledger.record({ name: 'session.cancelled', data: { sessionId, run: session.run, cause } });
      } else {
        await supervisor.stop(sessionId, cause);
      }
      return get(sessionId);
    },
    line() {
      const rows = queue.list().flatMap((job) => {
        const session = ledger.session(job.sessionId);
        return session ? [{ job, session }] : [];
      });
      return { rows, slots: queue.slots(), active: all().filter((session) => session.status !== 'queued' && session.settledAt === undefined) };
    },
    events: ({ types, sessionId, taskId, since, after = 0 }) =>
      ledger.recent().filter((event) => {
        const about = sessionOf(event);
        if (event.seq <= after || (since !== undefined && event.at < since)) return false;
        if (sessionId !== undefined && about !== sessionId) return false;
        if (taskId !== undefined && (about === undefined || ledger.session(about)?.taskId !== taskId)) return false;
        return types === undefined || types.some((filter) => matchesName(event.name, filter));
      }),
    async tasks(filter) {
      const last = new Map<string, Session>();
      for (const session of all()) if ((last.get(session.taskId)?.createdSeq ?? 0) < session.createdSeq) last.set(session.taskId, session);
      return (await tasks.list()).filter((task) => taskMatches(task, filter)).map((task) => ({ task, last: last.get(task.id) }));
    },
    task: async (taskId) => (await tasks.get(taskId)) ?? fail('TASK_NOT_FOUND', `There is no task "${taskId}".`),
    view: (session) => sessionView(session, { queue, now: clock.now() }),
    workspace,
    ledger,
  };
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

/** A time given by a caller, in milliseconds since the epoch. Fails with INVALID_INPUT. */
export function timeOf(text: string): number {
  const at = Date.parse(text);
  return Number.isNaN(at) ? fail('INVALID_INPUT', `"${text}" is not a time; give ISO 8601 such as ${iso(0)}.`) : at;
}
