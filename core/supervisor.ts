// Carries one session through one slot: starts or finds its run, follows it to its end, and settles the session.
// The promise of `run` is the lease of the slot: it resolves only when the run's whole process tree is gone.
import { costLimit } from './budget.ts';
import { agentNamed, environmentOf } from './config.ts';
import { type ErrorCode, fail, ScopecraftError } from './errors.ts';
import type { Ledger } from './ledger.ts';
import { outcomeOf } from './outcome.ts';
import type { Clock, Environments, Ids, Logs, Prompts, Run, RunEvent, Runner, Settings, TaskStore } from './ports.ts';
import { jobOf } from './recovery.ts';
import { retryAt } from './retry.ts';
import type { WaitingJob } from './scheduler.ts';
import { type EndCause, isSettled, type Session } from './session.ts';
import type { Watchdog } from './watchdog.ts';

export interface SupervisorParts {
  readonly ledger: Ledger;
  readonly runner: Runner;
  readonly tasks: TaskStore;
  readonly prompts: Prompts;
  readonly logs: Logs;
  readonly environments: Environments;
  readonly ids: Ids;
  readonly clock: Clock;
  readonly settings: Settings;
  /** Asked before each start; false when another hub may own the workspace by now: then nothing may be started here. */
  readonly mayStart: () => Promise<boolean>;
  /** Who looks after runs that say nothing, or too much. */
  readonly watchdog: () => Watchdog;
  /** Told of faults that were survived. */
  readonly onError: (error: unknown) => void;
}

export interface Supervisor {
  /** The deed of the queue: begins a queued session, or takes up an active one after a restart. Resolves with the job of its next try, if there is one. */
  run(job: { readonly sessionId: string }): Promise<WaitingJob | undefined>;
  /** Asks the session's run to stop. The fact `session.stopping` is recorded first, by the caller or here. */
  stop(sessionId: string, cause: EndCause): Promise<void>;
}

/** Failures of a start that are the session's own; others are a fault of ours, and are told besides. */
const START_FAILURES: readonly ErrorCode[] = ['AGENT_MISSING', 'AGENT_UNKNOWN', 'PATH_OUTSIDE', 'STORAGE_FAILED'];

type Ended = Extract<RunEvent, { kind: 'ended' }>;

export function createSupervisor(parts: SupervisorParts): Supervisor {
  const { ledger, clock, settings, logs } = parts;
  const live = new Map<string, Run>();
  /** Stops that were asked for and are not in the ledger: of sessions that are just being begun or tried again, or while the disk is full. */
  const asked = new Map<string, EndCause>();

  const current = (id: string) => ledger.session(id) ?? fail('INTERNAL', `Session ${id} is not in the ledger.`);

  async function follow(id: string, run: Run, isFound: boolean): Promise<void> {
    live.set(id, run);
    const session = current(id);
    const timeoutMs = session.timeoutMs ?? settings.current().resources.sessionTimeoutMs;
    const disarm = clock.after(Math.max(0, (session.runStartedAt ?? clock.now()) + timeoutMs - clock.now()), () => {
      stop(id, { kind: 'timeout', reason: `it ran longer than ${timeoutMs} ms` }).catch(parts.onError);
    });
    const agent = agentNamed(settings.current(), session.agent);
    const watch = parts
      .watchdog()
      .watch({ sessionId: id, output: agent?.kind === 'command' ? agent.output : 'stream-json', isFound });
    try {
      // a stop that was asked before there was a run to stop, or by a hub that is gone
      const cause = session.stop ?? asked.get(id);
      if (cause) await run.stop(cause);
      for await (const event of run.events) {
        if (event.kind === 'spoke') watch.spoke(event.bytes);
        await take(id, event);
      }
    } finally {
      watch.done();
      disarm();
      live.delete(id);
    }
  }

  async function take(id: string, event: RunEvent): Promise<void> {
    const session = current(id);
    if (event.kind === 'started' && session.status === 'starting') {
      await ledger.record({ name: 'session.started', data: { sessionId: id, run: session.run, process: event.process } });
    }
    if (event.kind === 'spoke') ledger.publish({ name: 'session.spoke', sessionId: id, bytes: event.bytes });
    if (event.kind === 'ended') await settle(id, event);
  }

  async function settle(id: string, { exit, result, stderr }: Ended): Promise<void> {
    const before = current(id);
    const agent = agentNamed(settings.current(), before.agent);
    const reports = agent?.kind !== 'command' || agent.output === 'stream-json';
    const { retryPolicy } = settings.current().queue;
    const looksDone = outcomeOf({ exit, result, stop: before.stop, reports, stderr }).name === 'session.completed';
    // asked only for a next try, of which a stop can but make less
    const begun = !looksDone && (await hasBegun(before));
    const plain = result || reports ? undefined : await plainText(before);
    // a stop may have come meanwhile; from here to the record nothing is waited for
    const session = current(id);
    const stop = session.stop ?? asked.get(id);
    const { name, cause } = outcomeOf({ exit, result, stop, reports, stderr });
    const told = result ?? (plain === undefined ? undefined : { text: plain, isError: name !== 'session.completed' });
    const again =
      stop || name === 'session.completed'
        ? undefined
        : retryAt({ cause, result, runs: session.run }, retryPolicy, clock.now(), parts.ids.random());
    const data = { sessionId: id, run: session.run, cause, ...(told && { result: told }) };
    if (again === undefined) await ledger.record({ name, data });
    // its age in the line counts on
    else
      await ledger.record({
        name: 'session.requeued',
        data: { ...data, notBefore: again, orderKey: session.orderKey, resume: retryPolicy.resume && begun },
      });
  }

  /** True when the agent said something, so that there is a conversation to go on with. */
  async function hasBegun({ id, run }: Session): Promise<boolean> {
    const kinds = ['text', 'tool_use', 'tool_result'] as const;
    const page = await logs.page(id, run, { tail: 1, limit: 1, characters: 100, kinds }).catch(parts.onError);
    return (page?.entries.length ?? 0) > 0;
  }

  /** What an agent that prints plain text answered: the last of its output. */
  async function plainText({ id, run }: Session): Promise<string> {
    const query = { tail: 50, limit: 50, characters: 20_000, kinds: ['output'] } as const;
    const page = await logs.page(id, run, query).catch(parts.onError);
    return (page?.entries ?? []).map((entry) => entry.text).join('\n');
  }

  async function stop(id: string, cause: EndCause): Promise<void> {
    const session = current(id);
    if (isSettled(session)) return;
    if (!session.stop) asked.set(id, cause);
    // on a full disk the run is stopped all the same; how it ended is recorded when there is space again
    if (!session.stop && session.status !== 'queued')
      await ledger.record({ name: 'session.stopping', data: { sessionId: id, cause } }).catch(unlessFull);
    await live.get(id)?.stop(cause);
  }

  async function carry(id: string): Promise<void> {
    const session = current(id);
    if (isSettled(session)) return;
    const found = session.status === 'queued' ? undefined : await parts.runner.adopt(id, session.run);
    if (found) return follow(id, found, true);
    const begun = await begin(parts, id, () => asked.has(id));
    if (begun) return follow(id, begun, false);
    await settleStopped(id);
  }

  /** Settles a session that was stopped while nothing of it ran: there is nothing to take down. */
  async function settleStopped(id: string): Promise<void> {
    const session = ledger.session(id);
    if (!session || isSettled(session)) return;
    const cause = session.stop ?? asked.get(id);
    if (session.stop) await settle(id, { kind: 'ended', exit: { code: 0 }, result: undefined, stderr: '' });
    else if (cause?.kind === 'cancelled')
      await ledger.record({ name: 'session.cancelled', data: { sessionId: id, run: session.run, cause } });
  }

  return {
    async run({ sessionId: id }) {
      // a start whose fact could not be written is taken back, and with it its session
      if (!ledger.session(id)) return undefined;
      try {
        await carry(id);
        // cancelled in the moment in which it was put into the line again
        if (ledger.session(id)?.status === 'queued') await settleStopped(id);
      } finally {
        asked.delete(id);
      }
      const session = ledger.session(id);
      const isLeft = session && !isSettled(session);
      return isLeft ? jobOf(ledger, session) : undefined;
    },
    stop,
  };
}

/** Records the intent, then starts the run. Undefined when it was stopped in between, or when it cannot be started; then it may have been settled. */
async function begin(parts: SupervisorParts, id: string, isStopAsked: () => boolean): Promise<Run | undefined> {
  if (!(await parts.mayStart())) return undefined;
  const { ledger, ids, settings, runner, environments, prompts, tasks } = parts;
  const before = ledger.session(id);
  if (!before || isSettled(before) || before.stop || isStopAsked()) return undefined;
  const { conversationId: known, resumes } = before;
  const run = before.run + 1;
  // a conversation that is not gone on with begins anew: the agent refuses an id it has seen
  const conversationId = known !== undefined && (resumes === true || before.run === 0) ? known : ids.uuid();
  const resume = known !== undefined && resumes === true;
  // read while the intent goes to disk
  const reading = Promise.all([environments.find(id), tasks.get(before.taskId).catch(() => undefined)]);
  reading.catch(() => undefined);
  const isKept = await ledger.record({ name: 'session.starting', data: { sessionId: id, run, conversationId, resume } }).then(
    () => true,
    (error: unknown) => unlessFull(error) ?? false,
  );
  const session = ledger.session(id);
  if (!isKept || session?.status !== 'starting' || session.stop) return undefined;
  try {
    const agent =
      agentNamed(settings.current(), session.agent) ??
      fail('AGENT_UNKNOWN', `Agent "${session.agent}" is not declared any more.`);
    const names = new Set(environmentOf(agent));
    const [values = {}, task] = await reading;
    return await runner.start({
      sessionId: id,
      run,
      agent: { ...agent, name: session.agent },
      prompt: resume ? prompts.again(session) : session.prompt,
      briefing: prompts.briefing(session, task?.file),
      cwd: session.cwd,
      env: Object.fromEntries(Object.entries(values).filter(([name]) => names.has(name))),
      conversationId,
      resume,
      model: session.model ?? agent.model,
      maxCostUsd: costLimit(ledger, session, settings.current().budget),
    });
  } catch (error) {
    const isKnown = error instanceof ScopecraftError && START_FAILURES.includes(error.code);
    if (!isKnown) parts.onError(error);
    const reason = isKnown ? error.message : 'it could not be started; the log of the hub says why';
    await ledger.record({ name: 'session.failed', data: { sessionId: id, run, cause: { kind: 'spawn_failed', reason } } });
    return undefined;
  }
}

/** Passes over a full disk: what could not be written is as it was. */
function unlessFull(error: unknown): undefined {
  if (!(error instanceof ScopecraftError && error.code === 'STORAGE_FULL')) throw error;
}
